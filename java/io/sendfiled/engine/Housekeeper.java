package io.sendfiled.engine;

import io.sendfiled.base.SystemLog;
import io.sendfiled.jni.EngineNative;
import io.sendfiled.sys.Errno;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Starts the threads that loops and watchdog ask for, gives the request socket its name back when somebody removes it, and
 * logs when requests cannot be received.
 *
 * <p>On a thread of its own, because both may wait. A JVM that cannot start a thread says so on its standard output, and
 * waits there for as long as nobody reads that; what is logged may wait in the same way. The loops and the watchdog only
 * wake this thread, which waits for nothing else.
 */
final class Housekeeper implements Runnable {
    private static final int NO_LIMIT = -1;

    /** What failed is tried again after so long, then after twice as long and so on, up to the second number. */
    private static final int FIRST_RETRY_MS = 20;

    private static final int LAST_RETRY_MS = 1000;

    private static final int MADE_AGAIN = 1;

    private final long engine;
    private final Path socket;
    private final DiskPool diskPool;
    private final Carriers carriers;
    private final @Nullable LocalReceiver receiver;
    private final ReceiveLog receiveLog = new ReceiveLog();
    private int socketState; // as it was logged last
    private volatile boolean stopped;

    /** @param receiver whose threads it starts, too; null: there is none */
    Housekeeper(long engine, Path socket, DiskPool diskPool, Carriers carriers, @Nullable LocalReceiver receiver) {
        this.engine = engine;
        this.socket = socket;
        this.diskPool = diskPool;
        this.carriers = carriers;
        this.receiver = receiver;
    }

    @Override
    public void run() {
        int retryMs = NO_LIMIT;
        boolean threadsStarted = true;
        long begin = System.nanoTime();
        while (!stopped) {
            int waitMs = retryMs == NO_LIMIT ? NO_LIMIT : leftMs(begin, retryMs);
            EngineNative.awaitChores(engine, waitMs);
            if (!threadsStarted && leftMs(begin, retryMs) > 0) {
                continue; // woken for more of what has just failed
            }
            boolean done = false;
            threadsStarted = false;
            try {
                threadsStarted = carriers.addSpare(EngineNative.missingCarriers(engine));
                threadsStarted = diskPool.startThreads() && threadsStarted;
                threadsStarted = (receiver == null || receiver.startThreads()) && threadsStarted;
                done = lookAtSocket() && threadsStarted;
                done = lookAtReceipt() && done;
            } catch (Throwable t) { // no memory: nobody else would do these chores
                log(System.Logger.Level.ERROR, "housekeeping failed, and is tried again: " + t.getClass());
            }
            retryMs = done ? NO_LIMIT : Math.min(Math.max(2 * retryMs, FIRST_RETRY_MS), LAST_RETRY_MS);
            begin = System.nanoTime();
        }
        diskPool.startThreads(); // for what the loops have left when they ended
    }

    private static int leftMs(long begin, int limitMs) {
        return (int) Math.max(0, limitMs - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin));
    }

    /** There is something to do. Any thread; never waits. */
    void wake() {
        EngineNative.wakeChores(engine);
    }

    /** Makes {@link #run} return soon; not after the engine was destroyed. Any thread. */
    void stop() {
        stopped = true;
        wake();
    }

    private boolean lookAtReceipt() {
        int error = EngineNative.receiveError(engine);
        receiveLog.look(error);
        return error == 0;
    }

    private boolean lookAtSocket() {
        int state = EngineNative.lookAtSocket(engine);
        if (state != socketState) {
            log(state);
        }
        socketState = state == MADE_AGAIN ? 0 : state;
        return state >= 0;
    }

    private void log(int state) {
        if (state >= 0) {
            log(System.Logger.Level.WARNING, "somebody removed " + socket + "; it is there again");
            return;
        }
        String what = state == -Errno.EEXIST
                ? "somebody replaced " + socket
                : "somebody removed " + socket + ", and it cannot be made again";
        log(
                System.Logger.Level.ERROR,
                what + " (" + Errno.name(-state)
                        + "): no client can connect until it is there again, or this instance is started anew");
    }

    private static void log(System.Logger.Level level, String message) {
        SystemLog.log("io.sendfiled.daemon", level, message, null);
    }
}
