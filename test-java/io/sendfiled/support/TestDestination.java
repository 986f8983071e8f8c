package io.sendfiled.support;

import io.sendfiled.client.Destination;
import io.sendfiled.sys.Descriptors;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channel;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
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

    private static final int CONTENT_SIZE = 3_000;

    private final Destination destination;
    private final Channel sendingEnd;
    private final ReadableByteChannel receivingEnd;
    private final CompletableFuture<@Nullable Void> sent = new CompletableFuture<>();

    private TestDestination(Destination destination, Channel sendingEnd, ReadableByteChannel receivingEnd) {
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

    /** Makes one of each type and closes it: the JDK opens some things once, and keeps them. */
    public static void openAndCloseAll(Path directory) throws IOException {
        for (Type type : Type.values()) {
            open(type, directory).close();
        }
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

    /** A pipe whose sending end has {@code O_NONBLOCK}. */
    static TestDestination nonBlockingPipe() throws IOException {
        Pipe pipe = Pipe.open();
        pipe.sink().configureBlocking(false);
        return new TestDestination(Destination.of(pipe.sink()), pipe.sink(), pipe.source());
    }

    /**
     * A file that holds something already, which is not to be received: the position is behind it, or the file is open
     * for appending. What is written over or moved shows in what is received.
     */
    static TestDestination fileWithContent(Path directory, boolean append) throws IOException {
        Path name = Files.createTempFile(directory, "d", "");
        Files.write(name, new byte[CONTENT_SIZE]);
        FileChannel sending = FileChannel.open(name, append ? StandardOpenOption.APPEND : StandardOpenOption.WRITE);
        FileChannel receiving = FileChannel.open(name, StandardOpenOption.READ).position(CONTENT_SIZE);
        Files.delete(name);
        sending.position(CONTENT_SIZE);
        return new TestDestination(Destination.of(sending), sending, receiving);
    }

    /** A file that has no name and no disk, {@code memfd_create(2)}. */
    static TestDestination memoryFile() throws IOException {
        return memoryFile(List.of());
    }

    /** One that is sealed against writing. */
    public static TestDestination sealedMemoryFile(int size) throws IOException {
        return memoryFile(List.of("--sealed", size));
    }

    private static TestDestination memoryFile(List<Object> arguments) throws IOException {
        Process helper = new ProcessBuilder(HelperProgram.command("memory_file", arguments.toArray()))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader out = helper.inputReader(StandardCharsets.US_ASCII)) {
            Path name = Path.of(out.readLine());
            FileChannel sending = FileChannel.open(name, StandardOpenOption.WRITE);
            FileChannel receiving = FileChannel.open(name, StandardOpenOption.READ);
            return new TestDestination(Destination.of(sending), sending, receiving);
        } finally {
            helper.getOutputStream().close(); // it ends; the file stays
        }
    }

    /** {@code /dev/null}; nothing is ever received. */
    static TestDestination nullDevice() throws IOException {
        FileChannel sending = FileChannel.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
        return new TestDestination(
                Destination.of(sending), sending, Channels.newChannel(InputStream.nullInputStream()));
    }

    /** The slave of a pseudo-terminal in raw mode; its master is a helper's. */
    static TestDestination terminal() throws IOException {
        Process helper = HelperProgram.start("terminal");
        InputStream out = helper.getInputStream();
        StringBuilder name = new StringBuilder();
        for (int c = out.read(); c > '\n'; c = out.read()) {
            name.append((char) c);
        }
        Path terminal = Path.of(name.toString());
        Files.setAttribute(terminal, "unix:mode", 0666); // a daemon opens it again, and may be another user's
        FileChannel sending = FileChannel.open(terminal, StandardOpenOption.WRITE);
        return new TestDestination(Destination.of(sending), sending, Channels.newChannel(out));
    }

    /** For the client. */
    public Destination destination() {
        return destination;
    }

    /** The sending end, for those who write to channels. */
    public WritableByteChannel channel() {
        return (WritableByteChannel) sendingEnd;
    }

    /** The sending end's descriptor, borrowed. */
    public int fd() throws IOException {
        return Descriptors.numberOf(sendingEnd);
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
        return receive(Content::drain);
    }

    /** The same, for what has to be looked at byte by byte. */
    public CompletableFuture<byte[]> receiveBytes() {
        return receive(in -> Channels.newInputStream(in).readAllBytes());
    }

    private <T> CompletableFuture<T> receive(Receiver<T> receiver) {
        Supplier<T> drain = () -> {
            try {
                return receiver.drain(receivingEnd);
            } catch (IOException e) {
                throw new CompletionException(e);
            }
        };
        if (receivingEnd instanceof FileChannel) {
            return sent.thenApply(unused -> drain.get());
        }
        return CompletableFuture.supplyAsync(drain, task -> {
            Thread thread = new Thread(task, "receiver");
            thread.setDaemon(true);
            thread.start();
        });
    }

    private interface Receiver<T> {
        T drain(ReadableByteChannel in) throws IOException;
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
