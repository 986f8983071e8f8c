package io.sendfiled.tools;

import io.sendfiled.client.Transfer;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** The transfer under way, for whoever has to end it early. Thread-safe. */
final class UnderWay {
    private static final long GRACE_MS = 500;

    private volatile @Nullable Transfer transfer;

    void begin(Transfer started) {
        transfer = started;
    }

    void end() {
        transfer = null;
    }

    /** Cancels the transfer, if there is one, and gives the daemon a moment to let go of its destination. */
    boolean cancel() {
        Transfer current = transfer;
        if (current == null || current.result().isDone()) {
            return false;
        }
        current.cancel();
        try {
            current.result().get(GRACE_MS, TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            return true; // cancelled, as it should be; or the daemon is slow, and nobody waits any more
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return true;
    }
}
