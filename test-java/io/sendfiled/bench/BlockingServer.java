package io.sendfiled.bench;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A program: an HTTP server of files with a thread for each connection, which blocks, and {@code FileChannel.transferTo}.
 * It announces its port, and ends with its standard input.
 *
 * <p>It knows GET, keep-alive, 200 and 404, and no more: what is measured is how files are sent.
 */
final class BlockingServer {
    /** Whose threads they are. */
    enum Threads {
        /** Of a pool, of which there are {@link #MOST_THREADS} at most. */
        POOL,
        /** Virtual ones, of JDK 21 or later. */
        VIRTUAL
    }

    /** As many as Tomcat has if it is told nothing. */
    static final int MOST_THREADS = 200;

    private static final int BACKLOG = 1024;
    private static final int MOST_REQUEST = 8192;
    private static final String END_OF_HEADER = "\r\n\r\n";

    private BlockingServer() {}

    /** Arguments: the kind of threads, the directory of the files. */
    public static void main(String[] args) throws IOException {
        ExecutorService threads = threads(Threads.valueOf(args[0].toUpperCase(Locale.ROOT)));
        Path root = Path.of(args[1]);
        ServerSocketChannel server = ServerSocketChannel.open();
        server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), BACKLOG);
        Thread acceptor = new Thread(() -> accept(server, threads, root), "acceptor");
        acceptor.setDaemon(true);
        acceptor.start();
        WebServer.announceUntilInputEnds(((InetSocketAddress) server.getLocalAddress()).getPort());
    }

    private static ExecutorService threads(Threads kind) {
        if (kind == Threads.POOL) {
            return Executors.newFixedThreadPool(MOST_THREADS);
        }
        try { // The harness is compiled for Java 17.
            return (ExecutorService)
                    Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("virtual threads need JDK 21 or later", e);
        }
    }

    private static void accept(ServerSocketChannel server, ExecutorService threads, Path root) {
        try {
            while (true) {
                SocketChannel connection = server.accept();
                threads.execute(() -> serve(connection, root));
            }
        } catch (IOException e) {
            throw new IllegalStateException("no connection can be accepted", e);
        }
    }

    private static void serve(SocketChannel accepted, Path root) {
        try (SocketChannel connection = accepted) {
            // The header is a write of its own: nothing of a response is to wait for its acknowledgement.
            connection.setOption(StandardSocketOptions.TCP_NODELAY, true);
            byte[] bytes = new byte[MOST_REQUEST];
            ByteBuffer request = ByteBuffer.wrap(bytes);
            while (true) {
                send(connection, root.resolve(nextTarget(connection, request, bytes)));
            }
        } catch (IOException e) {
            return; // the client has hung up
        }
    }

    /** The target of the next request, without its slash; the buffer is one of these bytes. Blocks. */
    private static String nextTarget(SocketChannel connection, ByteBuffer request, byte[] bytes) throws IOException {
        request.clear();
        while (true) {
            if (connection.read(request) <= 0) {
                throw new EOFException(); // also of a request that is too long
            }
            String text = new String(bytes, 0, request.position(), StandardCharsets.ISO_8859_1);
            if (text.endsWith(END_OF_HEADER)) { // no client here sends a request before it has the last response
                return text.substring("GET /".length(), text.indexOf(' ', "GET /".length()));
            }
        }
    }

    private static void send(SocketChannel connection, Path path) throws IOException {
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
            long size = file.size();
            write(connection, "200 OK", size);
            for (long sent = 0; sent < size; ) {
                long count = file.transferTo(sent, size - sent, connection);
                if (count == 0) {
                    throw new EOFException(path + " has become shorter");
                }
                sent += count;
            }
        } catch (NoSuchFileException e) {
            write(connection, "404 Not Found", 0);
        }
    }

    private static void write(SocketChannel connection, String status, long length) throws IOException {
        ByteBuffer header = StandardCharsets.US_ASCII.encode("HTTP/1.1 " + status + "\r\nContent-Length: " + length
                + "\r\nContent-Type: application/octet-stream" + END_OF_HEADER);
        while (header.hasRemaining()) {
            connection.write(header);
        }
    }
}
