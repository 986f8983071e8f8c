package io.sendfiled.client;

import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.transport.Session;
import io.sendfiled.transport.SessionHandle;
import java.io.IOException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A destination that is sent to more than once: a connection, say. It is passed to a daemon once, and not with each request.
 * Made by {@link SendfiledClient#register(Destination)}; thread-safe.
 *
 * <p>It has a duplicate of the descriptor, and so has the daemon: the original may be closed, but a socket sends no FIN before
 * this is closed as well. When a daemon ends, the next use registers it with the next one. It is a {@link Destination}
 * like any other for requests that need one.
 */
public final class RegisteredDestination implements Destination, AutoCloseable {
    private final Destination original;
    private final @Nullable OwnedFd descriptor; // null: there is no native library to make one
    private final @Nullable Session session;
    private final @Nullable SessionHandle handle;

    /**
     * @param original where there is no descriptor, what stands for it
     * @param descriptor taken
     * @param session to register it with; null: there are none
     */
    RegisteredDestination(
            Destination original,
            @Nullable OwnedFd descriptor,
            @Nullable Session session,
            @Nullable SessionHandle handle) {
        this.original = original;
        this.descriptor = descriptor;
        this.session = session;
        this.handle = handle;
    }

    @Nullable
    SessionHandle handle() {
        return handle;
    }

    /** What a transport without descriptors takes in its place. */
    Destination original() {
        return descriptor == null ? original : this;
    }

    @Override
    public OwnedFd duplicate() throws IOException {
        OwnedFd own = descriptor;
        if (own == null) {
            return original.duplicate();
        }
        try {
            return Descriptors.duplicate(own);
        } catch (IllegalStateException e) { // as for one that was closed at any other time
            NativeIoException failure = new NativeIoException("use a destination that was closed", Errno.EBADF);
            failure.initCause(e);
            throw failure;
        }
    }

    /**
     * Takes it back: later requests fail with {@code EBADF}. Those that were submitted go on. Idempotent; does not wait for the
     * daemon.
     */
    @Override
    public void close() {
        if (session != null) {
            session.release(Objects.requireNonNull(handle)); // which closes the descriptor
        } else {
            SendfiledClient.close(descriptor);
        }
    }
}
