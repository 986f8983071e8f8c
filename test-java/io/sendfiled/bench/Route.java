package io.sendfiled.bench;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A way for a file's bytes from the daemon to this thread: by the pipe of a Read File, or by a socket of a Send File.
 *
 * <p>Owns its sockets. One thread at a time.
 */
abstract class Route implements AutoCloseable {
    private static final int BUFFER_BYTES = 256 * 1024; // as the native load client and the bare loop
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private static final AtomicInteger COUNTER = new AtomicInteger(); // a UNIX socket's path is used once
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);

    /**
     * Asks for the file and takes every byte of it. Blocks until the transfer is complete.
     *
     * @param digest updated with the bytes, if not null
     * @return nanoseconds from the request to the last byte
     */
    abstract long transfer(SendfiledClient client, String path, long size, @Nullable MessageDigest digest)
            throws IOException, InterruptedException, TimeoutException;

    @Override
    public abstract void close() throws IOException;

    static Route pipe() {
        return new PipeRoute();
    }

    static Route unixSocket(Path directory) throws IOException {
        return SocketRoute.connect(
                StandardProtocolFamily.UNIX,
                UnixDomainSocketAddress.of(directory.resolve("receiver-" + COUNTER.incrementAndGet() + ".socket")));
    }

    static Route tcpSocket() throws IOException {
        return SocketRoute.connect(
                StandardProtocolFamily.INET, new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    }

    /** Reads exactly {@code size} bytes, or to an early end. */
    final void drain(ReadableByteChannel source, long size, @Nullable MessageDigest digest) throws IOException {
        for (long left = size; left > 0; ) {
            buffer.clear().limit((int) Math.min(buffer.capacity(), left));
            int count = source.read(buffer);
            if (count < 0) {
                return; // The transfer knows why.
            }
            left -= count;
            if (digest != null) {
                digest.update(buffer.flip());
            }
        }
    }

    private static final class PipeRoute extends Route {
        @Override
        long transfer(SendfiledClient client, String path, long size, @Nullable MessageDigest digest)
                throws IOException, InterruptedException, TimeoutException {
            long start = System.nanoTime();
            try (FileContent content = client.read(path).content().get(TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
                drain(content, size, digest);
                return System.nanoTime() - start;
            } catch (ExecutionException e) {
                throw e.getCause() instanceof IOException ? (IOException) e.getCause() : new IOException(e);
            }
        }

        @Override
        public void close() {}
    }

    private static final class SocketRoute extends Route {
        private final SocketChannel source;
        private final SocketChannel sink;

        private SocketRoute(SocketChannel source, SocketChannel sink) {
            this.source = source;
            this.sink = sink;
        }

        static SocketRoute connect(StandardProtocolFamily family, SocketAddress address) throws IOException {
            try (ServerSocketChannel server = ServerSocketChannel.open(family)) {
                server.bind(address);
                SocketChannel source = SocketChannel.open(server.getLocalAddress());
                SocketChannel sink = server.accept();
                sink.configureBlocking(false); // as in any event loop; and sendfile(2) wants it
                return new SocketRoute(source, sink);
            }
        }

        @Override
        long transfer(SendfiledClient client, String path, long size, @Nullable MessageDigest digest)
                throws IOException, InterruptedException, TimeoutException {
            long start = System.nanoTime();
            Transfer transfer = client.send(path, sink);
            CompletableFuture<?> noLongerWaiting = transfer.result().whenComplete((result, failure) -> {
                if (failure != null) {
                    endSink();
                }
            });
            drain(source, size, digest);
            long elapsed = System.nanoTime() - start;
            transfer.await(TIMEOUT);
            noLongerWaiting.join();
            return elapsed;
        }

        /** So that the reader does not wait for what will not come. */
        private void endSink() {
            try {
                sink.shutdownOutput();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void close() throws IOException {
            source.close();
            sink.close();
        }
    }
}
