package io.sendfiled.daemon;

import io.sendfiled.jni.EngineNative;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The service thread: ten times a second it looks for loops that are stuck in one call and for disk tasks that no thread
 * works on. It costs some microseconds a second.
 */
final class Watch implements Runnable {
    private static final long INTERVAL_MS = 100;

    private final long engine;
    private final DiskPool diskPool;
    private final CountDownLatch stopped = new CountDownLatch(1);

    Watch(long engine, DiskPool diskPool) {
        this.engine = engine;
        this.diskPool = diskPool;
    }

    @Override
    public void run() {
        try {
            while (!stopped.await(INTERVAL_MS, TimeUnit.MILLISECONDS)) {
                EngineNative.watch(engine);
                diskPool.revive();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // nobody here interrupts: the JVM is on its way out
        }
    }

    /** Makes {@link #run} return soon. Any thread. */
    void stop() {
        stopped.countDown();
    }
}
