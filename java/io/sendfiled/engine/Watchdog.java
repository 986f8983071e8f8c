package io.sendfiled.engine;

import io.sendfiled.jni.EngineNative;

/**
 * The watchdog, on the service thread. While loops work, it looks ten times a second for a loop that is stuck in one
 * call, and for disk tasks that no thread works on. It sleeps while all loops sleep.
 */
final class Watchdog implements Runnable {
    private final long engine;
    private final DiskPool diskPool;
    private volatile boolean stopped;

    Watchdog(long engine, DiskPool diskPool) {
        this.engine = engine;
        this.diskPool = diskPool;
    }

    @Override
    public void run() {
        boolean tasksWait = false;
        while (!stopped) {
            EngineNative.runWatchdog(engine, tasksWait);
            // A loop that could not start a thread for a task begins another turn afterwards, which wakes the watchdog.
            tasksWait = diskPool.revive();
        }
    }

    /** Makes {@link #run} return soon; not after the engine was destroyed. Any thread. */
    void stop() {
        stopped = true;
        EngineNative.wakeWatchdog(engine);
    }
}
