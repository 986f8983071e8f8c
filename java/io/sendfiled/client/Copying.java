package io.sendfiled.client;

import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import java.nio.ByteBuffer;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * What all copies of a client share: the threads, the buffers, and the list of running copies. Thread-safe.
 *
 * <p>Owns its threads, unless the user gave an executor. The first copy starts them, and idle ones end.
 */
final class Copying {
    private static final int BUFFER_SIZE = 256 * 1024;

    private final String name;
    private final Queue<ByteBuffer> buffers = new ConcurrentLinkedQueue<>();
    private final Set<ReadToExchange> underWay = ConcurrentHashMap.newKeySet();
    private final @Nullable Executor users;
    private @Nullable ExecutorService own; // under this
    private boolean closed; // under this

    Copying(@Nullable Executor users, String name) {
        this.users = users;
        this.name = name;
    }

    /** Remembers an exchange until its end, so that {@link #close} finds it. */
    void track(ReadToExchange exchange) {
        underWay.add(exchange);
        var unused = exchange.result().whenComplete((result, failure) -> underWay.remove(exchange));
    }

    /**
     * Runs a copy. Throws whatever the user's executor throws, too.
     *
     * @throws RejectedExecutionException if the executor rejects it, or the client is closed
     * @throws NativeIoException {@code EAGAIN} if the client's own thread cannot be started
     */
    void execute(Runnable copy) throws NativeIoException {
        Executor executor = executor();
        try {
            executor.execute(copy);
        } catch (OutOfMemoryError e) {
            if (executor == users) {
                throw e;
            }
            NativeIoException failure = new NativeIoException("start a thread that copies", Errno.EAGAIN);
            failure.initCause(e);
            throw failure;
        }
    }

    private synchronized Executor executor() {
        if (closed) {
            throw new RejectedExecutionException("the client is closed");
        }
        if (users != null) {
            return users;
        }
        if (own == null) {
            own = Executors.newCachedThreadPool(task -> {
                Thread thread = new Thread(task, name + "-copy");
                thread.setDaemon(true);
                return thread;
            });
        }
        return own;
    }

    ByteBuffer takeBuffer() {
        ByteBuffer buffer = buffers.poll();
        return buffer != null ? buffer : ByteBuffer.allocateDirect(BUFFER_SIZE);
    }

    void giveBack(ByteBuffer buffer) {
        buffers.add(buffer);
    }

    /** Cancels all copies. Their threads end on their own. */
    void close() {
        synchronized (this) {
            closed = true;
            if (own != null) {
                own.shutdown();
            }
        }
        for (ReadToExchange exchange : underWay) {
            exchange.cancel();
        }
    }
}
