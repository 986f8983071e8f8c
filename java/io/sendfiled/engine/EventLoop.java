package io.sendfiled.engine;

import io.sendfiled.jni.EngineNative;
import io.sendfiled.jni.Turn;
import io.sendfiled.sys.Errno;
import org.jspecify.annotations.Nullable;

/**
 * The thread of one event loop: runs a turn in C, then dispatches the requests and tasks in its turn buffer,
 * repeatedly.
 *
 * <p>Waits only in epoll. Allocates nothing for a request that needs no disk; a task for the disk pool costs one
 * object.
 */
final class EventLoop implements Runnable {
    private final long loop;
    private final Turn turn;
    private final Dispatcher dispatcher;
    private final DiskPool diskPool;
    private final @Nullable SelectorCaller selector;
    private volatile @Nullable Throwable failure;
    private volatile @Nullable Runnable onFailure;

    /**
     * @param turn the loop's
     * @param dispatcher of that turn
     * @param selector selects the techniques that requests do not name; null when there is none
     */
    EventLoop(long loop, Turn turn, Dispatcher dispatcher, DiskPool diskPool, @Nullable SelectorCaller selector) {
        this.loop = loop;
        this.turn = turn;
        this.dispatcher = dispatcher;
        this.diskPool = diskPool;
        this.selector = selector;
    }

    @Override
    public void run() {
        try {
            int result = EngineNative.poll(loop);
            while (result >= 0) {
                dispatcher.dispatch();
                if (selector != null) {
                    selector.decide(turn);
                }
                offload();
                result = EngineNative.poll(loop);
            }
            if (result != -Errno.ESHUTDOWN) {
                fail(new IllegalStateException(
                        "an event loop has ended: " + Errno.message(-result) + " (" + Errno.name(-result) + ")"));
            }
        } catch (Throwable t) { // reported by failure(); the loop's clients see EOF
            fail(t);
            throw t;
        }
    }

    private void fail(Throwable t) {
        failure = t;
        Runnable told = onFailure;
        if (told != null) {
            told.run();
        }
    }

    private void offload() {
        int count = turn.offloads();
        for (int i = 0; i < count; i++) {
            diskPool.execute(turn.queue(i), turn.task(i), turn.isUrgent(i), turn.client(i));
        }
    }

    /** Makes {@link #run} return when no transfer of the loop is offloaded any more. Any thread. */
    void stop() {
        EngineNative.stop(loop);
    }

    /** Runs {@code told} when the loop ends before it was stopped, or at once if it has ended so; perhaps twice. */
    void onFailure(Runnable told) {
        onFailure = told;
        if (failure != null) {
            told.run();
        }
    }

    /** Why the loop has ended before it was stopped; null if it has not. */
    @Nullable
    Throwable failure() {
        return failure;
    }
}
