package io.sendfiled.serve;

import java.util.concurrent.atomic.AtomicLong;

/** How much of something all clients together have, and may have. Thread-safe. */
final class Budget {
    private final long most;
    private final AtomicLong taken = new AtomicLong();

    Budget(long most) {
        this.most = most;
    }

    /** Takes so much more. False: that would be too much, and nothing is taken. */
    boolean take(long amount) {
        if (taken.addAndGet(amount) <= most) {
            return true;
        }
        give(amount);
        return false;
    }

    /** Gives back what was taken. */
    void give(long amount) {
        taken.addAndGet(-amount);
    }
}
