package io.sendfiled.control;

import io.sendfiled.base.SystemLog;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Iterator;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The thread of a server that waits for no peer: it hears who has something to say, ends those whose time is over, and lets in
 * one more, in this order and over and over.
 *
 * <p>Owns the listening socket, the selector and the thread, which is a daemon thread: the process ends without it. The peers
 * are the subclass's, which is called on this thread alone.
 */
public abstract class SelectorServer implements AutoCloseable {
    /** Without descriptors or memory each accept fails at once, and the socket stays readable. */
    private static final int PAUSE_MS = 100;

    private final Closeable socket;
    private final ServerSocketChannel channel;
    private final String log;
    private final String served;
    private final Thread thread;
    private volatile boolean closed;
    private volatile @Nullable Selector selector; // of the thread

    /**
     * @param name of the thread
     * @param log where a failure is told
     * @param served what is, in the words of that
     * @param socket is taken
     * @param channel of the socket
     */
    protected SelectorServer(String name, String log, String served, Closeable socket, ServerSocketChannel channel) {
        this.log = log;
        this.served = served;
        this.socket = socket;
        this.channel = channel;
        thread = new Thread(this::run, name);
        thread.setDaemon(true);
    }

    /** Once. */
    public final void start() {
        thread.start();
    }

    private void run() {
        try (Selector opened = Selector.open()) {
            selector = opened;
            channel.register(opened, SelectionKey.OP_ACCEPT);
            while (!closed) {
                opened.select(timeoutMs());
                serve(opened);
            }
        } catch (IOException | RuntimeException e) {
            if (!closed) {
                SystemLog.log(log, System.Logger.Level.ERROR, served + " not served any more", e);
            }
        } finally {
            ended();
        }
    }

    private long timeoutMs() {
        long leftNs = leftNs();
        return leftNs == Long.MAX_VALUE ? 0 : Math.max(1, TimeUnit.NANOSECONDS.toMillis(leftNs) + 1); // 0: no limit
    }

    private void serve(Selector from) {
        boolean accepts = false;
        for (Iterator<SelectionKey> keys = from.selectedKeys().iterator(); keys.hasNext(); keys.remove()) {
            SelectionKey key = keys.next();
            if (key.attachment() == null) {
                accepts = true;
            } else {
                ready(key);
            }
        }
        endLate();
        if (accepts) {
            accept(from);
        }
    }

    private void accept(Selector to) {
        SocketChannel peer;
        try {
            peer = channel.accept();
        } catch (IOException e) { // no descriptor
            pause();
            return;
        }
        if (peer != null) {
            accepted(peer, to);
        }
    }

    private static void pause() {
        try {
            Thread.sleep(PAUSE_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Closes what may be closed already. */
    protected static void close(SocketChannel peer) {
        try {
            peer.close();
        } catch (IOException e) {
            // It is closed all the same.
        }
    }

    /** Until the time of the next peer is over; {@link Long#MAX_VALUE}: there is none whose time counts. */
    protected abstract long leftNs();

    /** A peer, the key's attachment, has something to say, or room. */
    protected abstract void ready(SelectionKey key);

    /** Ends the peers whose time is over. */
    protected abstract void endLate();

    /** Takes a new one; what it registers with the selector has the peer as its attachment. */
    protected abstract void accepted(SocketChannel peer, Selector to);

    /** No other call follows. */
    protected void ended() {}

    /** The selector, once the thread has one. */
    protected final @Nullable Selector selector() {
        return selector;
    }

    /** Removes the socket's name, if it has one, and takes no more connections. Idempotent. */
    @Override
    public void close() throws IOException {
        closed = true;
        socket.close();
        Selector wakes = selector;
        if (wakes != null) {
            wakes.wakeup();
        }
    }
}
