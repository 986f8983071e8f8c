package io.sendfiled.engine;

import io.sendfiled.jni.EngineNative;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.LongConsumer;

/**
 * The threads that may wait for a disk: one small pool for each device, one for opens whose device is unknown, and two
 * for closes that wait for no disk, so that a dead disk blocks only its own threads. A pool is made when its device is
 * first used, and its threads end when it is idle. {@link FairTasks} decides the order of the tasks of a pool.
 *
 * <p>Any thread may call {@link #execute}; it never waits, and so starts no thread, but asks for {@link #startThreads}. The
 * number of transfers that the daemon allows limits the length of a queue.
 */
final class DiskPool implements AutoCloseable {
    private static final long IDLE_SECONDS = 30;

    /** Opens whose disk is unknown: they are rare, but any dead disk can block some of their threads. */
    private static final int OPEN_FACTOR = 4;

    private final int threads;
    private final boolean severalUsers;
    private final Runnable begin;
    private final LongConsumer work;
    private final Runnable wantThreads;
    private final AtomicReferenceArray<Pool> pools = new AtomicReferenceArray<>(EngineNative.QUEUES);

    /**
     * @param threads of each queue
     * @param severalUsers whether users are served that do not trust each other: then none gets all threads of a queue in
     *     which tasks can wait for what is in a client's hands
     * @param begin runs once on each new thread
     * @param work does one task, and waits for its disk
     * @param wantThreads makes another thread call {@link #startThreads}; does not wait for that
     */
    DiskPool(int threads, boolean severalUsers, Runnable begin, LongConsumer work, Runnable wantThreads) {
        this.threads = threads;
        this.severalUsers = severalUsers;
        this.begin = begin;
        this.work = work;
        this.wantThreads = wantThreads;
    }

    /**
     * Queues a task of a turn.
     *
     * @param urgent whether it goes before tasks that are not
     * @param user the uid of the client: tasks are taken round-robin by user
     * @param client the process that it is done for: those of a user are taken round-robin by client
     */
    void execute(int queue, long task, boolean urgent, int user, int client) {
        Pool pool = pools.get(queue);
        if (pool == null) {
            pool = create(queue);
        }
        pool.tasks.add(task, urgent, user, client);
        pool.threads.getQueue().add(pool.turn);
        if (pool.isShort()) {
            wantThreads.run();
        }
    }

    /**
     * Starts threads for the queues that have tasks, as far as they may have more. May wait, as {@link Housekeeper} says.
     *
     * @return false when not all could be started; tasks without a thread wait for the next try
     */
    boolean startThreads() {
        boolean all = true;
        for (int i = 0; i < pools.length(); i++) {
            Pool pool = pools.get(i);
            try {
                for (int n = pool == null ? 0 : pool.threads.getQueue().size(); n > 0 && pool.isShort(); n--) {
                    pool.threads.prestartCoreThread();
                }
            } catch (Throwable t) { // no thread, or no memory for one
                all = false;
            }
        }
        return all;
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
        FairTasks tasks = new FairTasks(mostOfOneClient(queue, count), mostOfOneUser(queue, count));
        // Until no task may run: a task that waited for its client's limit has used up its own execution of `turn`.
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

    /**
     * How long a close waits is in the hands of the client, which may therefore have half of the threads at most. How
     * long a disk takes is not, so there is no such limit there; but where several disks share the threads, a client's
     * tasks on a dead one leave half of them to others.
     */
    private static int mostOfOneClient(int queue, int threads) {
        return isLimited(queue) ? Math.max(1, threads / 2) : Integer.MAX_VALUE;
    }

    /** A user may have many clients: three quarters of the threads are for all of them. */
    private int mostOfOneUser(int queue, int threads) {
        return isLimited(queue) && severalUsers ? Math.max(1, threads * 3 / 4) : Integer.MAX_VALUE;
    }

    private static boolean isLimited(int queue) {
        boolean closes = queue == EngineNative.QUEUE_CLOSE || queue == EngineNative.QUEUE_LINGER;
        boolean shared = queue == EngineNative.QUEUE_OPEN || queue == EngineNative.QUEUES - 1;
        return closes || shared;
    }

    private static String nameOf(int queue) {
        return switch (queue) {
            case EngineNative.QUEUE_CLOSE -> "close";
            case EngineNative.QUEUE_OPEN -> "open";
            case EngineNative.QUEUE_LINGER -> "linger";
            default -> Integer.toString(queue - EngineNative.QUEUE_LINGER - 1);
        };
    }

    /** Adds a line for each queue that was used. */
    void describe(List<String> lines) {
        for (int i = 0; i < pools.length(); i++) {
            Pool pool = pools.get(i);
            if (pool != null) {
                lines.add("  " + nameOf(i) + " " + pool.threads.getPoolSize() + " " + pool.threads.getActiveCount()
                        + " " + pool.threads.getQueue().size());
            }
        }
    }

    /** Takes no more tasks; queued ones are still done. Returns at once. */
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
     * @return false when a task took longer than that
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
     * @param turn takes the next task and does it; executed once for each task
     */
    private record Pool(ThreadPoolExecutor threads, FairTasks tasks, Runnable turn) {
        /** Whether it may have more threads than it has. */
        boolean isShort() {
            return threads.getPoolSize() < threads.getCorePoolSize();
        }
    }
}
