package io.sendfiled.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Downloads of cold files from a web server that go on while something else is measured, each with a connection and a
 * thread of its own. A file must be so long that it lasts: at its end its download is over.
 */
final class ColdDownloads implements AutoCloseable {
    private static final int BUFFER = 256 * 1024;

    private final List<SocketChannel> connections = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicLong received = new AtomicLong();

    private ColdDownloads() {}

    /** Asks for the files, which are made cold before. Blocks until it has asked. */
    static ColdDownloads start(WebServer server, String directory, List<Path> files)
            throws IOException, InterruptedException {
        for (Path file : files) {
            SlowDisk.evict(file);
        }
        ColdDownloads downloads = new ColdDownloads();
        try {
            for (Path file : files) {
                SocketChannel connection =
                        SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
                downloads.connections.add(connection);
                connection.write(StandardCharsets.US_ASCII.encode(
                        "GET /" + directory + "/" + file.getFileName() + " HTTP/1.1\r\nHost: bench\r\n\r\n"));
                Thread thread = new Thread(() -> downloads.receive(connection), "cold download");
                thread.setDaemon(true);
                downloads.threads.add(thread);
                thread.start();
            }
        } catch (IOException e) {
            downloads.close();
            throw e;
        }
        return downloads;
    }

    private void receive(SocketChannel connection) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
        try {
            for (int count; (count = connection.read(buffer)) >= 0; buffer.clear()) {
                received.addAndGet(count);
            }
        } catch (IOException e) {
            return; // closed: that is how a download ends here
        }
    }

    /** Bytes that have come so far, headers included. */
    long received() {
        return received.get();
    }

    /** Hangs up. */
    @Override
    public void close() {
        try {
            for (SocketChannel connection : connections) {
                connection.close();
            }
            for (Thread thread : threads) {
                thread.join();
            }
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException("downloads cannot be ended", e);
        }
    }
}
