package io.sendfiled.transport;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * The inboxes that one turn has filled, by executor: each executor gets one task for all of its inboxes.
 *
 * <p>One thread. An executor is the user's code, and may refuse: then the client's own thread empties the inbox.
 */
final class Batches {
    // The JVM loads the class of a handler when it looks for one: without memory, what is thrown would pass the handler
    // by.
    static {
        var unused = List.of(Throwable.class);
    }

    /** What the calling thread runs for an executor now; null: nothing. */
    private static final ThreadLocal<@Nullable Running> RUNNING = new ThreadLocal<>();

    private final StatusWatcher watcher;
    private @Nullable Batch first;

    /** @param watcher empties the inboxes that have no executor, or one that refuses */
    Batches(StatusWatcher watcher) {
        this.watcher = watcher;
    }

    /** Has an inbox emptied, by {@link #handOver} at the latest. Never throws: without memory, its call fails. */
    void add(Inbox inbox) {
        try {
            Executor executor = inbox.executor;
            if (executor == null) {
                emptyByWatcher(inbox);
                return;
            }
            Batch batch = first;
            while (batch != null && batch.executor != executor) {
                batch = batch.next;
            }
            if (batch == null) {
                batch = new Batch(watcher, executor, first);
                first = batch;
            }
            batch.add(inbox);
        } catch (Throwable t) {
            inbox.call.failLater(t);
        }
    }

    /** A call whose inbox was added; null if there is none. */
    @Nullable
    Call any() {
        Batch batch = first;
        return batch == null ? null : batch.inboxes[0].call;
    }

    /** Gives each executor its task. Runs the code of executors; never throws. */
    void handOver() {
        for (Batch batch = first; batch != null; batch = batch.next) {
            first = batch.next;
            try {
                batch.executor.execute(batch);
            } catch (Throwable t) {
                batch.refuse(t);
            }
        }
    }

    /** Runs an action where a call's inbox is emptied; false, and nothing happens, when the client is closed. */
    static boolean execute(StatusWatcher watcher, Call call, Runnable action) {
        Executor executor = call.executor();
        if (executor == null) {
            return watcher.execute(call, action);
        }
        if (watcher.isClosing()) {
            return false;
        }
        Running running = RUNNING.get();
        try {
            if (running == null || !running.add(executor, call, action)) {
                executor.execute(() -> new Running(executor).run(() -> run(call, action)));
            }
            return true;
        } catch (Throwable t) {
            return watcher.execute(call, () -> {
                reportRefusal(executor, t);
                action.run();
            });
        }
    }

    private static void run(Call call, Runnable action) {
        try {
            action.run();
        } catch (Throwable t) { // no memory
            call.fail(t);
        }
    }

    /** Where the user's logger may run. Never throws, though a literal is allocated once. */
    private static void reportRefusal(Executor executor, Throwable t) {
        try {
            Log.warning(
                    "an executor has refused to complete transfers, so that the client's own thread does: " + executor,
                    t);
        } catch (Throwable again) { // no memory
            return;
        }
    }

    private void emptyByWatcher(Inbox inbox) {
        emptyBy(watcher, inbox);
    }

    private static void emptyBy(StatusWatcher watcher, Inbox inbox) {
        if (!watcher.execute(inbox.call, inbox)) { // the client is closed: there is nobody else
            inbox.run();
        }
    }

    /**
     * A task of an executor, while it runs: what its actions want to be done there is done behind them, in the same task. So a
     * file that is in memory is sent in an action of the one before without a task of its own, and without a deeper stack.
     */
    private static final class Running {
        /** Then the executor's other tasks have their turn. */
        private static final int MOST = 64;

        private final Executor executor;
        private final Queue<Runnable> next = new ArrayDeque<>(0);
        private int added;

        Running(Executor executor) {
            this.executor = executor;
        }

        /** False if it is not of that executor, or has done enough. */
        boolean add(Executor of, Call call, Runnable action) {
            return of == executor && added++ < MOST && next.add(() -> Batches.run(call, action));
        }

        void run(Runnable task) {
            RUNNING.set(this);
            try {
                task.run();
                for (Runnable one = next.poll(); one != null; one = next.poll()) {
                    one.run();
                }
            } finally {
                RUNNING.remove();
            }
        }
    }

    /** The task of one executor. */
    private static final class Batch implements Runnable {
        private static final int FIRST_SIZE = 8;

        final StatusWatcher watcher;
        final Executor executor;
        final @Nullable Batch next;
        private final Thread origin = Thread.currentThread();
        Inbox[] inboxes = new Inbox[FIRST_SIZE];
        int count;

        Batch(StatusWatcher watcher, Executor executor, @Nullable Batch next) {
            this.watcher = watcher;
            this.executor = executor;
            this.next = next;
        }

        void add(Inbox inbox) {
            if (count == inboxes.length) {
                inboxes = Arrays.copyOf(inboxes, 2 * count);
            }
            inboxes[count++] = inbox;
        }

        @Override
        public void run() {
            if (Thread.currentThread() == origin) { // an executor that runs tasks in its caller's thread
                emptyByWatcher();
                return;
            }
            new Running(executor).run(this::empty);
        }

        private void empty() {
            for (int i = 0; i < count; i++) {
                inboxes[i].run();
            }
        }

        /** The executor has thrown that. */
        void refuse(Throwable t) {
            try {
                var unused = watcher.execute(inboxes[0].call, () -> reportRefusal(executor, t));
            } catch (Throwable again) { // no memory: the transfers matter more
                inboxes[0].call.failLater(again);
            }
            emptyByWatcher();
        }

        void emptyByWatcher() {
            for (int i = 0; i < count; i++) {
                try {
                    emptyBy(watcher, inboxes[i]);
                } catch (Throwable t) { // no memory
                    inboxes[i].call.failLater(t);
                }
            }
        }
    }
}
