package io.sendfiled.transport;

import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Without the native library: {@link FileChannel#transferTo} on the threads of a disk pool, so that event loops wait for no disk
 * all the same. It takes channels where the others take descriptors, and makes no native call.
 *
 * <p>Owns the pool, a thread that waits for non-blocking destinations to have room ({@link RoomWaiter}), and the client's thread,
 * which runs the user's code.
 */
public final class JavaTransport implements Transport {
    /** So many disk accesses at once; a disk that hangs takes no more, and all of them. */
    private static final int THREADS = 16;

    private static final int IDLE_S = 10;

    private final String name;
    private final Path root;
    private final Map<String, Path> roots = new HashMap<>(); // not changed after the start
    private final StatusWatcher watcher;
    private final RoomWaiter waiter;
    private final ThreadPoolExecutor disks;
    private final Map<Call, JavaTransfer> transfers = new ConcurrentHashMap<>();
    private volatile boolean closed;

    private JavaTransport(String name, Path root, Map<String, Path> named) throws IOException {
        this.name = name;
        this.root = root.toRealPath();
        for (Map.Entry<String, Path> one : named.entrySet()) {
            roots.put(one.getKey(), one.getValue().toRealPath());
        }
        disks = new ThreadPoolExecutor(
                THREADS, THREADS, IDLE_S, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                    Thread thread = new Thread(null, task, name + "-disk", 0, false);
                    thread.setDaemon(true);
                    return thread;
                });
        disks.allowCoreThreadTimeOut(true);
        watcher = new StatusWatcher(name);
        waiter = new RoomWaiter(name + "-wait");
    }

    /**
     * Starts one. Blocks.
     *
     * @param name of its threads
     * @param root of requests that name none
     * @param named the other roots
     * @throws IOException if a root cannot be found
     */
    public static JavaTransport start(String name, Path root, Map<String, Path> named) throws IOException {
        JavaTransport transport = new JavaTransport(name, root, named);
        try {
            transport.watcher.start();
            transport.waiter.start();
            return transport;
        } catch (Throwable t) { // no thread, or no memory for one
            transport.waiter.close();
            transport.watcher.close();
            throw t;
        }
    }

    @Override
    public String where() {
        return "Java alone in this process";
    }

    @Override
    public boolean isExtended() {
        return true;
    }

    @Override
    public void submit(
            Call call, int command, TransferRequest request, @Nullable OwnedFd destination, @Nullable OwnedFd source) {
        throw new IllegalStateException("there are no descriptors without the native library");
    }

    /**
     * Submits a request.
     *
     * @param destination borrowed until the call is over; null for an open
     * @param owned whether the destination is taken
     * @param source a file that the user has open, borrowed likewise; null: there is a path
     * @param file of the user's, to be opened in place of one in a root; null: none
     */
    public void submit(
            Call call,
            int command,
            TransferRequest request,
            @Nullable Channel destination,
            boolean owned,
            @Nullable FileChannel source,
            @Nullable Path file) {
        Inbox inbox = new Inbox(call);
        call.inbox = inbox;
        Path within = request.root() == null ? root : roots.get(request.root());
        if (within == null) {
            call.refuse(Errno.EINVAL, "there is no root of the name '" + request.root() + "'");
            return; // nothing is owned: a read's path is in a root that there is, too
        }
        JavaTransfer transfer = new JavaTransfer(this, inbox, request, command == Wire.OPEN_FILE, within, source, file);
        transfer.setDestination(destination, owned);
        transfers.put(call, transfer);
        if (closed) {
            transfer.discard();
            call.refuse(Errno.ECANCELED, "the client is closed");
            return;
        }
        transfer.schedule();
    }

    @Override
    public void sendOpened(Call call, OwnedFd destination) {
        throw new IllegalStateException("there are no descriptors without the native library");
    }

    /** As {@link #sendOpened(Call, OwnedFd)}. */
    public void sendOpened(Call call, Channel destination) {
        JavaTransfer transfer = transfers.get(call);
        if (transfer != null) {
            transfer.setDestination(destination, false);
            transfer.schedule();
        }
    }

    @Override
    public void cancel(Call call) {
        JavaTransfer transfer = transfers.get(call);
        if (transfer != null && !closed) { // close() cancels by itself, when the calls have ended
            transfer.cancel();
        }
    }

    @Override
    public void end(Call call) {} // the final message has ended all

    @Override
    public void release(Call call) {
        throw new IllegalStateException("a read has a pipe of its own");
    }

    @Override
    public boolean execute(Call call, Runnable action) {
        return !closed && Batches.execute(watcher, call, action);
    }

    @Override
    public void attend(Call call) {
        watcher.attendToFailure(call);
    }

    @Override
    public boolean receiveHere(Call call) {
        Inbox inbox = call.inbox;
        return inbox != null && inbox.empty() && !closed;
    }

    @Override
    public @Nullable Throwable failure() {
        return null;
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        for (Map.Entry<Call, JavaTransfer> one : transfers.entrySet()) {
            one.getKey().abandon(); // first: what a cancel ends, the user has not cancelled
            one.getValue().cancel();
        }
        disks.shutdown(); // what is queued still runs, and frees what it has
        waiter.close();
        watcher.close();
    }

    // ---- for transfers ----

    RoomWaiter waiter() {
        return waiter;
    }

    /** Runs it on a thread of the pool. */
    void execute(JavaTransfer transfer) {
        try {
            disks.execute(transfer);
        } catch (RejectedExecutionException e) { // closed
            transfer.discard();
        } catch (Throwable t) { // no thread, or no memory for one
            transfer.discard();
            transfer.call().failLater(t);
        }
    }

    /** On a thread of its own: the close waits for the thread that reads, and perhaps for a disk. */
    void closeAside(FileChannel reading) {
        Thread thread = new Thread(null, () -> close(reading), name + "-close", 0, false);
        thread.setDaemon(true);
        thread.start();
    }

    private static void close(FileChannel reading) {
        try {
            reading.close();
        } catch (IOException e) {
            Log.warning("closing what a transfer had open", e);
        }
    }

    void forget(JavaTransfer transfer) {
        transfers.remove(transfer.call());
    }

    /** Has an inbox emptied that something was added to. */
    void deliver(Inbox inbox) {
        Batches batches = new Batches(watcher);
        batches.add(inbox);
        batches.handOver();
    }
}
