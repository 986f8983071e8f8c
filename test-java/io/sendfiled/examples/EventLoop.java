package io.sendfiled.examples;

import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;

/**
 * One thread's loop around a {@link Selector}, which is also an {@link Executor}: what is executed here, by any thread, runs
 * on the loop's. That is all it takes for a future's action to be an event like any other:
 * {@code future.whenCompleteAsync(action, loop)}.
 *
 * <p>Nothing that runs here may block. Only {@link #execute} and {@link #stop} may be called by other threads.
 */
final class EventLoop implements Executor, Closeable {
    private static final int TICK_MS = 1_000;

    private final Selector selector = Selector.open();
    private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private volatile boolean stopped;

    EventLoop() throws IOException {}

    /** Calls back whenever the channel, a non-blocking one, is ready for its key's interest. Ends when it is closed. */
    SelectionKey register(SelectableChannel channel, int interest, Runnable onReady) throws ClosedChannelException {
        return channel.register(selector, interest, onReady);
    }

    @Override
    public void execute(Runnable task) {
        tasks.add(task);
        selector.wakeup(); // also if it does not sleep yet: then it will not
    }

    /** Runs until it is stopped; calls the tick once a second. */
    void run(Runnable tick) throws IOException {
        long tickNs = System.nanoTime();
        while (!stopped) {
            // Here, too, the selector lets go of channels that were closed: a registered one is not before.
            selector.select(EventLoop::dispatch, TICK_MS);
            for (int left = tasks.size(); left > 0; left--) { // not those that these add: it is the channels' turn
                Runnable task = tasks.poll();
                if (task != null) {
                    task.run();
                }
            }
            if (System.nanoTime() - tickNs >= TICK_MS * 1_000_000L) {
                tickNs = System.nanoTime();
                tick.run();
            }
        }
    }

    private static void dispatch(SelectionKey key) {
        if (key.isValid()) { // one that was ready before it may have closed this one's channel
            ((Runnable) key.attachment()).run();
        }
    }

    /** Ends {@link #run}. */
    void stop() {
        stopped = true;
        selector.wakeup();
    }

    @Override
    public void close() throws IOException {
        selector.close();
    }
}
