package io.sendfiled.tools;

import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** The one time limit of a command, {@code --timeout}, which counts from its start. Immutable, any thread. */
final class Deadline {
    private final boolean limited;
    private final long endNs;

    private Deadline(boolean limited, long endNs) {
        this.limited = limited;
        this.endNs = endNs;
    }

    /** From now on. */
    static Deadline after(@Nullable Duration timeout) {
        return timeout == null ? new Deadline(false, 0) : new Deadline(true, System.nanoTime() + timeout.toNanos());
    }

    /** This one, or an earlier one with an equal part of the time that is left. */
    Deadline shared(int parts) {
        return limited ? new Deadline(true, System.nanoTime() + leftNs() / parts) : this;
    }

    /** Whether the time is over. */
    boolean isOver() {
        return limited && leftNs() <= 0;
    }

    private long leftNs() {
        return endNs - System.nanoTime();
    }

    /** Fails the future with a {@link TimeoutException} when the time is over. */
    <T> CompletableFuture<T> limit(CompletableFuture<T> future) {
        return limited ? future.orTimeout(Math.max(leftNs(), 0), TimeUnit.NANOSECONDS) : future;
    }

    /** Opens something. */
    interface Opening<T extends Closeable> {
        T open() throws IOException;
    }

    /**
     * Opens what may block for ever, as a FIFO without a reader or a full backlog do: on a thread that is left behind when
     * the time is over, and then closes what it gets.
     *
     * @throws NativeIoException ETIMEDOUT
     */
    <T extends Closeable> T open(Opening<T> opening) throws IOException, InterruptedException {
        if (!limited) {
            return opening.open();
        }
        CompletableFuture<T> opened = new CompletableFuture<>();
        Thread thread = new Thread(() -> open(opening, opened), "sfd-open");
        thread.setDaemon(true);
        thread.start();
        try {
            return opened.get(Math.max(leftNs(), 0), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException failure) {
                throw failure;
            }
            throw new IOException(String.valueOf(e.getCause()), e);
        } catch (TimeoutException e) {
            NativeIoException late = new NativeIoException("open", Errno.ETIMEDOUT);
            if (opened.completeExceptionally(late)) {
                throw late;
            }
            return opened.join(); // just in time
        }
    }

    private static <T extends Closeable> void open(Opening<T> opening, CompletableFuture<T> opened) {
        try {
            T value = opening.open();
            if (!opened.complete(value)) {
                value.close();
            }
        } catch (IOException | RuntimeException e) {
            opened.completeExceptionally(e);
        }
    }
}
