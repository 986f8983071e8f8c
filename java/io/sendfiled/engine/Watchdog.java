package io.sendfiled.engine;

import io.sendfiled.jni.EngineNative;

/**
 * The watchdog, on the service thread. While loops work, it looks every few milliseconds for a thread that is held in
 * one call, keeps spare threads ready, looks for disk tasks that no thread works on, and whether requests are received. It
 * sleeps while all loops sleep.
 */
final class Watchdog implements Runnable {
    private final long engine;
    private final DiskPool diskPool;
    private final Carriers carriers;
    private final ReceiveLog receiveLog = new ReceiveLog();
    private volatile boolean stopped;

    Watchdog(long engine, DiskPool diskPool, Carriers carriers) {
        this.engine = engine;
        this.diskPool = diskPool;
        this.carriers = carriers;
    }

    @Override
    public void run() {
        boolean pending = false; // threads that could not be started
        while (!stopped) {
            int missing = EngineNative.runWatchdog(engine, pending);
            boolean added = carriers.addSpare(missing);
            receiveLog.look(EngineNative.receiveError(engine));
            // A loop that could not start a thread for a task begins another turn afterwards, which wakes the watchdog.
            pending = diskPool.revive() || !added;
        }
    }

    /** Makes {@link #run} return soon; not after the engine was destroyed. Any thread. */
    void stop() {
        stopped = true;
        EngineNative.wakeWatchdog(engine);
    }
}
