package io.sendfiled.transport;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;

/**
 * What one executor is to run: the calls of a {@link Session} that were complete at the same time. For the thread that waits for
 * completions, and then for the executor's.
 */
final class ExecutorTask implements Runnable {
    private final Executor executor;
    private final List<SessionCall> calls = new ArrayList<>();

    ExecutorTask(Executor executor) {
        this.executor = executor;
    }

    boolean isOf(Executor other) {
        return executor == other;
    }

    void add(SessionCall call) {
        calls.add(call);
    }

    /** Has the executor run them; if it refuses, this thread does. */
    @Override
    public void run() {
        try {
            executor.execute(this::runAll);
        } catch (Throwable t) { // the user's
            Log.warning(
                    "an executor has refused to complete requests, so that the client's own thread does: " + executor,
                    t);
            runAll();
        }
    }

    private void runAll() {
        calls.forEach(SessionCall::run);
    }
}
