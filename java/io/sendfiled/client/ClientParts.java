package io.sendfiled.client;

import io.sendfiled.transport.Log;
import io.sendfiled.transport.Session;
import io.sendfiled.transport.Transport;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** What a client owns. It does not know the client, but by its running transfers. */
final class ClientParts {
    final Transport transport;
    final Copying copying;
    final @Nullable Executor completionExecutor;
    final @Nullable HotPath hot;
    final @Nullable Session session; // null: the engine is no daemon's
    final NullDevice nowhere = new NullDevice();
    private final AtomicBoolean closed = new AtomicBoolean();

    ClientParts(
            Transport transport,
            Copying copying,
            @Nullable Executor completionExecutor,
            @Nullable HotPath hot,
            @Nullable Session session) {
        this.transport = transport;
        this.copying = copying;
        this.completionExecutor = completionExecutor;
        this.hot = hot;
        this.session = session;
    }

    boolean isClosed() {
        return closed.get();
    }

    /** False if it was closed before. */
    boolean close() {
        if (!closed.compareAndSet(false, true)) {
            return false;
        }
        if (session != null) {
            session.close();
        }
        copying.close();
        transport.close();
        nowhere.close();
        if (hot != null) {
            hot.close();
        }
        return true;
    }

    /** The client is unreachable, or was closed. */
    void reclaim() {
        if (close()) {
            Log.warning("a SendfiledClient of " + transport.where() + " was not closed", null);
        }
    }
}
