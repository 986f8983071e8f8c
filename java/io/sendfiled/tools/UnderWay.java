package io.sendfiled.tools;

import io.sendfiled.client.Transfer;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** The running transfer and its output, for the thread that has to end them early. Thread-safe. */
final class UnderWay {
    private static final long GRACE_MS = 500;

    private @Nullable Transfer transfer;
    private volatile @Nullable Output output;
    private boolean ended;
    private volatile boolean cancelled;

    /** Before the output is opened. */
    void writes(Output file) {
        output = file;
    }

    /** Where the bytes are that arrived before a failure, or null. */
    @Nullable
    String kept(boolean some) {
        Output file = output;
        return file == null ? null : file.kept(some);
    }

    /** Gives up the output: no more of it will come. */
    void abandonOutput() {
        Output file = output;
        if (file != null) {
            file.abandon();
        }
    }

    synchronized void begin(Transfer started) {
        transfer = started;
        ended = false;
        notifyAll();
    }

    synchronized void end() {
        transfer = null;
        ended = true;
        notifyAll();
    }

    /** Cancels the transfer, if there is one, and gives the daemon a moment to release its destination. */
    boolean cancel() {
        Transfer current;
        try {
            current = awaitBegin();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
        if (current == null || current.result().isDone()) {
            return false;
        }
        cancelled = true; // first: the cancel wakes the thread that waits for the result
        current.cancel();
        try {
            current.result().get(GRACE_MS, TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            return true; // cancelled; or the daemon is too slow to wait for
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return true;
    }

    /** Whether {@link #cancel} has ended the transfer, so that its failure need not be reported. */
    boolean isCancelled() {
        return cancelled;
    }

    /** A transfer starts before it is noted here: a cancel at that moment waits for it. */
    private synchronized @Nullable Transfer awaitBegin() throws InterruptedException {
        long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(GRACE_MS);
        while (transfer == null && !ended) {
            long leftMs = TimeUnit.NANOSECONDS.toMillis(deadlineNs - System.nanoTime());
            if (leftMs <= 0) {
                break;
            }
            wait(leftMs);
        }
        return transfer;
    }
}
