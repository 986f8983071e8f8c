package io.sendfiled.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Clients of a web server that take a file at a rate of their own, and no faster: all in the thread that calls. */
final class SlowReceivers implements AutoCloseable {
    private static final int BEATS_PER_SECOND = 16;
    /** Small, so that a server has to keep step with its client instead of filling a buffer. */
    private static final int RECEIVE_BUFFER = 128 * 1024;

    private final List<SocketChannel> connections = new ArrayList<>();
    private final ByteBuffer buffer;

    private SlowReceivers(int bytesPerBeat) {
        this.buffer = ByteBuffer.allocateDirect(bytesPerBeat);
    }

    /** Connects so many, and asks for the file. */
    static SlowReceivers connect(WebServer server, String file, int count, int bytesPerSecond) throws IOException {
        SlowReceivers receivers = new SlowReceivers(bytesPerSecond / BEATS_PER_SECOND);
        try {
            for (int i = 0; i < count; i++) {
                SocketChannel connection = SocketChannel.open();
                receivers.connections.add(connection);
                connection.setOption(StandardSocketOptions.SO_RCVBUF, RECEIVE_BUFFER);
                connection.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
                connection.write(StandardCharsets.US_ASCII.encode("GET /" + file + " HTTP/1.1\r\nHost: bench\r\n\r\n"));
                connection.configureBlocking(false);
            }
        } catch (IOException e) {
            receivers.close();
            throw e;
        }
        return receivers;
    }

    /** Takes bytes for as long; how many. Blocks. */
    long receive(double seconds) throws IOException {
        long beatNs = TimeUnit.SECONDS.toNanos(1) / BEATS_PER_SECOND;
        long startNs = System.nanoTime();
        long received = 0;
        for (long beat = 1; beat <= Math.round(seconds * BEATS_PER_SECOND); beat++) {
            for (SocketChannel connection : connections) {
                buffer.clear();
                for (int count; buffer.hasRemaining() && (count = connection.read(buffer)) != 0; ) {
                    if (count < 0) {
                        throw new IOException("the server has ended a slow download");
                    }
                    received += count;
                }
            }
            for (long leftNs; (leftNs = startNs + beat * beatNs - System.nanoTime()) > 0; ) {
                LockSupport.parkNanos(leftNs);
            }
        }
        return received;
    }

    @Override
    public void close() {
        try {
            for (SocketChannel connection : connections) {
                connection.close();
            }
        } catch (IOException e) {
            throw new IllegalStateException("slow downloads cannot be ended", e);
        }
    }
}
