package io.sendfiled.examples;

import java.io.EOFException;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A client's socket: what it has sent and nobody has read yet, and what, and how long, is waited for.
 *
 * <p>On the loop's thread, and never waits. Owns the channel.
 */
final class HttpSocket {
    private static final int MAX_HEAD = 8_192;

    private final SocketChannel channel;
    private final SelectionKey key;
    private final long patienceNs;
    private final Runnable onTurn;
    private final Runnable onGone;
    private final ByteBuffer input = ByteBuffer.allocate(MAX_HEAD); // up to its position: what the client has sent
    private boolean daemonsTurn;
    private boolean ended; // the client has said all it has to say; it may listen yet
    private long deadlineNs; // of the client's next move; 0: it is not its turn

    /**
     * Takes a channel, and waits for a request.
     *
     * @param onTurn what to do when the client is ready for what is waited for
     * @param onGone what to do when it has gone, while something else is waited for
     */
    HttpSocket(EventLoop loop, SocketChannel channel, Duration patience, Runnable onTurn, Runnable onGone)
            throws IOException {
        this.channel = channel;
        this.patienceNs = patience.toNanos();
        this.onTurn = onTurn;
        this.onGone = onGone;
        channel.configureBlocking(false);
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true); // a header does not wait for its body
        key = loop.register(channel, 0, this::onReady);
        awaitClient(SelectionKey.OP_READ);
    }

    /** For the daemon to write to, and until its result is there for nobody else. */
    SocketChannel channel() {
        return channel;
    }

    // ---- what is waited for ----

    /** Waits for the client: for {@code OP_READ} or {@code OP_WRITE}, but not for ever. */
    void awaitClient(int interest) {
        daemonsTurn = false;
        key.interestOps(interest);
        if (deadlineNs == 0) {
            deadlineNs = System.nanoTime() + patienceNs;
        }
    }

    /** Waits for the daemon. What the client sends meanwhile is kept, for that is how a reset is noticed. */
    void awaitDaemon() {
        daemonsTurn = true;
        deadlineNs = 0;
        key.interestOps(input.hasRemaining() && !ended ? SelectionKey.OP_READ : 0);
    }

    /** Waits for nothing: somebody else will call back. */
    void pause() {
        daemonsTurn = false;
        deadlineNs = 0;
        key.interestOps(0);
    }

    /** Whether the client has taken more time than it has. */
    boolean isLate(long nowNs) {
        return deadlineNs != 0 && nowNs - deadlineNs >= 0;
    }

    private void onReady() {
        if (!daemonsTurn) {
            onTurn.run();
            return;
        }
        try {
            read();
            awaitDaemon();
        } catch (IOException e) {
            onGone.run();
        }
    }

    // ---- bytes ----

    private int read() throws IOException {
        int count = channel.read(input);
        ended |= count < 0;
        return count;
    }

    /** Whether the client has sent more than was read of it. */
    boolean hasInput() {
        return input.position() > 0;
    }

    /**
     * Takes a request.
     *
     * @return null if it is not whole, and the rest is waited for
     * @throws IOException if the client has gone
     */
    @Nullable
    HttpRequest readRequest() throws IOException {
        int length;
        while ((length = HttpRequest.headLength(input)) == 0 && input.hasRemaining()) {
            int count = read();
            if (count < 0) {
                throw new EOFException();
            }
            if (count == 0) {
                awaitClient(SelectionKey.OP_READ);
                return null;
            }
        }
        deadlineNs = 0;
        if (length == 0) {
            return HttpRequest.refused(431, false);
        }
        String head = new String(input.array(), 0, length, StandardCharsets.ISO_8859_1);
        input.flip().position(length);
        input.compact();
        return HttpRequest.parse(head);
    }

    /** Writes what there is room for. Gives whether that was all; if not, waits for more room. */
    boolean write(ByteBuffer bytes) throws IOException {
        if (channel.write(bytes) > 0) {
            deadlineNs = 0; // the client reads on
        }
        if (bytes.hasRemaining()) {
            awaitClient(SelectionKey.OP_WRITE);
            return false;
        }
        return true;
    }

    /**
     * Says that nothing more comes, and waits for the client's end. To close a socket in which bytes have not been read
     * resets the connection, and what the client has not read of the response yet is lost: RFC 9112, 9.6.
     *
     * @throws IOException if it has come
     */
    void linger() throws IOException {
        channel.shutdownOutput();
        input.clear();
        if (read() < 0) {
            throw new EOFException();
        }
        awaitClient(SelectionKey.OP_READ);
    }

    /** Hangs up. The daemon may have a duplicate for a moment longer: closing alone would not end the connection. */
    void close() {
        try (channel) {
            channel.shutdownInput().shutdownOutput();
        } catch (IOException e) { // the client has ended it already
            ended = true;
        }
    }
}
