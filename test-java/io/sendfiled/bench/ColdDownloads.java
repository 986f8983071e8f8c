package io.sendfiled.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Downloads of cold files from a web server that go on while something else is measured, each with a connection of its own: as
 * fast as they come, or a part each beat. A file must be so long that it lasts: at its end its download is over.
 *
 * <p>One thread takes from each connection, once a beat, what has come until then. A thread for each, which wakes for every
 * segment, would use more of the processors than the server that sends them.
 */
final class ColdDownloads implements AutoCloseable {
    /** What a download takes at most: a part at the start of each beat. One that came too late is not caught up on. */
    record Pace(int bytes, long beatMs) {
        double bytesPerSecond() {
            return bytes * 1e3 / beatMs;
        }
    }

    /** More than any disk has. */
    private static final Pace AS_THEY_COME = new Pace(1 << 20, 4);
    /** Of the kernel: a server has to keep step with a client that has a pace, instead of filling this. */
    private static final int RECEIVE_BUFFER = 256 * 1024;

    private final List<SocketChannel> connections = new ArrayList<>();
    private final AtomicLong received = new AtomicLong();
    private final Pace pace;
    private final Thread thread = new Thread(this::run, "cold downloads");
    private volatile boolean closed;

    private ColdDownloads(Pace pace) {
        this.pace = pace;
    }

    /**
     * Asks for the files, which are cold. Blocks until it has asked.
     *
     * @param pace null: as fast as they come. The beats of the downloads are spread over time
     */
    static ColdDownloads start(WebServer server, String directory, List<Path> files, @Nullable Pace pace)
            throws IOException, InterruptedException {
        ColdDownloads downloads = new ColdDownloads(pace == null ? AS_THEY_COME : pace);
        try {
            for (Path file : files) {
                SocketChannel connection = SocketChannel.open();
                downloads.connections.add(connection);
                if (pace != null) {
                    connection.setOption(StandardSocketOptions.SO_RCVBUF, RECEIVE_BUFFER);
                }
                connection.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
                connection.write(StandardCharsets.US_ASCII.encode(
                        "GET /" + directory + "/" + file.getFileName() + " HTTP/1.1\r\nHost: bench\r\n\r\n"));
                connection.configureBlocking(false);
            }
        } catch (IOException e) {
            downloads.hangUp();
            throw e;
        }
        downloads.thread.setDaemon(true);
        downloads.thread.start();
        return downloads;
    }

    private void run() {
        ByteBuffer buffer = ByteBuffer.allocateDirect(pace.bytes);
        long stepNs = TimeUnit.MILLISECONDS.toNanos(pace.beatMs) / connections.size();
        long nextNs = System.nanoTime();
        while (!closed) {
            for (SocketChannel connection : connections) {
                waitUntil(nextNs);
                receive(connection, buffer.clear());
                nextNs = Math.max(nextNs + stepNs, System.nanoTime());
            }
        }
    }

    private static void waitUntil(long timeNs) {
        for (long leftNs; (leftNs = timeNs - System.nanoTime()) > 0; ) {
            LockSupport.parkNanos(leftNs);
        }
    }

    /** Takes what has come, as much as the buffer takes; nothing from a server that has hung up. */
    private void receive(SocketChannel connection, ByteBuffer buffer) {
        try {
            while (connection.read(buffer) > 0) {}
        } catch (IOException e) {
            return; // reset: it stays so
        }
        received.addAndGet(buffer.position());
    }

    /** Bytes that have come so far, headers included. */
    long received() {
        return received.get();
    }

    /** Hangs up. Blocks for a beat at most. */
    @Override
    public void close() {
        closed = true;
        try {
            thread.join();
            hangUp();
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException("downloads cannot be ended", e);
        }
    }

    private void hangUp() throws IOException {
        for (SocketChannel connection : connections) {
            connection.close();
        }
    }
}
