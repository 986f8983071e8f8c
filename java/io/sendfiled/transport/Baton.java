package io.sendfiled.transport;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Which of a client's threads watches its transfers: the one that has the baton.
 *
 * <p>The user's code runs on that thread, because to pass each completion to another one would cost more than a small
 * request does. So the thread says before ({@link #lend}) and after ({@link #takeBack}) that it may be away. One spare
 * thread looks at that every {@value #LIMIT_MS} ms while there is something to do, and sleeps while there is not. It takes the
 * baton from a thread that has not come back in between; what waits so keeps one thread and one transfer. It may take it
 * early, which is harmless.
 *
 * <p>Any thread. Allocates nothing.
 */
public final class Baton {
    /** What the user's code may take before another thread goes on with the other transfers. */
    public static final int LIMIT_MS = 10;

    private static final long LIMIT_NS = TimeUnit.MILLISECONDS.toNanos(LIMIT_MS);

    /** Goes up by one when the baton is lent, comes back, or is taken: odd while it is lent. */
    private final AtomicLong turns = new AtomicLong();

    private final AtomicReference<@Nullable Thread> spare = new AtomicReference<>();
    private volatile boolean spareSleeps;
    private volatile boolean over;

    /** The holder goes away. The number is for {@link #takeBack}. */
    long lend() {
        long lent = turns.get() + 1;
        turns.set(lent); // before the question: a spare thread says that it sleeps, and then looks here
        if (spareSleeps) {
            wakeSpare();
        }
        return lent;
    }

    /** The holder is there again. False when the baton was taken: it is not the holder any more. */
    boolean takeBack(long lent) {
        return turns.compareAndSet(lent, lent + 1);
    }

    /** Whether another thread has taken the baton since it was lent. */
    boolean isTaken(long lent) {
        return turns.get() != lent;
    }

    boolean hasSpare() {
        return spare.get() != null;
    }

    /** Makes the calling thread the spare one. True when it has the baton, false when it is not needed. */
    boolean await() {
        if (!spare.compareAndSet(null, Thread.currentThread())) {
            return false;
        }
        long seen = turns.get();
        while (!over) {
            if (isLent(seen)) {
                LockSupport.parkNanos(this, LIMIT_NS);
            } else {
                sleepWhile(seen);
            }
            long now = turns.get();
            if (now == seen && isLent(now) && turns.compareAndSet(now, now + 1)) {
                spare.set(null);
                return true;
            }
            seen = now;
        }
        return false;
    }

    private void sleepWhile(long seen) {
        spareSleeps = true;
        if (turns.get() == seen && !over) {
            LockSupport.park(this);
        }
        spareSleeps = false;
    }

    /** Nobody is needed any more. */
    void end() {
        over = true;
        wakeSpare();
    }

    private void wakeSpare() {
        spareSleeps = false;
        LockSupport.unpark(spare.get());
    }

    private static boolean isLent(long turn) {
        return (turn & 1) != 0;
    }
}
