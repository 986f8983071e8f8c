package io.sendfiled.netty;

import io.netty.buffer.ByteBuf;
import io.sendfiled.client.Destination;
import io.sendfiled.client.Transfer;
import io.sendfiled.sys.Descriptors;
import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.Pipe;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * A part of a file on its way through the engine and a pipe into buffers. The engine waits for the disk, and then for the
 * pipe: what it reads ahead is what a pipe holds, 64 KiB. Event loop only, but for what its comment says.
 *
 * <p>Owns the pipe and the transfer. {@link #close} is legal at any time and idempotent.
 */
final class ColdPipe implements AutoCloseable {
    /** Begins a transfer to a destination, without waiting. */
    @FunctionalInterface
    interface Sender {
        Transfer send(Destination destination) throws IOException;
    }

    private final Pipe.SourceChannel source;
    private final PipeSelector.Registration registration;
    private final Transfer transfer;
    private final Runnable onReadable;
    private long left;
    private boolean isOver; // the transfer
    private @Nullable Throwable failure; // of the transfer

    /**
     * Begins.
     *
     * @param length how many bytes are sent
     * @param onReadable runs on the loop after a read that gave nothing, when the next one tells more; perhaps at other times
     * @throws IOException if this process has no descriptors left, or they cannot be sent
     */
    static ColdPipe open(Sender sender, long length, Executor loop, Runnable onReadable) throws IOException {
        Pipe pipe = Pipe.open();
        PipeSelector.Registration registration = null;
        try {
            Descriptors.setCloseOnExec(pipe.source());
            Descriptors.setCloseOnExec(pipe.sink());
            pipe.source().configureBlocking(false);
            registration = PipeSelector.register(pipe.source(), loop, onReadable);
            Transfer transfer = sender.send(Destination.of(pipe.sink()));
            return new ColdPipe(pipe.source(), registration, transfer, length, loop, onReadable);
        } catch (Throwable t) {
            if (registration != null) {
                registration.close();
            }
            PipeSelector.closeChannel(pipe.source());
            throw t;
        } finally {
            PipeSelector.closeChannel(pipe.sink()); // the engine has its own
        }
    }

    private ColdPipe(
            Pipe.SourceChannel source,
            PipeSelector.Registration registration,
            Transfer transfer,
            long length,
            Executor loop,
            Runnable onReadable) {
        this.source = source;
        this.registration = registration;
        this.transfer = transfer;
        this.onReadable = onReadable;
        left = length;
        var unused = transfer.result().whenComplete((result, t) -> {
            try {
                loop.execute(() -> onResult(t));
            } catch (RejectedExecutionException e) { // the loop has ended, and closed its channels before
                return;
            }
        });
    }

    private void onResult(@Nullable Throwable t) {
        isOver = true;
        failure = t;
        onReadable.run();
    }

    /**
     * Reads what is there into the free bytes of a direct buffer, and not more than the range has.
     *
     * @return how many bytes; 0: none yet, and {@code onReadable} runs when there are
     * @throws IOException why the file could not be read to the end of the range
     */
    int read(ByteBuf to) throws IOException {
        int room = (int) Math.min(to.writableBytes(), left);
        int count = source.read(to.internalNioBuffer(to.writerIndex(), room));
        if (count > 0) {
            to.writerIndex(to.writerIndex() + count);
            left -= count;
            return count;
        }
        if (!isOver) {
            if (count == 0) {
                registration.await();
            }
            return 0; // of an end, the reason is on its way
        }
        Throwable known = failure;
        if (known instanceof IOException e) {
            throw e;
        }
        throw known == null
                ? new EOFException("the file ended " + left + " bytes too early")
                : new IOException("the transfer has failed", known);
    }

    /** Ends what is under way; the engine closes what it has. */
    @Override
    public void close() {
        registration.close();
        if (!isOver) {
            transfer.cancel();
        }
    }
}
