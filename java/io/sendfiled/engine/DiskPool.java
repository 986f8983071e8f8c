package io.sendfiled.engine;

import io.sendfiled.jni.EngineNative;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.LongConsumer;

/**
 * The threads that may wait for a disk: one small pool for each device, one for opens whose device nobody knows, two for
 * closes that wait for no disk, so that a dead disk takes only its own threads. A pool is made when its device is first met, and its threads go when it is idle. In which
 * order a disk's tasks are worked on is {@link FairTasks}' business.
 *
 * <p>Any thread may call {@link #execute}; it never waits. A queue is as long as the transfers that the daemon allows.
 */
final class DiskPool implements AutoCloseable {
    private static final long IDLE_SECONDS = 30;

    /** Opens of which nobody knows whose disk they will wait for: rare, and any dead disk can keep some of their threads. */
    private static final int OPEN_FACTOR = 4;

    private final int threads;
    private final Runnable begin;
    private final LongConsumer work;
    private final AtomicReferenceArray<Pool> pools = new AtomicReferenceArray<>(EngineNative.QUEUES);

    /**
     * @param threads of each queue
     * @param begin runs once on each new thread
     * @param work does one task, for as long as its disk likes
     */
    DiskPool(int threads, Runnable begin, LongConsumer work) {
        this.threads = threads;
        this.begin = begin;
        this.work = work;
    }

    /**
     * Has a task of a turn worked on.
     *
     * @param urgent whether it comes before those that are not
     * @param client among whose tasks and others' turns are given
     */
    void execute(int queue, long task, boolean urgent, int client) {
        Pool pool = pools.get(queue);
        if (pool == null) {
            pool = create(queue);
        }
        pool.tasks.add(task, urgent, client);
        try {
            pool.threads.execute(pool.turn);
        } catch (
                OutOfMemoryError e) { // no further thread can be started: it waits for one that has been, or for revive
            if (!pool.threads.getQueue().offer(pool.turn)) {
                throw e;
            }
        }
    }

    /**
     * Starts a thread for tasks that wait although no thread is left; for when threads could not be started.
     *
     * @return whether tasks wait for the next try
     */
    boolean revive() {
        boolean waiting = false;
        for (int i = 0; i < pools.length(); i++) {
            Pool pool = pools.get(i);
            if (pool != null
                    && pool.threads.getPoolSize() == 0
                    && !pool.threads.getQueue().isEmpty()) {
                try {
                    pool.threads.prestartCoreThread();
                } catch (OutOfMemoryError e) {
                    waiting = true; // still no thread to be had
                }
            }
        }
        return waiting;
    }

    private synchronized Pool create(int queue) {
        Pool existing = pools.get(queue);
        if (existing != null) {
            return existing;
        }
        int count = queue == EngineNative.QUEUE_OPEN ? OPEN_FACTOR * threads : threads;
        ThreadPoolExecutor executor = new ThreadPoolExecutor(
                count, count, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), runnable -> {
                    Runnable life = () -> {
                        begin.run();
                        runnable.run();
                    };
                    Thread thread = new Thread(life, "sendfiled-disk-" + nameOf(queue));
                    thread.setDaemon(true);
                    return thread;
                });
        executor.allowCoreThreadTimeOut(true);
        FairTasks tasks = new FairTasks(mostOfOneClient(queue, count));
        // Until nothing is left that may be worked on: what its client's limit has kept waiting has no turn of its own
        // left.
        Pool pool = new Pool(executor, tasks, () -> {
            for (FairTasks.Task task = tasks.next(); task != null; task = tasks.next()) {
                try {
                    work.accept(task.handle);
                } finally {
                    tasks.finished(task);
                }
            }
        });
        pools.set(queue, pool);
        return pool;
    }

    /** Closes wait for what a client has made of its descriptors: it keeps half of the threads at most. A disk is a disk's fault. */
    private static int mostOfOneClient(int queue, int threads) {
        boolean closes = queue == EngineNative.QUEUE_CLOSE || queue == EngineNative.QUEUE_LINGER;
        return closes ? Math.max(1, threads / 2) : Integer.MAX_VALUE;
    }

    private static String nameOf(int queue) {
        return switch (queue) {
            case EngineNative.QUEUE_CLOSE -> "close";
            case EngineNative.QUEUE_OPEN -> "open";
            case EngineNative.QUEUE_LINGER -> "linger";
            default -> Integer.toString(queue - EngineNative.QUEUE_LINGER - 1);
        };
    }

    /** Takes no more tasks; those that wait are still worked on. Returns at once. */
    @Override
    public void close() {
        for (int i = 0; i < pools.length(); i++) {
            Pool pool = pools.get(i);
            if (pool != null) {
                pool.threads.shutdown();
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
            Pool pool = pools.get(i);
            if (pool != null && !pool.threads.awaitTermination(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                return false;
            }
        }
        return true;
    }

    /**
     * The threads of one queue, and what they work on.
     *
     * @param turn works on the task whose turn it is; executed once for each task
     */
    private record Pool(ThreadPoolExecutor threads, FairTasks tasks, Runnable turn) {}
}
