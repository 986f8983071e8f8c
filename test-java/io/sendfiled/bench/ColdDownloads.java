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
 * Downloads of cold files from a web server that go on while something else is measured, each with a connection and a
 * thread of its own: as fast as they come, or a part each beat. A file must be so long that it lasts: at its end its download
 * is over.
 */
final class ColdDownloads implements AutoCloseable {
    /** What a download takes at most: a part at the start of each beat. One that came too late is not caught up on. */
    record Pace(int bytes, long beatMs) {
        double bytesPerSecond() {
            return bytes * 1e3 / beatMs;
        }
    }

    private static final int BUFFER = 256 * 1024;
    /** Of the kernel: a server has to keep step with a client that has a pace, instead of filling this. */
    private static final int RECEIVE_BUFFER = 256 * 1024;

    private final List<SocketChannel> connections = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicLong received = new AtomicLong();

    private ColdDownloads() {}

    /**
     * Asks for the files, which are made cold before. Blocks until it has asked.
     *
     * @param pace null: as fast as they come. The beats of the downloads are spread over time
     */
    static ColdDownloads start(WebServer server, String directory, List<Path> files, @Nullable Pace pace)
            throws IOException, InterruptedException {
        for (Path file : files) {
            SlowDisk.evict(file);
        }
        ColdDownloads downloads = new ColdDownloads();
        try {
            long startNs = System.nanoTime();
            for (Path file : files) {
                SocketChannel connection = SocketChannel.open();
                downloads.connections.add(connection);
                if (pace != null) {
                    connection.setOption(StandardSocketOptions.SO_RCVBUF, RECEIVE_BUFFER);
                }
                connection.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
                connection.write(StandardCharsets.US_ASCII.encode(
                        "GET /" + directory + "/" + file.getFileName() + " HTTP/1.1\r\nHost: bench\r\n\r\n"));
                long firstNs = startNs + downloads.threads.size() * beatNs(pace) / files.size();
                Thread thread = new Thread(() -> downloads.receive(connection, pace, firstNs), "cold download");
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

    private static long beatNs(@Nullable Pace pace) {
        return pace == null ? 0 : TimeUnit.MILLISECONDS.toNanos(pace.beatMs);
    }

    private void receive(SocketChannel connection, @Nullable Pace pace, long firstNs) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(pace == null ? BUFFER : pace.bytes);
        long beatNs = firstNs;
        try {
            while (true) {
                int count = connection.read(buffer);
                if (count < 0) {
                    return;
                }
                received.addAndGet(count);
                if (pace == null) {
                    buffer.clear();
                } else if (!buffer.hasRemaining()) {
                    buffer.clear();
                    beatNs = Math.max(beatNs + beatNs(pace), System.nanoTime());
                    for (long leftNs; (leftNs = beatNs - System.nanoTime()) > 0; ) {
                        LockSupport.parkNanos(leftNs);
                    }
                }
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
