package io.sendfiled.engine;

import io.sendfiled.jni.EngineNative;

/**
 * The watchdog, on the service thread. While loops work, it looks every few milliseconds for a thread that is held in
 * one call, and asks for spare threads. It sleeps while all loops sleep.
 */
final class Watchdog implements Runnable {
    private final long engine;
    private final Housekeeper housekeeper;
    private volatile boolean stopped;

    Watchdog(long engine, Housekeeper housekeeper) {
        this.engine = engine;
        this.housekeeper = housekeeper;
    }

    @Override
    public void run() {
        int missing = 0;
        while (!stopped) {
            missing = EngineNative.runWatchdog(engine, missing > 0);
            if (missing > 0) {
                housekeeper.wake();
            }
        }
    }

    /** Makes {@link #run} return soon; not after the engine was destroyed. Any thread. */
    void stop() {
        stopped = true;
        EngineNative.wakeWatchdog(engine);
    }
}
