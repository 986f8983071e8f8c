package io.sendfiled.metrics;

import io.sendfiled.base.SystemLog;
import io.sendfiled.control.SelectorServer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Answers {@code GET /metrics} by HTTP/1.1, a request a connection.
 *
 * <p>One thread does all of it and waits for no peer: to make a text takes it milliseconds. Nobody holds it: a peer is closed
 * five seconds after it has connected, whatever it does, and earlier, the one that matters least first, if others want to
 * connect and {@value #CONNECTIONS_MAX} are there.
 *
 * <p>Owns the socket, the connections and the thread, which is a daemon thread: the process ends without it.
 */
public final class MetricsServer extends SelectorServer {
    /** Makes the text anew. */
    @FunctionalInterface
    public interface Text {
        /** On the server's thread. */
        byte[] make() throws IOException;
    }

    private static final int CONNECTIONS_MAX = 8;
    private static final int REQUEST_MAX = 4096;
    private static final long TIME_NS = TimeUnit.SECONDS.toNanos(5);
    /** So long a text is as good as a new one: who asks without end costs no processor more than that. */
    private static final long FRESH_NS = TimeUnit.MILLISECONDS.toNanos(100);

    private static final String LOG = "io.sendfiled.metrics";
    private static final String PATH = "/metrics";
    private static final String PLAIN = "text/plain; charset=utf-8";

    private static final int OK = 200;
    private static final int BAD_REQUEST = 400;
    private static final int NOT_FOUND = 404;
    private static final int METHOD_NOT_ALLOWED = 405;
    private static final int TOO_LARGE = 431;
    private static final int FAILED = 500;
    private static final int VERSION_NOT_SUPPORTED = 505;

    /** What a peer is in, in the order in which peers are given up for others. */
    private enum State {
        /** It has its answer; what it still sends is read, since a close would cost it the answer (RST). */
        ANSWERED,
        ASKING,
        READING
    }

    private static final class Peer {
        final SocketChannel channel;
        final byte[] bytes = new byte[REQUEST_MAX];
        final ByteBuffer request = ByteBuffer.wrap(bytes);
        final long acceptedNs = System.nanoTime();
        State state = State.ASKING;
        ByteBuffer answer = ByteBuffer.allocate(0);

        Peer(SocketChannel channel) {
            this.channel = channel;
        }
    }

    private final String contentType;
    private final Text text;
    private final Deque<Peer> peers = new ArrayDeque<>(); // the oldest first
    private byte @Nullable [] last; // that was made
    private long lastNs;
    private boolean isFailing; // so that it is said once

    /**
     * @param socket is taken
     * @param contentType of the text
     */
    public MetricsServer(MetricsSocket socket, String contentType, Text text) {
        super("sendfiled-metrics", LOG, "the metrics are", socket, socket.channel());
        this.contentType = contentType;
        this.text = text;
    }

    @Override
    protected long leftNs() {
        Peer oldest = peers.peekFirst();
        return oldest == null ? Long.MAX_VALUE : TIME_NS - (System.nanoTime() - oldest.acceptedNs);
    }

    @Override
    protected void ready(SelectionKey key) {
        if (key.attachment() instanceof Peer peer) {
            advance(peer, key);
        }
    }

    @Override
    protected void endLate() {
        while (leftNs() <= 0) {
            end(peers.getFirst());
        }
    }

    @Override
    protected void ended() {
        peers.forEach(peer -> close(peer.channel));
    }

    // ---- connections ----

    @Override
    protected void accepted(SocketChannel channel, Selector to) {
        if (peers.size() >= CONNECTIONS_MAX) {
            end(leastImportant());
        }
        Peer peer = new Peer(channel);
        peers.addLast(peer);
        try {
            channel.configureBlocking(false);
            // What it has sent before it was accepted is answered before others can push it out.
            advance(peer, channel.register(to, SelectionKey.OP_READ, peer));
        } catch (IOException e) { // it is gone
            end(peer);
        }
    }

    private Peer leastImportant() {
        Peer least = peers.getFirst();
        for (Peer peer : peers) {
            if (peer.state.compareTo(least.state) < 0) {
                least = peer;
            }
        }
        return least;
    }

    private void advance(Peer peer, SelectionKey key) {
        try {
            boolean stays =
                    switch (peer.state) {
                        case ASKING -> read(peer, key);
                        case READING -> write(peer, key);
                        case ANSWERED -> discard(peer);
                    };
            if (!stays) {
                end(peer);
            }
        } catch (IOException e) { // it is gone
            end(peer);
        }
    }

    private void end(Peer peer) {
        peers.remove(peer);
        close(peer.channel);
    }

    private boolean read(Peer peer, SelectionKey key) throws IOException {
        int count = peer.channel.read(peer.request);
        String head = head(peer.bytes, peer.request.position());
        if (head == null && peer.request.hasRemaining()) {
            return count >= 0;
        }
        peer.answer = head == null ? says(TOO_LARGE, "Request Header Fields Too Large", "") : answer(head);
        peer.state = State.READING;
        key.interestOps(SelectionKey.OP_WRITE);
        return write(peer, key);
    }

    private static boolean write(Peer peer, SelectionKey key) throws IOException {
        peer.channel.write(peer.answer);
        if (peer.answer.hasRemaining()) {
            return true;
        }
        peer.channel.shutdownOutput();
        peer.state = State.ANSWERED;
        key.interestOps(SelectionKey.OP_READ);
        return discard(peer);
    }

    private static boolean discard(Peer peer) throws IOException {
        return peer.channel.read(peer.request.clear()) >= 0;
    }

    // ---- HTTP ----

    /** The lines up to the empty one; null: they are not complete. */
    private static @Nullable String head(byte[] request, int length) {
        String text = new String(request, 0, length, StandardCharsets.ISO_8859_1);
        int end = text.indexOf("\r\n\r\n");
        int bare = text.indexOf("\n\n");
        if (end < 0 || (bare >= 0 && bare < end)) {
            end = bare;
        }
        return end < 0 ? null : text.substring(0, end);
    }

    private ByteBuffer answer(String head) {
        String[] words = head.lines().findFirst().orElse("").split(" ", -1);
        if (words.length != 3 || !words[0].matches("[A-Z]{1,20}") || !words[2].matches("HTTP/\\d\\.\\d")) {
            return says(BAD_REQUEST, "Bad Request", "");
        }
        if (!words[2].startsWith("HTTP/1.")) {
            return says(VERSION_NOT_SUPPORTED, "HTTP Version Not Supported", "");
        }
        int query = words[1].indexOf('?');
        String path = query < 0 ? words[1] : words[1].substring(0, query);
        if (!path.equals(PATH)) {
            return says(NOT_FOUND, "Not Found", "");
        }
        if (!words[0].equals("GET") && !words[0].equals("HEAD")) {
            return says(METHOD_NOT_ALLOWED, "Method Not Allowed", "Allow: GET, HEAD\r\n");
        }
        byte[] body;
        try {
            body = freshText();
        } catch (IOException | RuntimeException | LinkageError | OutOfMemoryError e) {
            if (!isFailing) {
                isFailing = true;
                SystemLog.log(LOG, System.Logger.Level.ERROR, "the metrics cannot be told", e);
            }
            return says(FAILED, "Internal Server Error", "");
        }
        return answer(OK, "OK", contentType, "Cache-Control: no-store\r\n", body, words[0].equals("GET"));
    }

    private byte[] freshText() throws IOException {
        if (last == null || System.nanoTime() - lastNs > FRESH_NS) {
            last = text.make();
            lastNs = System.nanoTime();
            isFailing = false;
        }
        return last;
    }

    private static ByteBuffer says(int status, String reason, String fields) {
        return answer(status, reason, PLAIN, fields, (reason + "\n").getBytes(StandardCharsets.US_ASCII), true);
    }

    private static ByteBuffer answer(
            int status, String reason, String type, String fields, byte[] body, boolean withBody) {
        byte[] head = ("HTTP/1.1 " + status + " " + reason + "\r\nContent-Type: " + type + "\r\nContent-Length: "
                        + body.length + "\r\n" + fields + "Connection: close\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII);
        ByteBuffer answer = ByteBuffer.allocate(head.length + (withBody ? body.length : 0));
        answer.put(head);
        if (withBody) {
            answer.put(body);
        }
        return answer.flip();
    }
}
