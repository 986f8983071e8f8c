package io.sendfiled.client;

import io.sendfiled.base.Forgotten;
import io.sendfiled.transport.JavaTransport;
import io.sendfiled.transport.Transport;
import java.util.Objects;

/**
 * A file that the daemon holds open for this process, until it is sent, closed, or not sent in time (the daemon's
 * open-file timeout). Thread-safe. One that is forgotten is closed when the garbage collector finds it, which is logged.
 *
 * <p>For answers that begin with the file's size: open, write the headers, send.
 */
public final class OpenFile implements AutoCloseable {
    private final OpenExchange exchange;
    private final FileInfo info;

    OpenFile(OpenExchange exchange, FileInfo info) {
        this.exchange = exchange;
        this.info = info;
        var unused = Forgotten.watch(this, exchange::onFileUnreachable);
    }

    /** The file's size and times. */
    public FileInfo info() {
        return info;
    }

    /** What was opened. */
    public FileRequest request() {
        return exchange.request();
    }

    /**
     * Sends the file, or the range that was opened. Once only. Never blocks.
     *
     * @param destination the destination; the caller keeps it
     * @return the transfer; it fails with {@code ETIMEDOUT} if the daemon has given the file up meanwhile
     * @throws IllegalStateException if it was sent or closed before
     */
    public Transfer send(Destination destination) {
        if (!exchange.use()) {
            throw new IllegalStateException(exchange.request() + " was sent or closed before");
        }
        exchange.restartAs(Operation.SEND_OPEN);
        Transport transport = exchange.client.transport();
        if (transport instanceof JavaTransport java) {
            InJava.sendOpened(java, exchange, destination);
            return exchange;
        }
        try {
            transport.sendOpened(exchange, Objects.requireNonNull(destination.duplicate()));
        } catch (Throwable t) { // the destination's, or no memory
            exchange.sendCancel();
            exchange.refuse(t);
        }
        return exchange;
    }

    /** Tells the daemon to close the file; does nothing if the file was sent. Idempotent, never blocks. */
    @Override
    public void close() {
        if (exchange.use()) {
            exchange.cancel();
        }
    }
}
