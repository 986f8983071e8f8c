package io.sendfiled.examples;

import io.sendfiled.client.Destination;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferException;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/**
 * Plain NIO: one thread, one {@code Selector}, and no disk that ever stalls it. A client sends a line, a file's path, and gets
 * the file, or a line that says why not; then the connection ends.
 *
 * <p>The end of a transfer is an event of the loop: {@link EventLoop} is an {@code Executor} that wakes its selector. Until then
 * the socket is the engine's: nothing here reads it or writes to it.
 */
public final class SelectorServer implements Closeable {
    private static final int LONGEST_LINE = 4_096;

    private final EventLoop loop = new EventLoop();
    private final ServerSocketChannel listener = ServerSocketChannel.open();
    private final SendfiledClient client;

    /**
     * Listens.
     *
     * @param client of a daemon, or with an engine in this JVM; the caller keeps it
     */
    public SelectorServer(SendfiledClient client, InetSocketAddress address) throws IOException {
        this.client = client;
        listener.bind(address).configureBlocking(false);
        loop.register(listener, SelectionKey.OP_ACCEPT, this::accept);
    }

    /** Where it listens. */
    public SocketAddress address() throws IOException {
        return listener.getLocalAddress();
    }

    /** Serves, on this thread, until {@link #stop}. */
    public void run() throws IOException {
        loop.run(() -> {});
    }

    /** Ends {@link #run}. Any thread. */
    public void stop() {
        loop.stop();
    }

    @Override
    public void close() throws IOException {
        listener.close();
        loop.close();
    }

    private void accept() {
        try {
            SocketChannel channel = listener.accept();
            if (channel != null) {
                new Connection(channel).start();
            }
        } catch (IOException e) { // the peer is gone, or no descriptor is free
            System.err.println("accept: " + e.getMessage());
        }
    }

    private final class Connection {
        private final SocketChannel channel;
        private @Nullable SelectionKey key;
        private final ByteBuffer line = ByteBuffer.allocate(LONGEST_LINE);

        Connection(SocketChannel channel) {
            this.channel = channel;
        }

        void start() {
            try {
                channel.configureBlocking(false);
                key = loop.register(channel, SelectionKey.OP_READ, this::onReadable);
            } catch (IOException e) {
                close();
            }
        }

        private void onReadable() {
            try {
                int count = channel.read(line);
                String text =
                        StandardCharsets.UTF_8.decode(line.duplicate().flip()).toString();
                int end = text.indexOf('\n');
                if (end >= 0) {
                    send(text.substring(0, end));
                } else if (count < 0 || !line.hasRemaining()) {
                    close();
                }
            } catch (IOException | IllegalArgumentException e) { // reset; or no path
                close();
            }
        }

        private void send(String path) {
            FileRequest request = FileRequest.of(path).completingOn(loop);
            Objects.requireNonNull(key).interestOps(0); // the socket is the engine's now
            var unused = client.send(request, Destination.of(channel))
                    .result()
                    .whenComplete((result, failure) -> onSent(failure));
        }

        private void onSent(@Nullable Throwable failure) {
            Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
            if (cause instanceof TransferException e && e.bytesMoved() == 0) { // the client has got nothing yet
                answer(e.getMessage() + "\n");
            }
            close();
        }

        private void answer(String text) {
            try {
                channel.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8))); // fits: nothing was sent before
            } catch (IOException e) { // the client is gone
                return;
            }
        }

        private void close() {
            try {
                channel.close();
            } catch (IOException e) {
                System.err.println("close: " + e.getMessage());
            }
        }
    }
}
