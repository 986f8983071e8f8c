package io.sendfiled.client;

import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.transport.Session;
import io.sendfiled.transport.SessionHandle;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A buffer that files are read into: a daemon maps it once, and writes into it. Made by {@link
 * SendfiledClient#register(SharedBuffer)}; thread-safe.
 *
 * <p>The caller keeps the buffer, and closes it after this. Who reads into it decides which request has which part of it, and
 * does not look at that part before the request is complete. A request can fail with {@code EBUSY} where another one writes to
 * its part.
 */
public final class RegisteredBuffer implements AutoCloseable {
    private final SharedBuffer buffer;
    private final @Nullable Session session;
    private final @Nullable SessionHandle handle;
    private final AtomicBoolean closed = new AtomicBoolean();

    /** @param session to register it with; null: there are none */
    RegisteredBuffer(SharedBuffer buffer, @Nullable Session session, @Nullable SessionHandle handle) {
        this.buffer = buffer;
        this.session = session;
        this.handle = handle;
    }

    @Nullable
    SessionHandle handle() {
        return handle;
    }

    boolean isClosed() {
        return closed.get();
    }

    /** The buffer. */
    public SharedBuffer buffer() {
        return buffer;
    }

    /**
     * Takes it back: later requests fail with {@code EBADF}. Those that were submitted go on. Idempotent; does not wait for the
     * daemon.
     */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true) && session != null) {
            session.release(Objects.requireNonNull(handle));
        }
    }
}
