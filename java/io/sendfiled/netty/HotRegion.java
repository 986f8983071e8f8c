package io.sendfiled.netty;

import io.netty.buffer.ByteBuf;
import io.netty.channel.FileRegion;
import io.netty.util.AbstractReferenceCounted;
import io.sendfiled.hot.HotFile;
import io.sendfiled.hot.HotStep;
import java.io.IOException;
import java.nio.channels.WritableByteChannel;
import org.jspecify.annotations.Nullable;

/**
 * What of a file is hot, in a channel's outbound buffer: its head, and the file's windows for as long as they are in the page
 * cache. At the first one that is not, it <em>shrinks</em> its {@link #count} to what was transferred, so that Netty takes it
 * for complete. If it is the first one of all, the head has not been sent either.
 *
 * <p>Owns a reference to the file and one to the head. Used by the channel's event loop only.
 */
final class HotRegion extends AbstractReferenceCounted implements FileRegion {
    /** So much a call: then other channels of the loop have their turn, as Netty's write spin count says. */
    private static final long CHUNK = 1024 * 1024;

    private final DirectTransfer transfer;
    private final SendfiledFile file;
    private final HotFile hot;
    private final int descriptor; // in non-blocking mode
    private final boolean tcp;
    private final @Nullable ByteBuf head; // direct, with a memory address
    private final long[] step = new long[2]; // bytes of the head, bytes of the file
    private final long headLength;
    private long fileTransferred;
    private long transferred; // of head and file
    private boolean cold;

    HotRegion(
            DirectTransfer transfer,
            SendfiledFile file,
            HotFile hot,
            int descriptor,
            boolean tcp,
            @Nullable ByteBuf head) {
        this.transfer = transfer;
        this.file = file;
        this.hot = hot;
        this.descriptor = descriptor;
        this.tcp = tcp;
        this.head = head;
        headLength = head == null ? 0 : head.readableBytes();
    }

    /** Whether it has ended early: the rest is not in the page cache. */
    boolean isCold() {
        return cold;
    }

    @Override
    public long transferTo(WritableByteChannel target, long position) throws IOException {
        if (cold) {
            return 0;
        }
        int headLeft = head == null ? 0 : head.readableBytes();
        long address = headLeft == 0 || head == null ? 0 : head.memoryAddress() + head.readerIndex();
        long length = Math.min(file.count() - fileTransferred, CHUNK);
        long offset = file.position() + fileTransferred;
        HotStep result = tcp
                ? hot.sendToTcp(descriptor, address, headLeft, offset, length, step)
                : hot.send(descriptor, address, headLeft, offset, length, step);
        if (head != null) {
            head.skipBytes((int) step[0]);
        }
        fileTransferred += step[1];
        long now = step[0] + step[1];
        transferred += now;
        transfer.onRegionProgress(fileTransferred);
        if (result == HotStep.COLD) {
            cold = true;
            return Math.max(1, now); // after a 0, Netty would not look at count() before the socket is writable
        }
        return now;
    }

    @Override
    public long position() {
        return 0;
    }

    @Override
    public long count() {
        return cold ? transferred : headLength + file.count();
    }

    @Override
    public long transferred() {
        return transferred;
    }

    @Override
    @Deprecated
    public long transfered() {
        return transferred;
    }

    @Override
    protected void deallocate() {
        if (head != null) {
            head.release();
        }
        file.release();
    }

    @Override
    public HotRegion retain() {
        super.retain();
        return this;
    }

    @Override
    public HotRegion retain(int increment) {
        super.retain(increment);
        return this;
    }

    @Override
    public HotRegion touch() {
        return touch(null);
    }

    @Override
    public HotRegion touch(@Nullable Object hint) {
        file.touch(hint);
        return this;
    }
}
