package io.sendfiled.transport;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The threads of a {@link Session}: one that waits for completions, and since the first of these a spare one. Calls run on the one
 * that waits, or are passed to their executors by it; when that does not return soon, the spare one goes on with everything else
 * ({@link Baton}).
 *
 * <p>Its own methods are for any thread, and hold no lock.
 */
final class SessionThreads {
    private static final long CLOSE_MS = 1_000;

    // The JVM loads the class of a handler when it looks for one: without memory, what is thrown would pass the handler
    // by.
    static {
        var unused = List.of(Throwable.class, InterruptedException.class);
    }

    private final Session session;
    private final String name;
    private final Baton baton = new Baton();
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile @Nullable Thread holder; // of the baton
    private volatile boolean spareStarts;
    private final List<ExecutorTask> tasks = new ArrayList<>(); // for the thread that has the baton

    /**
     * Starts nothing yet.
     *
     * @param name of the first thread
     */
    SessionThreads(Session session, String name) {
        this.session = session;
        this.name = name;
    }

    /**
     * Starts the first thread.
     *
     * @throws OutOfMemoryError if there is no thread, or no memory for one: it may be tried again
     */
    void start() {
        new Waiting(name, true).start();
    }

    /** Whether the calling thread is the one that submits what there is when the user's code has returned. */
    boolean isHolder() {
        return Thread.currentThread() == holder;
    }

    /** Whether the calling thread is one of these. */
    boolean isOwn() {
        return Thread.currentThread() instanceof Waiting waiting && waiting.isOf(this);
    }

    /** Waits for the end, for {@value #CLOSE_MS} ms at most. */
    void awaitEnd() {
        try {
            var unused = ended.await(CLOSE_MS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- the thread that has the baton ----

    /** Until the end, or until another thread has the baton. */
    private void goOn(Waiting thread) {
        holder = thread;
        boolean open = true;
        while (open || !tasks.isEmpty() || session.hasReady()) {
            SessionCall call = session.takeReady();
            if (call != null && call.executor() != null) {
                taskOf(call.executor()).add(call);
            } else if (call != null) {
                if (!lent(call)) {
                    return;
                }
            } else if (!tasks.isEmpty()) {
                if (!lent(tasks.remove(tasks.size() - 1))) {
                    return;
                }
            } else {
                open = session.turn();
            }
        }
        holder = null;
        baton.end();
        session.closeEvent();
        ended.countDown();
    }

    private ExecutorTask taskOf(Executor executor) {
        for (ExecutorTask task : tasks) {
            if (task.isOf(executor)) {
                return task;
            }
        }
        ExecutorTask task = new ExecutorTask(executor);
        tasks.add(task);
        return task;
    }

    /** Runs the user's code. False when another thread has taken the baton meanwhile. */
    private boolean lent(Runnable action) {
        if (!baton.hasSpare()) {
            startSpare();
        }
        long lent = baton.lend();
        try {
            action.run();
        } catch (Throwable t) { // no memory
            Log.error("the client's thread goes on after a failure", t);
        }
        return baton.takeBack(lent);
    }

    private void startSpare() {
        if (spareStarts) {
            return;
        }
        spareStarts = true;
        try {
            new Waiting(name + "-spare", false).start();
        } catch (OutOfMemoryError e) { // no thread, or no memory for one: the next call tries again
            spareStarts = false;
        }
    }

    /** A thread that has the baton, had it, or is the spare one. */
    private final class Waiting extends Thread {
        private final boolean begins;

        Waiting(String name, boolean begins) {
            super(null, null, name, 0, false); // inherits no thread locals
            this.begins = begins;
            setDaemon(true);
        }

        boolean isOf(SessionThreads threads) {
            return threads == SessionThreads.this;
        }

        @Override
        public void run() {
            if (begins) {
                goOn(this);
            }
            while (baton.await()) {
                spareStarts = false; // this one is the spare thread no more
                goOn(this);
            }
            spareStarts = false;
        }

        /** Does nothing: the threads are nobody's to interrupt, and the spare one would not sleep any more. */
        @Override
        public void interrupt() {}
    }
}
