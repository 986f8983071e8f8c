package io.sendfiled.client;

import io.sendfiled.transport.Session;
import io.sendfiled.transport.SessionHandle;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A file that is asked for more than once. Made by {@link SendfiledClient#registerFile(FileRequest)}; thread-safe.
 *
 * <p>Over a {@linkplain TransportKind#SESSION session} the daemon keeps it open: each request gets that file, whatever its name
 * stands for by then, and when the daemon ends, later requests fail with {@code ECONNABORTED}: register it again. Where
 * there was no session when it was registered, its name is opened for each request.
 */
public final class RegisteredFile implements AutoCloseable {
    private final FileRequest request;
    private final Instant modified;
    private final @Nullable FileDetails details;
    private final long size;
    private final @Nullable Session session;
    private final @Nullable SessionHandle handle;
    private final AtomicBoolean closed = new AtomicBoolean();

    /** @param session that has it open; null: it is opened by its name */
    RegisteredFile(
            FileRequest request,
            long size,
            Instant modified,
            @Nullable FileDetails details,
            @Nullable Session session,
            @Nullable SessionHandle handle) {
        this.request = request;
        this.size = size;
        this.modified = modified;
        this.details = details;
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

    /** What was registered. */
    public FileRequest request() {
        return request;
    }

    /** The file's bytes when it was registered. */
    public long size() {
        return size;
    }

    /** When it had been modified by then. */
    public Instant modified() {
        return modified;
    }

    /** More about the file, as it was then; null where that is not known ({@link TransportKind#JAVA}). */
    public @Nullable FileDetails details() {
        return details;
    }

    /**
     * Has the daemon close it: later requests fail with {@code EBADF}. Those that were submitted go on. Idempotent; does not wait
     * for the daemon.
     */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true) && session != null && handle != null) {
            session.release(handle);
        }
    }

    @Override
    public String toString() {
        return "RegisteredFile[" + request + ", " + size + " bytes" + (closed.get() ? ", closed]" : "]");
    }
}
