package io.sendfiled.daemon;

import io.sendfiled.control.ControlCall;
import io.sendfiled.control.ControlCommand;
import io.sendfiled.control.ControlException;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;

/**
 * The end of the daemon, from the wish to the last transfer: how long it may take, and who watches it. A signal begins it,
 * or the command {@code drain [MS]} of the control socket; further commands watch it, and can make it shorter.
 *
 * <p>The main thread begins and ends it; each command runs on a thread of its own.
 */
final class Drain implements ControlCommand {
    private static final int LOOK_MS = 50;

    private static final long MOST_MS = TimeUnit.DAYS.toMillis(1);

    /** Watchers hear of it so often also when nothing has changed: so one that is gone is noticed. */
    private static final int TELL_MS = 1_000;

    /** For what the watchers are told in the end. */
    private static final int ANSWER_MS = 1_000;

    private final Runnable wakeMain;
    private final IntSupplier transfers;
    private final LongSupplier standardMs;
    private final CountDownLatch over = new CountDownLatch(1);
    private boolean begun; // this and all below are guarded by this
    private long beginNs;
    private long limitMs;
    private int cutOff;
    private int watchers;

    /**
     * @param wakeMain has the main thread begin the end
     * @param transfers how many there are
     * @param standardMs how long it may take, unless somebody says otherwise
     */
    Drain(Runnable wakeMain, IntSupplier transfers, LongSupplier standardMs) {
        this.wakeMain = wakeMain;
        this.transfers = transfers;
        this.standardMs = standardMs;
    }

    /** It begins with a signal, unless a command has begun it. */
    void begin() {
        var unused = begin(standardMs.getAsLong());
    }

    private synchronized boolean begin(long mayTakeMs) {
        if (begun) {
            limitMs = Math.min(limitMs, sinceBeginMs() + mayTakeMs);
            return false;
        }
        begun = true;
        beginNs = System.nanoTime();
        limitMs = mayTakeMs;
        return true;
    }

    private long sinceBeginMs() {
        return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - beginNs);
    }

    /** How long all of it may take, in milliseconds, from its beginning. */
    synchronized long limitMs() {
        return limitMs;
    }

    /** How long the rest may take, in milliseconds; 0 or less: the time is over. */
    synchronized long leftMs() {
        return limitMs - sinceBeginMs();
    }

    /**
     * It is over. Waits a second at most, until all who watch it know.
     *
     * @param left how many transfers are cut off
     */
    synchronized void end(int left) {
        cutOff = left;
        over.countDown();
        long begin = System.nanoTime();
        try {
            for (long waitMs = ANSWER_MS; watchers > 0 && waitMs > 0; ) {
                wait(waitMs);
                waitMs = ANSWER_MS - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public String run(ControlCall call) throws ControlException, IOException {
        long mayTakeMs = milliseconds(call.argument(Long.toString(standardMs.getAsLong())));
        synchronized (this) {
            watchers++;
        }
        call.keep(this::removeWatcher);
        call.watches();
        if (begin(mayTakeMs)) {
            wakeMain.run();
        }
        int left = watch(call);
        if (left > 0) {
            throw new ControlException(Errno.ETIMEDOUT, transfers(left) + " cut off");
        }
        return "drained";
    }

    private synchronized void removeWatcher() {
        watchers--;
        notifyAll();
    }

    private static long milliseconds(String text) throws ControlException {
        try {
            long number = Long.parseLong(text);
            if (number >= 0 && number <= MOST_MS) {
                return number;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new ControlException(Errno.EINVAL, "'" + text + "' is no number of milliseconds up to " + MOST_MS);
    }

    /** Tells how many transfers are left, until none is, or the time is over; gives how many were cut off. */
    private int watch(ControlCall call) throws IOException {
        int told = -1;
        long toldNs = 0;
        while (!isOver()) {
            int now = transfers.getAsInt();
            if (now != told || System.nanoTime() - toldNs >= TimeUnit.MILLISECONDS.toNanos(TELL_MS)) {
                call.line("left " + now);
                told = now;
                toldNs = System.nanoTime();
            }
        }
        synchronized (this) {
            return cutOff;
        }
    }

    /** Waits a moment for that. */
    private boolean isOver() {
        try {
            return over.await(LOOK_MS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) { // nobody does that
            return true;
        }
    }

    /** Such as {@code 3 transfers}. */
    static String transfers(int count) {
        return count + (count == 1 ? " transfer" : " transfers");
    }
}
