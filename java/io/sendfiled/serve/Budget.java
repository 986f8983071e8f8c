package io.sendfiled.serve;

import io.sendfiled.base.SystemLog;
import java.util.concurrent.atomic.AtomicLong;

/**
 * How much of something all clients together have, and may have; the log is told when that is too little. Thread-safe, never
 * waits for anything but the log.
 */
final class Budget {
    private final long most;
    private final long reserve;
    private final String exhausted;
    private final AtomicLong taken = new AtomicLong();

    /**
     * Of which nothing is taken.
     *
     * @param most that may be taken
     * @param reserve the part of it that only {@link #takeReserved} may take
     * @param exhausted what the log is told when that is too little: the limit, and the way out
     */
    Budget(long most, long reserve, String exhausted) {
        this.most = most;
        this.reserve = reserve;
        this.exhausted = exhausted;
    }

    /** Takes so much more. False: that would be too much, and nothing is taken. */
    boolean take(long amount) {
        return take(amount, most - reserve);
    }

    /** The same, of the reserve as well. */
    boolean takeReserved(long amount) {
        return take(amount, most);
    }

    private boolean take(long amount, long limit) {
        if (taken.addAndGet(amount) <= limit) {
            return true;
        }
        give(amount);
        SystemLog.log("io.sendfiled.serve", System.Logger.Level.WARNING, exhausted, null);
        return false;
    }

    /** Gives back what was taken. */
    void give(long amount) {
        taken.addAndGet(-amount);
    }
}
