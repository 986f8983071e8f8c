package io.sendfiled.support;

import io.sendfiled.client.Destination;
import java.io.Closeable;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/**
 * A place to send a file to, and the other end of it. Nothing reads there unless {@link #receive} or the test does.
 *
 * <p>Owns both ends.
 */
public final class TestDestination implements AutoCloseable {
    /** What a daemon can send to. A socket is non-blocking, as event loops have it, unless its name says otherwise. */
    public enum Type {
        TCP,
        TCP_BLOCKING,
        UNIX,
        UNIX_BLOCKING,
        PIPE,
        FILE
    }

    private final Destination destination;
    private final Closeable sendingEnd;
    private final ReadableByteChannel receivingEnd;
    private final CompletableFuture<@Nullable Void> sent = new CompletableFuture<>();

    private TestDestination(Destination destination, Closeable sendingEnd, ReadableByteChannel receivingEnd) {
        this.destination = destination;
        this.sendingEnd = sendingEnd;
        this.receivingEnd = receivingEnd;
    }

    /**
     * Makes one.
     *
     * @param directory for what needs a name, which goes at once
     */
    public static TestDestination open(Type type, Path directory) throws IOException {
        return switch (type) {
            case TCP -> socket(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), false);
            case TCP_BLOCKING -> socket(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), true);
            case UNIX -> unix(directory, false);
            case UNIX_BLOCKING -> unix(directory, true);
            case PIPE -> pipe();
            case FILE -> file(directory);
        };
    }

    private static TestDestination unix(Path directory, boolean blocking) throws IOException {
        Path name = Files.createTempFile(directory, "d", "");
        Files.delete(name);
        try {
            return socket(UnixDomainSocketAddress.of(name), blocking);
        } finally {
            Files.deleteIfExists(name);
        }
    }

    private static TestDestination socket(SocketAddress address, boolean blocking) throws IOException {
        StandardProtocolFamily family = address instanceof UnixDomainSocketAddress
                ? StandardProtocolFamily.UNIX
                : ((InetSocketAddress) address).getAddress() instanceof Inet6Address
                        ? StandardProtocolFamily.INET6
                        : StandardProtocolFamily.INET;
        try (ServerSocketChannel listener = ServerSocketChannel.open(family)) {
            listener.bind(address);
            SocketChannel receiving = SocketChannel.open(listener.getLocalAddress());
            SocketChannel sending = listener.accept();
            sending.configureBlocking(blocking);
            return new TestDestination(Destination.of(sending), sending, receiving);
        }
    }

    private static TestDestination pipe() throws IOException {
        Pipe pipe = Pipe.open();
        return new TestDestination(Destination.of(pipe.sink()), pipe.sink(), pipe.source());
    }

    private static TestDestination file(Path directory) throws IOException {
        Path name = Files.createTempFile(directory, "d", "");
        FileChannel sending = FileChannel.open(name, StandardOpenOption.WRITE);
        FileChannel receiving = FileChannel.open(name, StandardOpenOption.READ);
        Files.delete(name);
        return new TestDestination(Destination.of(sending), sending, receiving);
    }

    /** For the client. */
    public Destination destination() {
        return destination;
    }

    /** Where the bytes come out, in blocking mode. */
    public ReadableByteChannel receivingEnd() {
        return receivingEnd;
    }

    /**
     * Starts to read what arrives, to its end. That comes when {@link #finishSending} was called and nobody else has the
     * sending end; for a file, which has no writer to wait for, nothing is read before {@link #finishSending}.
     */
    public CompletableFuture<Content> receive() {
        if (receivingEnd instanceof FileChannel) {
            return sent.thenApply(unused -> drain());
        }
        return CompletableFuture.supplyAsync(this::drain, task -> {
            Thread thread = new Thread(task, "receiver");
            thread.setDaemon(true);
            thread.start();
        });
    }

    private Content drain() {
        try {
            return Content.drain(receivingEnd);
        } catch (IOException e) {
            throw new CompletionException(e);
        }
    }

    /** Closes this process's sending end. */
    public void finishSending() throws IOException {
        sendingEnd.close();
        sent.complete(null);
    }

    /** Closes the receiving end, as a peer that goes away. */
    public void closeReceivingEnd() throws IOException {
        receivingEnd.close();
    }

    @Override
    public void close() throws IOException {
        finishSending();
        receivingEnd.close();
    }
}
