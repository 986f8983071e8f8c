package io.sendfiled.support;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waiting for something to become true, with a deadline: the tests' only way to wait for what cannot be waited for. */
public final class Await {
    private static final long PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(2);

    /** Long enough for the slowest machine; a test that gets here has failed. */
    public static final Duration LONG = Duration.ofSeconds(20);

    private Await() {}

    /** Returns once the condition holds; fails after {@link #LONG}. */
    public static void until(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + LONG.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("waited " + LONG.toSeconds() + " s for " + what);
            }
            LockSupport.parkNanos(PAUSE_NS);
        }
    }
}
