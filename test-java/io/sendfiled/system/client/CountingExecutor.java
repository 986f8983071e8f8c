package io.sendfiled.system.client;

import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** One thread, as an event loop has it, that counts its tasks. */
final class CountingExecutor implements Executor, AutoCloseable {
    private final AtomicInteger tasks = new AtomicInteger();
    private volatile @Nullable Thread thread;
    private final ExecutorService below = Executors.newSingleThreadExecutor(task -> {
        Thread made = new Thread(task, "an executor's");
        made.setDaemon(true);
        thread = made;
        return made;
    });

    @Override
    public void execute(Runnable task) {
        tasks.incrementAndGet();
        below.execute(task);
    }

    int tasks() {
        return tasks.get();
    }

    /** Its thread, once it has had a task. */
    @Nullable
    Thread thread() {
        return thread;
    }

    @Override
    public void close() {
        below.shutdown();
    }
}
