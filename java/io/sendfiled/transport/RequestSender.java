package io.sendfiled.transport;

import io.sendfiled.base.DiskThreads;
import io.sendfiled.jni.ClientNative;
import io.sendfiled.protocol.RequestEncoder;
import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/**
 * Sends requests to a daemon, and never makes the caller wait for it.
 *
 * <p>Owns the request socket. Sends a request at once, on the caller's thread. The kernel queues about ten requests for
 * one daemon: when that queue is full, a separate thread sends the waiting requests in order as there is room, and ends
 * when none waits. If it cannot be started, the watcher sends them, {@link #sendWaiting}. Takes the descriptors of a
 * request, and closes them when it is sent or has failed. What was refused after it had waited is told by the watcher, so
 * that no dependent action can hold up the others that wait.
 */
final class RequestSender {
    private static final int WAIT_MS = 100;

    /**
     * A request that is not sent yet; {@code call} is null for a Cancel, {@code request} for a request that carries
     * a transfer id.
     */
    private record Pending(
            int command,
            @Nullable Call call,
            @Nullable TransferRequest request,
            long transferId,
            Pipe.@Nullable SinkChannel status,
            @Nullable OwnedFd destination,
            @Nullable OwnedFd source) {}

    // The JVM loads the class of a handler when it looks for one: without memory, what is thrown would pass the handler
    // by.
    static {
        var unused = List.of(Throwable.class, IOException.class);
    }

    private final Object lock = new Object();
    private final StatusWatcher watcher;
    private final String name;
    private final String socketPath;
    private final byte[] socketPathBytes;
    private final int maxQueued;
    // all below: under the lock
    private final OwnedFd socket;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(Wire.MAX_REQUEST_SIZE);
    private final Queue<Pending> queue = new ArrayDeque<>();
    private @Nullable Thread submitter;
    private volatile boolean stranded; // requests wait, and there is no thread for them; changes under the lock
    private boolean closed;

    /**
     * Takes a connected socket.
     *
     * @param watcher tells what was refused, and sends what waits when no thread can be started
     * @param name of the thread
     * @param socketPath where the daemon listens, to connect again when it was restarted
     * @param maxQueued how many requests may wait for room
     */
    RequestSender(
            StatusWatcher watcher,
            String name,
            OwnedFd socket,
            String socketPath,
            byte[] socketPathBytes,
            int maxQueued) {
        this.watcher = watcher;
        this.name = name;
        this.socket = socket;
        this.socketPath = socketPath;
        this.socketPathBytes = socketPathBytes;
        this.maxQueued = maxQueued;
    }

    String socketPath() {
        return socketPath;
    }

    /**
     * Submits Open, Read or Send File, in the form that their options need, or Send Descriptor if there is a source. Takes
     * the status channel's write end, the destination and the source.
     */
    void submit(
            Call call,
            int command,
            TransferRequest request,
            Pipe.SinkChannel status,
            @Nullable OwnedFd destination,
            @Nullable OwnedFd source) {
        submit(new Pending(command, call, request, 0, status, destination, source));
    }

    /** Submits Send Open File. Takes the destination. */
    void sendOpened(Call call, OwnedFd destination) {
        submit(new Pending(Wire.SEND_OPEN_FILE, call, null, call.transferId(), null, destination, null));
    }

    /** Submits Cancel. */
    void cancel(long transferId) {
        submit(new Pending(Wire.CANCEL, null, null, transferId, null, null, null));
    }

    private void submit(Pending pending) {
        int result;
        try {
            synchronized (lock) {
                if (closed) {
                    result = -Errno.ECANCELED;
                } else {
                    result = queue.isEmpty() ? send(pending) : -Errno.EAGAIN; // none overtakes those that wait
                    if (result == -Errno.EAGAIN && (pending.call() == null || queue.size() < maxQueued)) {
                        queue.add(pending);
                        startSubmitter();
                        return;
                    }
                }
            }
        } catch (Throwable t) { // no memory
            close(pending);
            throw t;
        }
        close(pending);
        settle(pending, result);
    }

    private void startSubmitter() {
        if (submitter != null || stranded) {
            return;
        }
        try {
            Thread thread = new Thread(null, this::drain, name, 0, false); // inherits no thread locals
            thread.setDaemon(true);
            thread.start();
            submitter = thread;
        } catch (Throwable t) { // no thread, or no memory for one
            stranded = true;
            watcher.wakeUp();
        }
    }

    /**
     * Sends the waiting requests as there is room. Runs on the submitter's thread, which closes the socket if the
     * sender was closed meanwhile.
     */
    private void drain() {
        while (true) {
            int result;
            synchronized (lock) {
                result = sendFirst();
                if (queue.isEmpty()) {
                    submitter = null;
                    if (closed) {
                        closeSocket();
                    }
                    return;
                }
            }
            if (result == -Errno.EAGAIN) {
                ClientNative.waitWritable(socket.fd(), WAIT_MS);
            }
        }
    }

    /**
     * Sends as many of the waiting requests as there is room for, if there is no thread for them. On the watcher's thread.
     *
     * @return whether it is to be called again
     */
    boolean sendWaiting() {
        if (!stranded) {
            return false;
        }
        synchronized (lock) {
            while (!queue.isEmpty() && sendFirst() != -Errno.EAGAIN) {}
            stranded = !queue.isEmpty();
            return stranded;
        }
    }

    /** Sends the first request that waits, or refuses it. 0, or -EAGAIN when there is no room for it yet. */
    private int sendFirst() {
        Pending pending = queue.peek();
        if (pending == null) {
            return 0;
        }
        Call call = pending.call();
        try {
            boolean wanted = call == null || !(call.isOver() || call.isCancelled());
            int result = wanted ? send(pending) : 0; // unwanted: closing its status channel ends it
            if (result == -Errno.EAGAIN) {
                return result;
            }
            if (result != 0 && call != null && !watcher.execute(call, () -> settle(pending, result))) {
                settle(pending, result); // the client is closed: no other request waits
            }
        } catch (Throwable t) { // no memory
            if (call != null) {
                call.failLater(t);
            }
        }
        queue.remove();
        close(pending);
        return 0;
    }

    private int send(Pending pending) {
        TransferRequest file = pending.request();
        if (file != null && file.path().length > Wire.MAX_PATH_LENGTH) { // as the daemon would say
            return -Errno.ENAMETOOLONG;
        }
        encode(pending);
        int first = -1;
        int second = -1;
        int third = -1;
        try {
            Pipe.SinkChannel status = pending.status();
            OwnedFd destination = pending.destination();
            OwnedFd source = pending.source();
            if (status != null) {
                first = Descriptors.numberOf(status); // no other thread has this channel
                second = destination == null ? -1 : destination.fd();
                third = source == null ? -1 : source.fd();
            } else if (destination != null) {
                first = destination.fd();
            }
        } catch (IOException e) {
            Log.error("cannot pass a status channel", e);
            return -Errno.EBADF;
        }
        int result = ClientNative.send(socket.fd(), buffer, buffer.position(), first, second, third);
        if (isUnconnected(result) && ClientNative.connect(socket.fd(), socketPathBytes) == 0) {
            result = ClientNative.send(socket.fd(), buffer, buffer.position(), first, second, third);
        }
        return result;
    }

    private static boolean isUnconnected(int result) {
        return result == -Errno.ECONNREFUSED || result == -Errno.ENOTCONN || result == -Errno.ECONNRESET;
    }

    private void encode(Pending pending) {
        buffer.clear();
        TransferRequest request = pending.request();
        if (request != null) {
            encode(pending.command(), request, pending.source() != null);
        } else if (pending.command() == Wire.SEND_OPEN_FILE) {
            RequestEncoder.putSendOpenFile(buffer, pending.transferId());
        } else {
            RequestEncoder.putCancel(buffer, pending.transferId());
        }
    }

    private void encode(int command, TransferRequest request, boolean hasSource) {
        long offset = request.offset();
        long length = request.length();
        if (!request.isExtended()) {
            long bytes = length == Wire.TO_END ? 0 : length; // 0 itself needs the extended form
            RequestEncoder.putFileRequest(buffer, command, request.path(), offset, bytes);
        } else if (hasSource) {
            RequestEncoder.putSendDescriptor(buffer, offset, length, request.options());
        } else {
            RequestEncoder.putFileRequest(buffer, extended(command), request.path(), offset, length, request.options());
        }
        if (request.segmentCount() > 0) {
            RequestEncoder.addSegments(buffer, 0, request.segments(), request.segmentCount());
        }
    }

    private static int extended(int command) {
        return switch (command) {
            case Wire.OPEN_FILE -> Wire.OPEN_FILE_EXT;
            case Wire.READ_FILE -> Wire.READ_FILE_EXT;
            default -> Wire.SEND_FILE_EXT;
        };
    }

    private void settle(Pending pending, int result) {
        Call call = pending.call();
        if (result == 0 || call == null) { // a Cancel that finds no daemon has nothing to cancel
            return;
        }
        if (isUnconnected(result)) {
            call.refuse(Errno.ECONNREFUSED, "no daemon listens at " + socketPath);
        } else if (result == -Errno.EAGAIN) {
            call.refuse(Errno.EAGAIN, maxQueued + " requests wait for the daemon already");
        } else if (result == -Errno.ECANCELED) {
            call.refuse(Errno.ECANCELED, "the client is closed");
        } else {
            call.refuse(-result, null);
        }
    }

    private static void close(Pending pending) {
        close(pending.status());
        close(pending.destination());
        if (pending.source() != null) {
            // Its disk may hold the close, and who submits a request does not wait for disks.
            DiskThreads.close(pending.source());
        }
    }

    private static void close(@Nullable Closeable passedOn) {
        try {
            if (passedOn != null) {
                passedOn.close();
            }
        } catch (Throwable t) { // an earlier write by the destination's owner has failed, or there is no memory
            report(t);
        }
    }

    /** Never throws: that would end the submitter's thread. */
    private static void report(Throwable t) {
        try {
            Log.warning("closing what was passed on", t);
        } catch (Throwable again) { // no memory, not even for the literal
            return;
        }
    }

    private void closeSocket() {
        try {
            socket.close();
        } catch (IOException e) {
            Log.warning("cannot close the request socket", e);
        }
    }

    /**
     * Drops the waiting requests and closes the socket: at once, or when the submitter notices. Idempotent. The watcher, which
     * is closed before, ends their calls.
     */
    void close() {
        synchronized (lock) {
            if (closed) {
                return;
            }
            closed = true;
            queue.forEach(RequestSender::close);
            queue.clear();
            stranded = false;
            if (submitter == null) {
                closeSocket();
            }
        }
    }
}
