package io.sendfiled.daemon;

import io.sendfiled.jni.EngineNative;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The threads that may wait for a disk: one small pool for each device, one for opens, one for closes, so that a dead disk
 * takes only its own threads. A pool is made when its device is first met, and its threads go when it is idle.
 *
 * <p>Any thread may call {@link #execute}; it never waits. A queue is as long as the transfers that the daemon allows.
 */
final class DiskPool implements AutoCloseable {
    private static final long IDLE_SECONDS = 30;

    private final int threads;
    private final AtomicReferenceArray<ThreadPoolExecutor> pools = new AtomicReferenceArray<>(EngineNative.QUEUES);

    /**
     * @param threads of each queue
     */
    DiskPool(int threads) {
        this.threads = threads;
    }

    /** Has a task of a turn worked on. */
    void execute(int queue, long task) {
        ThreadPoolExecutor pool = pools.get(queue);
        if (pool == null) {
            pool = create(queue);
        }
        Work work = new Work(task);
        try {
            pool.execute(work);
        } catch (
                OutOfMemoryError e) { // no further thread can be started: it waits for one that has been, or for revive
            if (!pool.getQueue().offer(work)) {
                throw e;
            }
        }
    }

    /** Starts a thread for tasks that wait although no thread is left; for when threads could not be started. */
    void revive() {
        for (int i = 0; i < pools.length(); i++) {
            ThreadPoolExecutor pool = pools.get(i);
            if (pool != null && pool.getPoolSize() == 0 && !pool.getQueue().isEmpty()) {
                try {
                    pool.prestartCoreThread();
                } catch (OutOfMemoryError e) {
                    return; // still no thread to be had: the next round tries again
                }
            }
        }
    }

    private synchronized ThreadPoolExecutor create(int queue) {
        ThreadPoolExecutor existing = pools.get(queue);
        if (existing != null) {
            return existing;
        }
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                threads, threads, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), work -> {
                    Thread thread = new Thread(work, "sendfiled-disk-" + nameOf(queue));
                    thread.setDaemon(true);
                    return thread;
                });
        pool.allowCoreThreadTimeOut(true);
        pools.set(queue, pool);
        return pool;
    }

    private static String nameOf(int queue) {
        return switch (queue) {
            case EngineNative.QUEUE_CLOSE -> "close";
            case EngineNative.QUEUE_OPEN -> "open";
            default -> Integer.toString(queue - EngineNative.QUEUE_OPEN - 1);
        };
    }

    /** Takes no more tasks; those that wait are still worked on. Returns at once. */
    @Override
    public void close() {
        for (int i = 0; i < pools.length(); i++) {
            ThreadPoolExecutor pool = pools.get(i);
            if (pool != null) {
                pool.shutdown();
            }
        }
    }

    /**
     * Waits until the last task has ended.
     *
     * @return false when a disk kept one for longer than that
     */
    boolean awaitTermination(long timeoutNs) throws InterruptedException {
        long deadline = System.nanoTime() + timeoutNs;
        for (int i = 0; i < pools.length(); i++) {
            ThreadPoolExecutor pool = pools.get(i);
            if (pool != null && !pool.awaitTermination(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                return false;
            }
        }
        return true;
    }

    private record Work(long task) implements Runnable {
        @Override
        public void run() {
            EngineNative.work(task);
        }
    }
}
