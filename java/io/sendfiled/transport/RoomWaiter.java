package io.sendfiled.transport;

import java.io.IOException;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * One thread that waits until non-blocking destinations have room, so that a slow peer keeps no thread of a disk pool. It never
 * reads, writes or opens anything.
 */
final class RoomWaiter {
    /** So often it looks for channels that were closed, which no selector tells, and for times that are over. */
    private static final int TICK_MS = 250;

    private final Selector selector = Selector.open();
    private final Queue<JavaTransfer> added = new ConcurrentLinkedQueue<>();
    private final Set<JavaTransfer> waiting = ConcurrentHashMap.newKeySet();
    private final Thread thread;
    private volatile boolean closed;

    RoomWaiter(String name) throws IOException {
        thread = new Thread(null, this::run, name, 0, false);
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    /** Schedules the transfer when its destination, a selectable channel, has room, was closed, or its time is over. */
    void add(JavaTransfer transfer) {
        added.add(transfer);
        selector.wakeup();
    }

    /** Interrupts a transfer to a channel in blocking mode when its time is over. */
    void watch(JavaTransfer transfer) {
        waiting.add(transfer);
    }

    /** It is over: the channel belongs to the user again. */
    void remove(JavaTransfer transfer) {
        waiting.remove(transfer);
        SelectionKey key = transfer.selectable().keyFor(selector);
        if (key != null) {
            key.cancel();
        }
    }

    void close() {
        closed = true;
        selector.wakeup();
        if (thread.getState() == Thread.State.NEW) {
            end();
        }
    }

    private void run() {
        try {
            while (!closed) {
                turn();
            }
        } catch (IOException e) {
            Log.warning("the thread that waits for destinations has failed", e);
        } finally {
            end();
        }
    }

    private void turn() throws IOException {
        selector.select(TICK_MS);
        List<JavaTransfer> ready = new ArrayList<>();
        for (SelectionKey key : selector.selectedKeys()) {
            ready.add((JavaTransfer) key.attachment());
            key.cancel();
        }
        selector.selectedKeys().clear();
        for (JavaTransfer transfer : waiting) {
            if (transfer.isNonBlocking()
                    ? !transfer.selectable().isOpen() || transfer.isTimeOver()
                    : transfer.isTimeOver()) {
                ready.add(transfer);
            }
        }
        if (!added.isEmpty()) {
            selector.selectNow(); // lets go of the keys that were cancelled
            for (JavaTransfer transfer = added.poll(); transfer != null; transfer = added.poll()) {
                if (!register(transfer)) {
                    ready.add(transfer);
                }
            }
        }
        for (JavaTransfer transfer : ready) {
            waiting.remove(transfer);
            transfer.schedule();
            transfer.interrupt();
        }
    }

    /** False if it is to go on at once. */
    private boolean register(JavaTransfer transfer) {
        try {
            waiting.add(transfer);
            transfer.selectable().register(selector, SelectionKey.OP_WRITE, transfer);
            if (transfer.isOver()) {
                remove(transfer);
            }
            return true;
        } catch (ClosedChannelException
                | IllegalBlockingModeException
                | CancelledKeyException e) { // its next write tells
            return false;
        }
    }

    private void end() {
        try {
            selector.close();
        } catch (IOException e) {
            Log.warning("cannot close a selector", e);
        }
    }
}
