package io.sendfiled.serve;

import java.util.concurrent.atomic.AtomicInteger;

/** How many connections are served, and may be. Thread-safe. */
final class ConnectionCount {
    private final int most;
    private final AtomicInteger count = new AtomicInteger();

    ConnectionCount(int most) {
        this.most = most;
    }

    /** Counts one more. False: there are too many. */
    boolean enter() {
        if (count.incrementAndGet() <= most) {
            return true;
        }
        count.decrementAndGet();
        return false;
    }

    /** One that has entered has gone. */
    void leave() {
        count.decrementAndGet();
    }
}
