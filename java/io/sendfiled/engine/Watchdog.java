package io.sendfiled.engine;

import io.sendfiled.jni.EngineNative;

/**
 * The watchdog, on the service thread. While loops work, it looks every few milliseconds for a thread that is held in
 * one call, asks for spare threads, and looks whether requests are received. It sleeps while all loops sleep.
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
        int receiveError = 0;
        while (!stopped) {
            missing = EngineNative.runWatchdog(engine, missing > 0);
            int error = EngineNative.receiveError(engine);
            if (missing > 0 || error != receiveError) {
                receiveError = error;
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
