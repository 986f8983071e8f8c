package io.sendfiled.client;

import io.sendfiled.protocol.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Watches the status channels of one client's transfers.
 *
 * <p>Owns one daemon thread and its selector. The state of the exchanges belongs to this thread; other threads use
 * {@link #execute}. Waits only for its selector: a dependent action that blocks, blocks all transfers of the client.
 */
final class StatusWatcher {
    private static final int BUFFER_SIZE = 256 * Wire.TRANSFER_STATUS_SIZE;

    private final Selector selector;
    private final Thread thread;
    private final Queue<Runnable> intake = new ConcurrentLinkedQueue<>();
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_SIZE).order(ByteOrder.nativeOrder());
    private List<ReadExchange> handOvers = new ArrayList<>();
    private volatile boolean closing;

    StatusWatcher(String name) throws IOException {
        selector = Selector.open();
        thread = new Thread(this::run, name);
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    /** Runs a task on the watcher's thread. False, and nothing happens, when the watcher has been closed. */
    boolean execute(Runnable task) {
        if (closing) {
            return false;
        }
        intake.add(task);
        wakeUp();
        return !closing || !intake.remove(task);
    }

    /** Whether the caller is the watcher: what is to come would never come while it waits. */
    boolean isThisThread() {
        return Thread.currentThread() == thread;
    }

    /** Makes the watcher look at its intake, and release the descriptors of channels that were closed. */
    void wakeUp() {
        if (Thread.currentThread() != thread) {
            selector.wakeup();
        }
    }

    /** Watches an exchange's status channel until its end. On the watcher's thread. */
    void watch(Exchange exchange) {
        try {
            exchange.source().configureBlocking(false);
            exchange.source().register(selector, SelectionKey.OP_READ, exchange);
        } catch (IOException e) { // does nothing to an exchange that has ended already
            exchange.fail(e);
        }
    }

    /** Stops watching a channel and gives it, in blocking mode, to {@link ReadExchange#handOver}. */
    void release(ReadExchange exchange) {
        handOvers.add(exchange);
    }

    /** Ends all exchanges and the thread. Idempotent. Waits for at most a second. */
    void close() {
        closing = true;
        selector.wakeup();
        if (Thread.currentThread() == thread) {
            return;
        }
        boolean interrupted = false;
        try {
            thread.join(1_000);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        try {
            while (!closing) {
                if (intake.isEmpty()) { // handOver may have used up the wake-up of a task that came meanwhile
                    selector.select(this::ready);
                } else {
                    selector.selectNow(this::ready);
                }
                runTasks();
                while (!handOvers.isEmpty()) {
                    handOver();
                }
            }
        } catch (IOException | ClosedSelectorException e) {
            Log.error("the client cannot watch its transfers any more", e);
        } finally {
            closing = true;
            endAll();
        }
    }

    private void ready(SelectionKey key) {
        Exchange exchange = (Exchange) key.attachment();
        if (exchange == null || !key.isValid()) {
            return;
        }
        try {
            exchange.onReadable(buffer);
        } catch (RuntimeException e) { // of a dependent action, or of ours: the other exchanges go on
            Log.error("cannot handle " + exchange, e);
            exchange.fail(new IOException("internal error", e));
        }
    }

    private void runTasks() {
        for (Runnable task = intake.poll(); task != null; task = intake.poll()) {
            try {
                task.run();
            } catch (RuntimeException e) {
                Log.error("a task of the client failed", e);
            }
        }
    }

    /** A channel can change its mode only when its key is removed, which the next selection does. */
    private void handOver() throws IOException {
        List<ReadExchange> leaving = handOvers;
        handOvers = new ArrayList<>();
        for (ReadExchange exchange : leaving) {
            SelectionKey key = exchange.source().keyFor(selector);
            if (key != null) {
                key.cancel();
            }
        }
        selector.selectNow(this::ready);
        for (ReadExchange exchange : leaving) {
            exchange.handOver();
        }
    }

    private void endAll() {
        try {
            runTasks(); // first: it may bring the last exchanges
            for (SelectionKey key : selector.keys()) {
                Exchange exchange = (Exchange) key.attachment();
                if (exchange != null) {
                    exchange.abandon();
                }
            }
            selector.close();
        } catch (IOException | ClosedSelectorException e) {
            Log.warning("cannot close the selector", e);
        }
    }
}
