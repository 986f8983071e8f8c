package io.sendfiled.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.Pipe;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What can be a destination, or a source, and what is refused before anything is submitted. */
final class DestinationTest {
    private Pipe pipe;
    private int descriptorsBefore;

    @BeforeEach
    void open() throws IOException {
        NativeLibrary.ensureAvailable();
        pipe = Pipe.open();
        Selector.open().close(); // whatever the JDK opens once and keeps
        SocketChannel.open().close();
        SocketChannel.open(StandardProtocolFamily.UNIX).close();
        descriptorsBefore = OpenDescriptors.count();
    }

    @AfterEach
    void shouldLeakNoDescriptor() throws IOException {
        OpenDescriptors.awaitCount(descriptorsBefore);
        pipe.sink().close();
        pipe.source().close();
    }

    private static String target(int number) throws IOException {
        return Files.readSymbolicLink(Path.of("/proc/self/fd/" + number)).toString();
    }

    private static void expectDuplicate(int number, OwnedFd duplicate) throws IOException {
        try (duplicate) {
            assertNotEquals(number, duplicate.fd());
            assertEquals(target(number), target(duplicate.fd()));
        }
    }

    @Test
    void shouldTakeChannelsThatTakeBytesInEitherMode() throws IOException {
        SocketChannel unix = SocketChannel.open(StandardProtocolFamily.UNIX);
        try (SocketChannel tcp = SocketChannel.open();
                Selector selector = Selector.open()) {
            tcp.configureBlocking(false);
            SelectionKey key = tcp.register(selector, 0);
            for (SelectableChannel channel : new SelectableChannel[] {tcp, unix, pipe.sink()}) {
                expectDuplicate(
                        Descriptors.numberOf(channel), Destination.of(channel).duplicate());
            }
            assertTrue(key.isValid());
        } finally {
            unix.close();
        }
        assertThrows(ClosedChannelException.class, Destination.of(unix)::duplicate);
    }

    @Test
    void shouldRefuseAChannelThatTakesNoStreamOfBytesAndNameIt() throws IOException {
        try (ServerSocketChannel server = ServerSocketChannel.open();
                DatagramChannel datagrams = DatagramChannel.open()) {
            for (SelectableChannel channel : new SelectableChannel[] {server, datagrams, pipe.source()}) {
                String message = assertThrows(IllegalArgumentException.class, () -> Destination.of(channel))
                        .toString();
                assertTrue(message.contains(channel.getClass().getSimpleName()), message);
            }
        }
    }

    @Test
    void shouldDuplicateARawDescriptorWhenItIsSubmitted() throws IOException {
        int number = Descriptors.numberOf(pipe.sink());
        Destination destination = Destination.ofDescriptor(number);
        expectDuplicate(number, destination.duplicate());
        expectDuplicate(number, Source.ofDescriptor(number).duplicate());

        for (int free : new int[] {Integer.MAX_VALUE, 1_000_000_000}) {
            NativeIoException failure = assertThrows(NativeIoException.class, () -> Destination.ofDescriptor(free)
                    .duplicate());
            assertEquals(Errno.EBADF, failure.errno());
            failure = assertThrows(
                    NativeIoException.class, () -> Source.ofDescriptor(free).duplicate());
            assertEquals(Errno.EBADF, failure.errno());
        }
        assertThrows(IllegalArgumentException.class, () -> Destination.ofDescriptor(-1));
        assertThrows(IllegalArgumentException.class, () -> Source.ofDescriptor(-1));
    }
}
