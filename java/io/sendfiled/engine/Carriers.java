package io.sendfiled.engine;

import io.sendfiled.jni.EngineNative;
import io.sendfiled.jni.Turn;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The threads of the event loops of one engine: one for each loop, and spare ones for loops whose thread sits in a
 * system call. How many spare ones there should be, the watchdog says; they end when they are not needed.
 *
 * <p>Any thread.
 */
final class Carriers {
    private final long engine;
    private final Authorizer authorizer;
    private final DiskPool diskPool;
    private final @Nullable SelectorCaller selector;
    private final @Nullable LocalReceiver receiver;
    private final List<Thread> threads = new ArrayList<>();
    private int number;
    private volatile @Nullable Throwable failure;
    private volatile @Nullable Runnable onFailure;

    /**
     * @param authorizer decides who is served
     * @param selector selects the techniques that requests do not name; null when there is none
     * @param receiver of messages to requests of this process; null when there are none
     */
    Carriers(
            long engine,
            Authorizer authorizer,
            DiskPool diskPool,
            @Nullable SelectorCaller selector,
            @Nullable LocalReceiver receiver) {
        this.engine = engine;
        this.authorizer = authorizer;
        this.diskPool = diskPool;
        this.selector = selector;
        this.receiver = receiver;
    }

    /** Starts the thread that a loop begins with. */
    void start(long loop) {
        startThread(EngineNative.carrier(loop));
    }

    /**
     * Starts spare threads. May wait, as {@link Housekeeper} says.
     *
     * @return false when not all could be started
     */
    boolean addSpare(int count) {
        for (int i = 0; i < count; i++) {
            long carrier = EngineNative.addCarrier(engine);
            if (carrier < 0) {
                return false;
            }
            try {
                startThread(carrier);
            } catch (Throwable t) { // no thread, or no memory for one
                EngineNative.destroyCarrier(carrier);
                return false;
            }
        }
        return true;
    }

    private void startThread(long carrier) {
        Turn turn = new Turn(carrier);
        Runnable body =
                new Carrier(carrier, turn, new Dispatcher(turn, authorizer), diskPool, selector, receiver, this);
        Thread thread;
        synchronized (threads) {
            thread = new Thread(body, "sendfiled-loop-" + number++);
            threads.add(thread);
        }
        thread.setDaemon(true);
        try {
            thread.start();
        } catch (Throwable t) {
            ended(thread);
            throw t;
        }
    }

    /** How many threads there are. */
    int count() {
        synchronized (threads) {
            return threads.size();
        }
    }

    /** The thread does nothing any more. */
    void ended(Thread thread) {
        synchronized (threads) {
            threads.remove(thread);
        }
    }

    /**
     * Waits until no thread is left. Allocates nothing: an engine that has no memory ends so, too.
     *
     * @param deadline of {@link System#nanoTime}
     * @return false when one is left then
     */
    boolean awaitEnd(long deadline) throws InterruptedException {
        for (Thread thread = any(); thread != null; thread = any()) {
            thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
            if (thread.isAlive()) {
                return false;
            }
        }
        return true;
    }

    private @Nullable Thread any() {
        synchronized (threads) {
            return threads.isEmpty() ? null : threads.get(0);
        }
    }

    /** A loop has ended before it was stopped. */
    void fail(Throwable t) {
        failure = t;
        Runnable told = onFailure;
        if (told != null) {
            told.run();
        }
    }

    /** Runs {@code told} when a loop ends before it was stopped, or at once if one has ended so; perhaps twice. */
    void onFailure(Runnable told) {
        onFailure = told;
        if (failure != null) {
            told.run();
        }
    }

    /** Why a loop has ended before it was stopped; null if none has. */
    @Nullable
    Throwable failure() {
        return failure;
    }
}
