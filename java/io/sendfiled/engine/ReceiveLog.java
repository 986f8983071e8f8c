package io.sendfiled.engine;

import io.sendfiled.base.SystemLog;
import io.sendfiled.sys.Errno;
import java.util.concurrent.TimeUnit;

/**
 * Logs that requests cannot be received: once when that begins to last, and at most once a minute.
 *
 * <p>For one thread, which may wait for whoever reads the log.
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
        told = errno;
        if (errno != 0) {
            toldNs = now;
            say(errno);
        }
    }

    private static void say(int errno) {
        SystemLog.log(
                "io.sendfiled.daemon",
                System.Logger.Level.ERROR,
                "requests cannot be received: " + Errno.describe(errno)
                        + "; they wait, and it is tried again a hundred times a second",
                null);
    }
}
