package io.sendfiled.examples;

import io.sendfiled.client.Destination;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferException;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * A thread for each connection, best a virtual one (JDK 21): it waits for a transfer in Java, so its carrier serves others
 * meanwhile, whatever the disk does. A client sends lines, each a file's path, and gets the files one after the other, each
 * behind a line with its size, or a line that says why not.
 */
public final class ThreadServer implements Closeable {
    private static final int LONGEST_LINE = 4_096;

    private final ServerSocketChannel listener = ServerSocketChannel.open();
    private final SendfiledClient client;
    private final Executor threads;

    /**
     * Listens.
     *
     * @param client of a daemon, or with an engine in this JVM; the caller keeps it
     * @param threads runs each connection's task, such as {@code Executors.newVirtualThreadPerTaskExecutor()}
     */
    public ThreadServer(SendfiledClient client, InetSocketAddress address, Executor threads) throws IOException {
        this.client = client;
        this.threads = threads;
        listener.bind(address);
    }

    /** Where it listens. */
    public SocketAddress address() throws IOException {
        return listener.getLocalAddress();
    }

    /** Accepts, on this thread, until {@link #close}. */
    public void run() throws IOException {
        try {
            while (true) {
                SocketChannel channel = listener.accept();
                threads.execute(() -> serve(channel));
            }
        } catch (ClosedChannelException e) { // by close()
            return;
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
    }

    private void serve(SocketChannel channel) {
        try (channel) {
            ByteBuffer received = ByteBuffer.allocate(LONGEST_LINE);
            for (String path = readLine(channel, received); path != null; path = readLine(channel, received)) {
                send(path, channel);
            }
        } catch (IOException | IllegalArgumentException e) { // the client is gone; or it has sent no path
            System.err.println("a connection ends: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // the server stops
        }
    }

    private void send(String path, SocketChannel channel) throws IOException, InterruptedException {
        try (OpenFile file = client.open(FileRequest.of(path)).get()) {
            write(channel, file.info().size() + "\n");
            file.send(Destination.of(channel)).await();
        } catch (ExecutionException e) { // nothing was sent: the connection can go on
            if (!(e.getCause() instanceof TransferException)) {
                throw new IOException(e.getCause());
            }
            write(channel, e.getCause().getMessage() + "\n");
        }
    }

    private static void write(SocketChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** The next line, of those that the buffer has or the client sends; null at their end. */
    private static @Nullable String readLine(SocketChannel channel, ByteBuffer received) throws IOException {
        while (true) {
            for (int i = 0; i < received.position(); i++) {
                if (received.get(i) == '\n') {
                    CharSequence line = StandardCharsets.UTF_8.decode(
                            received.duplicate().flip().limit(i));
                    received.flip().position(i + 1);
                    received.compact();
                    return line.toString();
                }
            }
            if (!received.hasRemaining()) {
                throw new IOException("a line of more than " + LONGEST_LINE + " bytes");
            }
            if (channel.read(received) < 0) {
                return null;
            }
        }
    }
}
