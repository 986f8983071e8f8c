package io.sendfiled.examples;

import io.sendfiled.client.SendfiledClient;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;

/**
 * What both servers have in common: the loop, the listener, the connections, and {@code main}. Everything but
 * {@link #main}'s shutdown hook is on one thread, the main one.
 */
final class HttpServer implements Closeable {
    /** Makes a server's connections. */
    interface Connections {
        /** Takes the channel. */
        HttpConnection open(HttpServer server, SocketChannel channel) throws IOException;
    }

    private static final int PATIENCE_S = 30;
    private static final int BACKLOG = 4_096;

    private final Connections kind;
    private final Duration patience;
    private final SendfiledClient client;
    private final EventLoop loop = new EventLoop();
    private final Set<HttpConnection> connections = new HashSet<>();
    private final ServerSocketChannel listener = ServerSocketChannel.open();
    private final SelectionKey accepting;

    private HttpServer(Connections kind, SendfiledClient client, int port, Duration patience) throws IOException {
        this.kind = kind;
        this.client = client;
        this.patience = patience;
        listener.configureBlocking(false);
        listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), BACKLOG);
        accepting = loop.register(listener, SelectionKey.OP_ACCEPT, this::accept);
    }

    SendfiledClient client() {
        return client;
    }

    EventLoop loop() {
        return loop;
    }

    /** How long a client may take for its next move. */
    Duration patience() {
        return patience;
    }

    private void accept() {
        try {
            for (SocketChannel channel = listener.accept(); channel != null; channel = listener.accept()) {
                open(channel);
            }
        } catch (IOException e) { // no descriptor is left: the next tick tries again
            accepting.interestOps(0);
        }
    }

    private void open(SocketChannel channel) throws IOException {
        try {
            connections.add(kind.open(this, channel));
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    /** It is closed. */
    void forget(HttpConnection connection) {
        connections.remove(connection);
    }

    private void tick() {
        accepting.interestOps(SelectionKey.OP_ACCEPT);
        long now = System.nanoTime();
        for (HttpConnection connection : List.copyOf(connections)) {
            if (connection.socket.isLate(now)) {
                connection.close();
            }
        }
    }

    /** Serves until the loop is stopped. */
    private void run() throws IOException {
        System.out.println("listening on 127.0.0.1:" + listener.socket().getLocalPort());
        loop.run(this::tick);
    }

    @Override
    public void close() throws IOException {
        for (HttpConnection connection : List.copyOf(connections)) {
            connection.close();
        }
        listener.close();
        client.close();
        loop.close(); // and with it goes what was registered
    }

    /** A server's main: serves on the loopback address until SIGTERM or SIGINT. */
    static void main(String name, String[] args, Connections kind) {
        int port = args.length >= 3 ? number(args[2], 0, 65_535) : -1;
        int patience = args.length >= 4 ? number(args[3], 1, 3_600) : PATIENCE_S;
        if (args.length > 4 || port < 0 || patience < 0) {
            System.err.println("usage: " + name + " SOCKDIR NAME PORT [SECONDS]\n"
                    + "Serves the files of the sendfiled NAME, whose socket is in SOCKDIR, on 127.0.0.1:PORT\n"
                    + "(0: any). A client may take SECONDS (" + PATIENCE_S + ") for a request or for reading on.");
            System.exit(2);
        }
        CountDownLatch ended = new CountDownLatch(1);
        try (SendfiledClient client = SendfiledClient.connect(Path.of(args[0]), args[1]);
                HttpServer server = new HttpServer(kind, client, port, Duration.ofSeconds(patience))) {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> server.stop(ended)));
            server.run();
        } catch (IOException e) {
            System.err.println(name + ": " + e.getMessage());
            ended.countDown();
            System.exit(1);
        } finally {
            ended.countDown();
        }
    }

    /** The shutdown hook: the JVM ends when this returns. */
    private void stop(CountDownLatch ended) {
        loop.stop();
        try {
            ended.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** A whole decimal number in a range; -1 for anything else. */
    private static int number(String text, int least, int most) {
        if (!text.matches("\\d{1,6}")) {
            return -1;
        }
        int number = Integer.parseInt(text);
        return number >= least && number <= most ? number : -1;
    }
}
