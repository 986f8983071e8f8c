package io.sendfiled.base;

import java.io.Closeable;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Threads of this process for calls that a disk may hold, where no engine makes them: opens and closes of files that others
 * have opened. (A close waits, too: each of a FUSE file, whoever else has it open.) They are there while they are needed.
 */
public final class DiskThreads {
    /** So many may be held; what comes then waits for one of them. */
    private static final int MAX = 32;

    private static final long KEEP_SECONDS = 5;
    private static final AtomicInteger NUMBER = new AtomicInteger();

    /** Never refuses. */
    public static final Executor EXECUTOR = executor();

    private DiskThreads() {}

    /** Closes a file elsewhere; here if there is no thread. What the close says is logged. */
    public static void close(Closeable file) {
        try {
            EXECUTOR.execute(() -> closeHere(file));
        } catch (Throwable t) { // no thread, or no memory
            closeHere(file);
        }
    }

    private static void closeHere(Closeable file) {
        try {
            file.close();
        } catch (Throwable t) { // the disk's, or no memory
            SystemLog.log("io.sendfiled", System.Logger.Level.WARNING, "closing a file", t);
        }
    }

    private static Executor executor() {
        ThreadPoolExecutor pool =
                new ThreadPoolExecutor(MAX, MAX, KEEP_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                    Thread thread = new Thread(null, task, "sendfiled-files-" + NUMBER.incrementAndGet(), 0, false);
                    thread.setDaemon(true);
                    thread.setContextClassLoader(null); // it outlives the application that started it
                    return thread;
                });
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }
}
