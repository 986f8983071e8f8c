package io.sendfiled.transport;

import io.sendfiled.names.Names;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.Pipe;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * To a daemon: requests through its socket, messages through a pipe for each of them.
 *
 * <p>Owns the request socket and its sender, and the watcher of the pipes.
 */
public final class DaemonTransport implements Transport {
    // The JVM loads the class of a handler when it looks for one: without memory, what is thrown would pass the handler
    // by.
    static {
        var unused = List.of(Throwable.class, IOException.class);
    }

    private final StatusWatcher watcher;
    private final RequestSender sender;

    private DaemonTransport(StatusWatcher watcher, RequestSender sender) {
        this.watcher = watcher;
        this.sender = sender;
    }

    /**
     * Starts the thread that watches the pipes.
     *
     * @param socket connected to the daemon; taken, but on failure
     * @param path where the daemon listens, to connect again when it was restarted
     * @param where the same as text
     * @param name of the thread
     * @param maxQueued how many requests may wait for room
     * @throws IOException if no descriptor is free
     * @throws OutOfMemoryError if no thread can be started, or there is no memory
     */
    public static DaemonTransport start(OwnedFd socket, byte[] path, String where, String name, int maxQueued)
            throws IOException {
        StatusWatcher watcher = new StatusWatcher(name);
        try {
            RequestSender sender = new RequestSender(watcher, name + "-submit", socket, where, path, maxQueued);
            DaemonTransport transport = new DaemonTransport(watcher, sender);
            watcher.start(sender::sendWaiting);
            return transport;
        } catch (Throwable t) {
            watcher.discard();
            throw t;
        }
    }

    @Override
    public String where() {
        return sender.socketPath();
    }

    @Override
    public boolean isExtended() {
        return false;
    }

    @Override
    public void submit(
            Call call, int command, TransferRequest request, @Nullable OwnedFd destination, @Nullable OwnedFd source) {
        if (request.root() != null) {
            close(destination);
            close(source);
            call.refuse(
                    Errno.EINVAL,
                    "a daemon has one root, and none of the name '" + Names.printable(request.root()) + "'");
            return;
        }
        Pipe.SinkChannel sink;
        try {
            call.inbox = call.executor() == null ? null : new Inbox(call);
            sink = openStatus(call);
        } catch (Throwable t) { // there is no descriptor
            close(destination);
            close(source);
            call.refuse(t);
            return;
        }
        try {
            sender.submit(call, command, request, sink, destination, source);
            if (!call.isOver() && !watcher.execute(call, () -> watcher.watch(call))) {
                call.abandon();
            }
        } catch (Throwable t) { // no memory
            call.fail(t);
        }
    }

    /** Makes the status channel, and gives its write end. */
    private static Pipe.SinkChannel openStatus(Call call) throws IOException {
        Pipe pipe = Pipe.open();
        try {
            Descriptors.setCloseOnExec(pipe.source());
            Descriptors.setCloseOnExec(pipe.sink());
            call.status = pipe.source();
            return pipe.sink();
        } catch (Throwable t) {
            close(pipe.source());
            close(pipe.sink());
            throw t;
        }
    }

    private static void close(@Nullable Closeable opened) {
        try {
            if (opened != null) {
                opened.close();
            }
        } catch (IOException e) { // of an earlier write by the destination's owner
            Log.warning("closing what was opened for a request", e);
        }
    }

    @Override
    public void sendOpened(Call call, OwnedFd destination) {
        sender.sendOpened(call, destination);
    }

    @Override
    public void cancel(Call call) {
        long id = call.transferId();
        if (id != 0) {
            sender.cancel(id);
        }
    }

    @Override
    public void end(Call call) {
        watcher.close(call);
    }

    @Override
    public void release(Call call) {
        watcher.release(call);
    }

    @Override
    public boolean execute(Call call, Runnable action) {
        return Batches.execute(watcher, call, action);
    }

    @Override
    public void attend(Call call) {
        watcher.attendToFailure(call);
    }

    @Override
    public boolean receiveHere(Call call) {
        Inbox inbox = call.inbox;
        return (inbox == null || inbox.empty()) && watcher.goesOnWithoutCaller();
    }

    @Override
    public @Nullable Throwable failure() {
        return watcher.failure();
    }

    /** Waits for at most a second. */
    @Override
    public void close() {
        watcher.close();
        sender.close();
    }
}
