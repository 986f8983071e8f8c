package io.sendfiled.client;

import io.sendfiled.base.Forgotten;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.Pipe;
import java.nio.channels.ReadableByteChannel;

/**
 * The bytes of a file that is being read.
 *
 * <p>In blocking mode at first, for a thread that may wait (a virtual one too). An event loop calls {@code
 * configureBlocking(false)}, registers {@link #selectable()} with its own selector, and reads here whenever that is
 * ready. One thread reads at a time; any thread may call {@link #close} and the transfer's {@link Transfer#cancel}.
 *
 * <p>The end of the channel is the end of the file: when the daemon stops before that, {@link #read} throws instead. A
 * content that is forgotten with bytes unread is closed when the garbage collector finds it, which is logged.
 */
public final class FileContent implements ReadableByteChannel {
    private final ReadExchange exchange;
    private final FileInfo info;
    private long remaining;
    private volatile boolean open = true;

    FileContent(ReadExchange exchange, FileInfo info) {
        this.exchange = exchange;
        this.info = info;
        this.remaining = info.size();
        var unused = Forgotten.watch(this, exchange::onContentUnreachable);
    }

    /** The file's size and times. */
    public FileInfo info() {
        return info;
    }

    /** How many bytes are still to come. */
    public long remaining() {
        return remaining;
    }

    /** The pipe below, for registering with a selector. Never read from it, and never close it. */
    public Pipe.SourceChannel selectable() {
        return exchange.bytes();
    }

    /**
     * Switches between blocking reads and reads that return 0 when no byte has come yet. Does nothing when all bytes
     * were read, which an empty file's always are: check {@link #remaining()} before waiting for {@link #selectable()}.
     *
     * @return this
     * @throws ClosedChannelException if it was closed or cancelled
     */
    public FileContent configureBlocking(boolean block) throws IOException {
        if (remaining > 0) {
            exchange.bytes().configureBlocking(block);
        }
        return this;
    }

    /**
     * Reads some bytes.
     *
     * @return how many; 0 in non-blocking mode when there are none yet, or the bytes have ended too early and the reason is on
     *     its way; -1 when the whole file (or range) was read
     * @throws TransferException if the daemon stopped early, with its reason if the request has {@linkplain TransferOptions
     *     options}; if the transfer was cancelled; or if the thread was interrupted, which ends the transfer ({@code EINTR})
     * @throws ClosedChannelException if this channel was closed
     */
    @Override
    public int read(ByteBuffer target) throws IOException {
        if (!open) {
            throw new ClosedChannelException();
        }
        if (remaining == 0) {
            return -1;
        }
        int limit = target.limit();
        if (target.remaining() > remaining) {
            target.limit(target.position() + (int) remaining);
        }
        int count;
        try {
            count = exchange.bytes().read(target);
        } catch (ClosedChannelException e) {
            TransferException failure = exchange.closed(e);
            exchange.finish(null, failure);
            throw failure.rethrown();
        } catch (IOException e) {
            exchange.fail(e);
            throw e;
        } finally {
            target.limit(limit);
        }
        if (count < 0) {
            TransferException failure =
                    exchange.stoppedEarly(remaining, exchange.bytes().isBlocking());
            if (failure == null) {
                return 0;
            }
            exchange.finish(null, failure);
            throw failure.rethrown();
        }
        remaining -= count;
        if (count > 0) {
            exchange.onContentRead(count);
        }
        if (remaining == 0) {
            exchange.onDrained(info);
        }
        return count;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    /** Closes the channel. If bytes are missing yet, the transfer is cancelled. Idempotent. */
    @Override
    public void close() {
        open = false;
        exchange.onContentClosed();
    }
}
