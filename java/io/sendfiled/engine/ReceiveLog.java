package io.sendfiled.engine;

import io.sendfiled.sys.Errno;
import java.util.concurrent.TimeUnit;

/**
 * Logs that requests cannot be received: once when that begins to last, and at most once a minute.
 *
 * <p>For one thread. It never waits for whoever reads the log: that is left to a thread of its own, which ends.
 */
final class ReceiveLog {
    private static final long PAUSE_NS = TimeUnit.MINUTES.toNanos(1);

    private int told;
    private long toldNs = System.nanoTime() - PAUSE_NS;

    /**
     * Looks at how it is now.
     *
     * @param errno why requests cannot be received; 0 when they can
     */
    void look(int errno) {
        if (errno == told) {
            return;
        }
        long now = System.nanoTime();
        if (errno != 0 && now - toldNs < PAUSE_NS) {
            return;
        }
        if (errno == 0 || say(errno)) {
            told = errno;
            toldNs = errno == 0 ? toldNs : now;
        }
    }

    private static boolean say(int errno) {
        String message = "requests cannot be received: " + Errno.message(errno) + " (" + Errno.name(errno)
                + "); they wait, and it is tried again a hundred times a second";
        Thread thread = new Thread(
                () -> System.getLogger("io.sendfiled.daemon").log(System.Logger.Level.ERROR, message), "sendfiled-log");
        thread.setDaemon(true);
        try {
            thread.start();
            return true;
        } catch (OutOfMemoryError e) { // no thread now; the next look tries again
            return false;
        }
    }
}
