package io.sendfiled.netty;

import io.netty.buffer.ByteBuf;
import io.netty.channel.FileRegion;
import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.ResourceLeakDetectorFactory;
import io.netty.util.ResourceLeakTracker;
import io.sendfiled.client.FileDetails;
import io.sendfiled.client.FileInfo;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.Source;
import io.sendfiled.hot.HotFile;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A file, or a range of it, that is written to a channel whose pipeline has a {@link SendfiledHandler}. Made by {@link
 * SendfiledFiles}.
 *
 * <p>It is a {@link FileRegion}, so HTTP encoders take it. It has one reference at first: writing it hands that reference
 * over, as with all messages of Netty; one that is not written must be {@linkplain #release released}, which closes the file
 * and never waits. Not thread-safe: the channel's event loop uses it, before it is written the thread that has it.
 *
 * <p>In a pipeline without the handler, {@link #transferTo} serves a file that was found in the kernel's caches as {@link
 * io.netty.channel.DefaultFileRegion} does: it may wait for the disk. Every other file is refused there.
 */
public final class SendfiledFile extends AbstractReferenceCounted implements FileRegion {
    private static final ResourceLeakDetector<SendfiledFile> LEAKS =
            ResourceLeakDetectorFactory.instance().newResourceLeakDetector(SendfiledFile.class);

    /** What tells that a name stands for the same content as before. */
    private record Identity(long size, long modifiedNanos, long inode, long device) {}

    private final SendfiledFiles files;
    private final String path;
    private final @Nullable Source given; // by the caller; null: the path is opened
    private final @Nullable ResourceLeakTracker<SendfiledFile> leak = LEAKS.track(this);
    private @Nullable NettyFile netty; // in place of which it is sent; owns the file
    private @Nullable HotFile hot;
    private @Nullable OpenFile opened; // by the engine: the whole file
    private @Nullable ByteBuffer content; // read by the engine in place of that
    private long contentPosition; // in the file
    private @Nullable Identity identity; // null: not opened yet
    private long position;
    private long count;
    private long transferred;

    private SendfiledFile(SendfiledFiles files, String path, @Nullable Source given, long position, long count) {
        this.files = files;
        this.path = path;
        this.given = given;
        this.position = position;
        this.count = count;
    }

    static SendfiledFile ofHot(SendfiledFiles files, String path, HotFile hot) {
        SendfiledFile file = new SendfiledFile(files, path, null, 0, hot.size());
        file.hot = hot;
        file.identity = identityOf(hot);
        return file;
    }

    static SendfiledFile ofOpened(SendfiledFiles files, String path, OpenFile opened) {
        SendfiledFile file =
                new SendfiledFile(files, path, null, 0, opened.info().size());
        file.take(opened);
        file.identity = identityOf(opened.info());
        return file;
    }

    static SendfiledFile ofPath(SendfiledFiles files, FileRequest request) {
        return new SendfiledFile(files, request.path(), null, request.offset(), request.length());
    }

    static SendfiledFile ofSource(SendfiledFiles files, FileRequest request, Source source, @Nullable HotFile hot) {
        SendfiledFile file = new SendfiledFile(files, request.path(), source, request.offset(), request.length());
        file.hot = hot;
        return file;
    }

    /** In place of a message of Netty's own, which it takes. */
    static SendfiledFile ofNetty(SendfiledFiles files, NettyFile netty) {
        SendfiledFile file =
                new SendfiledFile(files, netty.toString(), netty::duplicate, netty.offset(), netty.length());
        file.netty = netty;
        return file;
    }

    private static Identity identityOf(HotFile hot) {
        return new Identity(hot.size(), hot.modifiedNanos(), hot.inode(), hot.device());
    }

    private static Identity identityOf(FileInfo info) {
        Instant modified = info.modified();
        FileDetails details = info.details();
        long inode = details == null ? 0 : details.inode();
        long device = details == null ? 0 : details.device();
        long size = details == null ? info.size() : details.size();
        long nanos = TimeUnit.SECONDS.toNanos(modified.getEpochSecond()) + modified.getNano();
        return new Identity(size, nanos, inode, device);
    }

    // ---- what a server wants to know before it answers ----

    /** The path as it was given; of a channel, what messages call it. */
    public String path() {
        return path;
    }

    /**
     * The bytes of the whole file, when it was opened.
     *
     * @throws IllegalStateException if it has not been opened yet: {@link SendfiledFiles#file}
     */
    public long size() {
        return identity().size;
    }

    /**
     * The last modification, as exact as the file system has it.
     *
     * @throws IllegalStateException if it has not been opened yet: {@link SendfiledFiles#file}
     */
    public Instant modified() {
        long nanos = identity().modifiedNanos;
        return Instant.ofEpochSecond(0, nanos);
    }

    /**
     * A strong entity tag, with its quotes: of the inode, the size and the last modification in nanoseconds.
     *
     * @throws IllegalStateException if it has not been opened yet: {@link SendfiledFiles#file}
     */
    public String etag() {
        Identity id = identity();
        return '"'
                + Long.toHexString(id.inode)
                + '-'
                + Long.toHexString(id.size)
                + '-'
                + Long.toHexString(id.modifiedNanos)
                + '"';
    }

    /**
     * What the entity tag is made of, to be compared: equal to that of another file if its tag is the same.
     *
     * @throws IllegalStateException if it has not been opened yet: {@link SendfiledFiles#file}
     */
    public Object version() {
        return identity();
    }

    private Identity identity() {
        if (identity == null) {
            throw new IllegalStateException(path + " has not been opened yet");
        }
        return identity;
    }

    /**
     * Narrows it to a range, before it is written.
     *
     * @param offset the first byte, from 0
     * @param length how many bytes, from 0
     * @return this
     * @throws IndexOutOfBoundsException if the range is not inside the file
     * @throws IllegalStateException if it has not been opened yet: {@link SendfiledFiles#file}
     */
    public SendfiledFile range(long offset, long length) {
        long size = identity().size;
        if (offset < 0 || length < 0 || offset > size || length > size - offset) {
            throw new IndexOutOfBoundsException(
                    "bytes " + offset + " +" + length + " are not inside " + path + ", which has " + size);
        }
        position = offset;
        count = length;
        return this;
    }

    // ---- for the handler ----

    SendfiledFiles files() {
        return files;
    }

    /** The file as the kernel's caches have it; opens it if it has not been opened. Null: the engine must be asked. */
    @Nullable
    HotFile hot() throws IOException {
        FileChannel channel = netty == null || hot != null ? null : netty.channel();
        if (channel != null) {
            hot = files.adopt(channel);
        } else if (hot == null && opened == null && content == null && given == null) {
            HotFile file = files.openHot(path);
            if (file != null) {
                try {
                    check(identityOf(file));
                } catch (IOException e) {
                    file.close();
                    throw e;
                }
                hot = file;
            }
        }
        return hot;
    }

    /**
     * Reads as {@link HotFile#read(long, int, long)} does, from that byte of the range on, as much as the buffer has room for, and
     * moves its writer index.
     */
    int read(HotFile file, ByteBuf to, long from) throws IOException {
        int at = to.writerIndex();
        int room = to.writableBytes();
        int count = to.hasMemoryAddress()
                ? file.read(to.memoryAddress() + at, room, position + from)
                : file.read(to.internalNioBuffer(at, room), position + from);
        to.writerIndex(at + Math.max(0, count));
        return count;
    }

    /** Whether it was written as Netty has files. */
    boolean isNetty() {
        return netty != null;
    }

    /** Opens the file of a message whose file is not open yet, elsewhere; null for all others. */
    @Nullable
    CompletableFuture<?> openNetty() {
        return netty != null && netty.channel() == null ? netty.open() : null;
    }

    /** Where the engine gets the bytes from, beside {@link #takeOpened}; null if it must open the file first. */
    @Nullable
    Source source() {
        HotFile file = hot;
        return file == null ? given : file::duplicate;
    }

    /** Whether the engine has opened exactly this range. */
    boolean isOpened() {
        return opened != null
                && opened.info().size() == count
                && opened.request().offset() == position;
    }

    /** The engine's open file, which the caller sends at once; null if it has not opened this range. */
    @Nullable
    OpenFile takeOpened() {
        OpenFile file = isOpened() ? opened : null;
        if (file != null) {
            opened = null;
        }
        return file;
    }

    /** What the engine has to open for this range. */
    FileRequest request() {
        return FileRequest.of(path).range(position, count);
    }

    /** The engine has opened {@link #request}; takes it. */
    void setOpened(OpenFile file) throws IOException {
        try {
            check(identityOf(file.info()));
        } catch (IOException e) {
            file.close();
            throw e;
        }
        closeOpened();
        take(file);
    }

    private void take(OpenFile file) {
        content = file.content();
        contentPosition = file.request().offset();
        opened = content == null ? file : null;
    }

    /** The bytes of its range, if the engine has read them; they are the caller's to write. */
    @Nullable
    ByteBuffer content() {
        ByteBuffer all = content;
        long begin = position - contentPosition;
        if (all == null || begin < 0 || begin + count > all.limit()) {
            return null;
        }
        return all.slice((int) begin, (int) count);
    }

    /** Whether a name that is opened again still stands for what the headers, perhaps, have told. */
    private void check(Identity now) throws IOException {
        if (identity != null && !identity.equals(now)) {
            throw new IOException(path + " was replaced or changed since it was opened");
        }
        if (count > now.size - position) {
            throw new IOException(
                    path + " ends at " + now.size + ": bytes " + position + " +" + count + " are not inside it");
        }
        identity = now;
    }

    /** Closes what is open, if the path is enough to open the same file again. */
    void park() {
        if (given == null) {
            closeHot();
            closeOpened();
            content = null;
        }
    }

    /** Whether the engine holds a file for it, for as long as its open-file timeout. */
    boolean isHeldByEngine() {
        return opened != null;
    }

    void setTransferred(long bytes) {
        transferred = bytes;
    }

    private void closeHot() {
        if (hot != null) {
            hot.close();
            hot = null;
        }
    }

    private void closeOpened() {
        if (opened != null) {
            opened.close();
            opened = null;
        }
    }

    // ---- FileRegion ----

    /** The first byte of the file that is sent. */
    @Override
    public long position() {
        return position;
    }

    /** How many bytes are sent. */
    @Override
    public long count() {
        return count;
    }

    /** How many bytes of the file the channel has taken so far. */
    @Override
    public long transferred() {
        return transferred;
    }

    /** See {@link #transferred()}. */
    @Override
    @Deprecated
    public long transfered() {
        return transferred;
    }

    /**
     * Only in pipelines without a {@link SendfiledHandler}: moves bytes as {@link FileChannel#transferTo} does, which may
     * wait for the disk.
     *
     * @throws IOException if the file was not found in the kernel's caches, or is truncated
     */
    @Override
    public long transferTo(WritableByteChannel target, long from) throws IOException {
        HotFile file = hot;
        if (file == null) {
            throw new IOException(path + " cannot be sent without a SendfiledHandler in the pipeline");
        }
        if (from < 0 || from > count) {
            throw new IllegalArgumentException("position " + from + " is not between 0 and " + count);
        }
        if (from == count) {
            return 0;
        }
        try (OwnedFd fd = file.duplicate();
                FileInputStream in = new FileInputStream(Descriptors.ofNumber(fd.release()));
                FileChannel channel = in.getChannel()) {
            long moved = channel.transferTo(position + from, count - from, target);
            if (moved <= 0 && channel.size() < position + count) {
                throw new IOException(path + " was truncated");
            }
            transferred += Math.max(0, moved);
            return moved;
        }
    }

    @Override
    protected void deallocate() {
        if (netty != null) {
            netty.release(hot != null); // then it is on a disk of this machine
        }
        closeHot();
        closeOpened();
        if (leak != null) {
            leak.close(this);
        }
    }

    @Override
    public SendfiledFile retain() {
        super.retain();
        return this;
    }

    @Override
    public SendfiledFile retain(int increment) {
        super.retain(increment);
        return this;
    }

    @Override
    public SendfiledFile touch() {
        return touch(null);
    }

    @Override
    public SendfiledFile touch(@Nullable Object hint) {
        if (leak != null) {
            leak.record(hint);
        }
        return this;
    }

    @Override
    public String toString() {
        return path + "[" + position + " +" + count + ", " + transferred + " transferred]";
    }
}
