package io.sendfiled.transport;

import io.sendfiled.names.Names;
import io.sendfiled.protocol.RequestOptions;
import io.sendfiled.protocol.ResponseEncoder;
import io.sendfiled.protocol.ResponseEncoder.Stat;
import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.technique.Technique;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * One transfer of {@link JavaTransport}: opens the file, tells its size, and moves bytes until the destination is full or its
 * turn is over.
 *
 * <p>{@link #run} is on a thread of the disk pool, never on two at once. It owns the file that it opens, and a destination that it
 * was given.
 */
final class JavaTransfer implements Runnable {
    /** The most bytes of one call, and of one turn, behind which others come first. */
    private static final long CALL = 256 * 1024;

    private static final long TURN = 1024 * 1024;

    private static final int REGULAR = 0100644; // as st_mode has it

    /** As good as any: nobody asks for a transfer by it. */
    private static final long ID = 1;

    private final JavaTransport transport;
    private final Inbox inbox;
    private final TransferRequest request;
    private final Path root;
    private final @Nullable FileChannel source;
    private final @Nullable Path named;
    private final AtomicInteger scheduled = new AtomicInteger();
    private final long startedNs = System.nanoTime();
    private volatile boolean isParked; // an opened file, which was not sent yet
    private volatile boolean isCancelled;
    private volatile boolean isOver;
    private volatile long progressNs = startedNs;
    private volatile @Nullable Channel destination;
    private boolean ownsDestination;

    private volatile @Nullable FileChannel file; // written by run()

    // Of run():
    private List<JavaPiece> pieces = List.of();
    private int piece;
    private long moved;
    private long untold;

    /**
     * @param parked whether it is an open
     * @param root where its path is
     * @param source of the user's; null: none
     * @param named a path of the user's, in no root; null: none
     */
    JavaTransfer(
            JavaTransport transport,
            Inbox inbox,
            TransferRequest request,
            boolean parked,
            Path root,
            @Nullable FileChannel source,
            @Nullable Path named) {
        this.transport = transport;
        this.inbox = inbox;
        this.request = request;
        this.isParked = parked;
        this.root = root;
        this.source = source;
        this.named = named;
    }

    // ---- any thread ----

    Call call() {
        return inbox.call;
    }

    /** Before it is scheduled. */
    void setDestination(@Nullable Channel channel, boolean owned) {
        destination = channel;
        ownsDestination = owned;
        if (channel != null) {
            progressNs = System.nanoTime();
            isParked = false;
        }
    }

    /** Has it run, or run once more if it is running. */
    void schedule() {
        if (scheduled.getAndIncrement() == 0) {
            transport.execute(this);
        }
    }

    /** Never waits. */
    void cancel() {
        isCancelled = true;
        schedule();
        interrupt();
    }

    /** Ends a call that waits for a destination in blocking mode, by closing the file that it reads. Never waits. */
    void interrupt() {
        FileChannel reading = file;
        if (reading != null && reading != source && destination != null && !isNonBlocking() && !isOver) {
            transport.closeAside(reading);
        }
    }

    boolean isNonBlocking() {
        return destination instanceof SelectableChannel channel && !channel.isBlocking();
    }

    boolean isOver() {
        return isOver;
    }

    /** The destination of one that waits for room. */
    SelectableChannel selectable() {
        if (destination instanceof SelectableChannel channel) {
            return channel;
        }
        throw new IllegalStateException("its destination is never full");
    }

    /** Whether the request's limits of time are over. */
    boolean isTimeOver() {
        long now = System.nanoTime();
        long idle = Integer.toUnsignedLong(request.options().idleMs());
        long deadline = Integer.toUnsignedLong(request.options().deadlineMs());
        return (idle > 0 && now - progressNs > TimeUnit.MILLISECONDS.toNanos(idle))
                || (deadline > 0 && now - startedNs > TimeUnit.MILLISECONDS.toNanos(deadline));
    }

    /** It will not run again: frees what it has. */
    void discard() {
        isOver = true;
        transport.forget(this);
        close(file);
        if (ownsDestination && destination != null) {
            close(destination);
        }
    }

    // ---- on the disk pool ----

    @Override
    public void run() {
        int seen = scheduled.get();
        if (!isOver) {
            step();
        }
        if (scheduled.addAndGet(-seen) != 0) { // meanwhile; others come first
            transport.execute(this);
        }
    }

    private void step() {
        boolean opening = file == null;
        try {
            if (isCancelled) {
                endCancelled();
                return;
            }
            if (opening) {
                open();
                opening = false;
            }
            if (!isParked) {
                if (!isNonBlocking() && moved == 0 && destination instanceof SelectableChannel) {
                    transport.waiter().watch(this);
                }
                move();
            }
        } catch (IOException e) {
            if (isCancelled) { // and so the file was closed
                endCancelled();
            } else {
                end(isTimeOver() ? Errno.ETIMEDOUT : errno(e), opening);
            }
        } catch (InvalidPathException e) {
            end(Errno.ENOENT, opening);
        } catch (Throwable t) { // no memory; a channel of the user's in another mode
            release();
            call().fail(t);
        }
    }

    /** As the engine does: without a final message. */
    private void endCancelled() {
        release();
        if (inbox.addEnd()) {
            transport.deliver(inbox);
        }
    }

    private static int errno(IOException e) {
        if (e instanceof ClosedChannelException) {
            return Errno.EBADF;
        }
        int errno = Errno.of(e);
        return errno == 0 ? Errno.EIO : errno;
    }

    private void open() throws IOException {
        checkOptions();
        Stat stat;
        if (source != null) {
            stat = new Stat(source.size(), 0, 0, REGULAR, 0, 0, 0); // a channel tells no more
            file = source;
        } else {
            Path path = path();
            stat = stat(path);
            file = FileChannel.open(path, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);
        }
        pieces = JavaPiece.of(request, stat.size());
        long size = 0;
        for (JavaPiece one : pieces) {
            size += one.length();
        }
        tell(ResponseEncoder.fileInformation(stat, size, ID));
    }

    private static Stat stat(Path path) throws IOException {
        BasicFileAttributes basic = Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        if (!basic.isRegularFile()) { // told before it is opened: to open a FIFO waits
            throw new NativeIoException("open " + path, Errno.EINVAL);
        }
        Map<String, Object> unix =
                path.getFileSystem().supportedFileAttributeViews().contains("unix")
                        ? Files.readAttributes(path, "unix:ino,dev,mode,ctime", LinkOption.NOFOLLOW_LINKS)
                        : Map.of();
        FileTime changed = unix.get("ctime") instanceof FileTime time ? time : basic.lastModifiedTime();
        return new Stat(
                basic.size(),
                number(unix.get("ino")),
                number(unix.get("dev")),
                unix.get("mode") instanceof Integer mode ? mode : REGULAR,
                basic.lastAccessTime().to(TimeUnit.NANOSECONDS),
                basic.lastModifiedTime().to(TimeUnit.NANOSECONDS),
                changed.to(TimeUnit.NANOSECONDS));
    }

    private static long number(@Nullable Object attribute) {
        return attribute instanceof Number number ? number.longValue() : 0;
    }

    /** Limits that only the engine keeps. */
    private void checkOptions() throws NativeIoException {
        RequestOptions options = request.options();
        boolean fits = options.technique() == Technique.AUTO.code() || options.technique() == Technique.SENDFILE.code();
        if (!fits || options.rate() != 0 || (options.flags() & Wire.FLAG_SEAL) != 0) {
            throw new NativeIoException("send in that way without the native library", Errno.EOPNOTSUPP);
        }
    }

    /**
     * The file behind all links, which is inside the root. Unlike the engine's, this check and the opening are two steps: a
     * directory that somebody exchanges for a link between them may lead outside.
     */
    private Path path() throws IOException {
        if (named != null) {
            return named.toRealPath();
        }
        String text = Names.text(request.path());
        int begin = 0;
        while (begin < text.length() && text.charAt(begin) == '/') {
            begin++;
        }
        Path real = root.resolve(text.substring(begin)).toRealPath();
        if (!real.startsWith(root)) {
            throw new NativeIoException("open " + text, Errno.EACCES);
        }
        return real;
    }

    private void move() throws IOException {
        long turn = 0;
        while (piece < pieces.size()) {
            if (isTimeOver()) {
                end(Errno.ETIMEDOUT, false);
                return;
            }
            if (turn >= TURN || isCancelled) {
                tellProgress();
                schedule();
                return;
            }
            JavaPiece now = pieces.get(piece);
            long count = now.isDone() ? 0 : now.move(opened(), writable(), CALL);
            turn += count;
            moved += count;
            untold += count;
            if (now.isDone()) {
                piece++;
            } else if (count > 0) {
                progressNs = System.nanoTime();
            } else if (now.isBehind(opened())) {
                end(Errno.ENODATA, false);
                return;
            } else if (isNonBlocking()) {
                tellProgress();
                transport.waiter().add(this);
                return;
            }
        }
        end(0, false);
    }

    private FileChannel opened() {
        FileChannel opened = file;
        if (opened == null) {
            throw new IllegalStateException("no file is open");
        }
        return opened;
    }

    private WritableByteChannel writable() {
        if (destination instanceof WritableByteChannel channel) {
            return channel;
        }
        throw new IllegalStateException("no destination");
    }

    private void tellProgress() {
        if (untold > 0) {
            tell(ResponseEncoder.progress(untold));
            untold = 0;
        }
    }

    /** The final message. */
    private void end(int errno, boolean refused) {
        release();
        tell(
                refused
                        ? ResponseEncoder.refusal(errno)
                        : ResponseEncoder.result(errno, moved, System.nanoTime() - startedNs, Technique.SENDFILE));
    }

    private void release() {
        isOver = true;
        if (destination instanceof SelectableChannel) {
            transport.waiter().remove(this);
        }
        discard();
    }

    private void tell(ByteBuffer messages) {
        if (inbox.add(messages, 0, messages.limit())) {
            transport.deliver(inbox);
        }
    }

    private void close(@Nullable Closeable opened) {
        try {
            if (opened != null && opened != source) {
                opened.close();
            }
        } catch (IOException e) {
            Log.warning("closing what a transfer had open", e);
        }
    }
}
