package io.sendfiled.client;

import io.sendfiled.hot.HotFile;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.transport.Log;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** A file that this process has open itself, until it is sent or discarded, or the client is closed. Owns it. */
final class HotOpened implements Opened {
    private final OpenExchange exchange;
    private final HotPath hot;
    private final AtomicReference<@Nullable HotFile> file;
    private final AtomicBoolean used = new AtomicBoolean();

    HotOpened(OpenExchange exchange, HotPath hot, HotFile file) {
        this.exchange = exchange;
        this.hot = hot;
        this.file = new AtomicReference<>(file);
    }

    @Override
    public FileRequest request() {
        return exchange.request();
    }

    @Override
    public boolean use() {
        return used.compareAndSet(false, true);
    }

    @Override
    public Transfer send(Destination destination) {
        SendExchange sending = new SendExchange(Operation.SEND_OPEN, request(), exchange.client);
        OwnedFd to = null;
        try (HotFile taken = take()) {
            if (taken == null) { // the client was closed
                sending.abandon();
            } else {
                to = Objects.requireNonNull(destination.duplicate());
                hot.send(sending, taken, to, exchange.client.engine());
            }
        } catch (Throwable t) { // the destination's, or no memory
            if (to == null) {
                sending.refuse(t);
            } else {
                SendfiledClient.close(to);
                sending.fail(t);
            }
        }
        return sending;
    }

    /** The file, which the caller closes; null if it was taken before. */
    private @Nullable HotFile take() {
        hot.forget(this);
        return file.getAndSet(null);
    }

    @Override
    public void discard() {
        HotFile taken = take();
        if (taken != null) {
            taken.close();
        }
    }

    @Override
    public void onUnreachable() {
        if (use() && file.get() != null) {
            discard();
            Log.warning(request() + " was opened, and neither sent nor closed", null);
        }
    }
}
