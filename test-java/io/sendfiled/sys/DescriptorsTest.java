package io.sendfiled.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.support.OpenDescriptors;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DescriptorsTest {
    private Path directory;
    private int descriptorsBefore;

    @BeforeEach
    void countDescriptors(@TempDir Path fresh) throws IOException {
        directory = fresh;
        Pipe first = Pipe.open(); // whatever the JDK opens once and keeps
        first.source().close();
        first.sink().close();
        NativeLibrary.ensureAvailable();
        descriptorsBefore = OpenDescriptors.count();
    }

    @AfterEach
    void shouldLeakNoDescriptor() {
        OpenDescriptors.awaitCount(descriptorsBefore);
    }

    private interface Opener {
        Channel open() throws IOException;
    }

    private void shouldDuplicate(String kind, Opener opener) throws IOException {
        Channel channel = opener.open();
        OwnedFd duplicate = Descriptors.duplicate(channel);
        int number = Descriptors.numberOf(channel);
        assertNotEquals(number, duplicate.fd());
        assertEquals(target(number), target(duplicate.fd()));
        assertTrue(target(number).startsWith(kind), target(number));
        assertTrue(isCloseOnExec(duplicate.fd()));

        channel.close();

        assertThrows(ClosedChannelException.class, () -> Descriptors.duplicate(channel));
        assertTrue(target(duplicate.fd()).startsWith(kind)); // outlives the channel
        duplicate.close();
    }

    @Test
    void shouldDuplicateEveryKindOfChannel() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "x");
        shouldDuplicate("socket:", SocketChannel::open);
        shouldDuplicate("socket:", () -> SocketChannel.open(StandardProtocolFamily.UNIX));
        shouldDuplicate("socket:", ServerSocketChannel::open);
        shouldDuplicate("socket:", () -> ServerSocketChannel.open(StandardProtocolFamily.UNIX));
        shouldDuplicate("socket:", DatagramChannel::open);
        shouldDuplicate(file.toString(), () -> FileChannel.open(file, StandardOpenOption.READ));
        shouldDuplicate(file.toString(), () -> new FileInputStream(file.toFile()).getChannel());
    }

    @Test
    void shouldDuplicateBothEndsOfAPipe() throws IOException {
        Pipe pipe = Pipe.open();
        shouldDuplicate("pipe:", pipe::source);
        shouldDuplicate("pipe:", pipe::sink);
    }

    @Test
    void shouldDuplicateTheDescriptorOfAStream() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "x");
        FileInputStream stream = new FileInputStream(file.toFile());
        FileDescriptor descriptor = stream.getFD();
        try (OwnedFd duplicate = Descriptors.duplicate(descriptor)) {
            assertEquals(file.toString(), target(duplicate.fd()));
        }
        stream.close();

        assertThrows(ClosedChannelException.class, () -> Descriptors.duplicate(descriptor));
    }

    @Test
    void shouldRefuseAChannelWithoutADescriptor() {
        Channel strange = new Channel() {
            @Override
            public boolean isOpen() {
                return true;
            }

            @Override
            public void close() {}
        };

        UnsupportedDescriptorException e =
                assertThrows(UnsupportedDescriptorException.class, () -> Descriptors.duplicate(strange));

        assertTrue(e.toString().contains(System.getProperty("java.version")), e.toString());
    }

    @Test
    void shouldTellTheErrnoOfANumberThatIsNotOpen() {
        NativeIoException e = assertThrows(NativeIoException.class, () -> Descriptors.duplicate(999_999));

        assertEquals(Errno.EBADF, e.errno());
    }

    @Test
    void shouldKeepPipesFromOtherPrograms() throws IOException {
        Pipe pipe = Pipe.open();
        try (Pipe.SourceChannel source = pipe.source();
                Pipe.SinkChannel sink = pipe.sink()) {
            Descriptors.setCloseOnExec(source);
            Descriptors.setCloseOnExec(sink);

            assertTrue(isCloseOnExec(Descriptors.numberOf(source)));
            assertTrue(isCloseOnExec(Descriptors.numberOf(sink)));
        }
    }

    @Test
    void shouldNeverDuplicateSomebodyElsesSocketWhileChannelsCloseAndOpen() throws Exception {
        Churn churn = new Churn();
        Thread thread = new Thread(churn);
        thread.start();
        int duplicated = 0;
        int closed = 0;
        while (thread.isAlive()) {
            try (OwnedFd duplicate = Descriptors.duplicate(churn.pipe.sink())) {
                assertTrue(target(duplicate.fd()).startsWith("pipe:"), target(duplicate.fd()));
                duplicated++;
            } catch (ClosedChannelException e) {
                closed++; // what the rule is for
            }
        }
        thread.join();
        churn.pipe.source().close();
        churn.pipe.sink().close();
        assertTrue(duplicated > 0 && closed > 0, duplicated + " duplicated, " + closed + " closed");
    }

    /** Closes pipes and opens sockets, which take the numbers that have just become free. */
    private static final class Churn implements Runnable {
        volatile Pipe pipe = open();

        private static Pipe open() {
            try {
                return Pipe.open();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void run() {
            try {
                for (int i = 0; i < 5_000; i++) {
                    Pipe old = pipe;
                    old.source().close();
                    old.sink().close();
                    SocketChannel.open().close();
                    pipe = open();
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    @Test
    void shouldCloseAnOwnedDescriptorOnce() throws IOException {
        OwnedFd owned = Descriptors.duplicate(0);
        int number = owned.fd();

        owned.close();
        try (OwnedFd other = Descriptors.duplicate(0)) { // has the number now
            owned.close();
            assertEquals(number, other.fd());
            assertTrue(Files.exists(Path.of("/proc/self/fd/" + number), LinkOption.NOFOLLOW_LINKS));
        }

        assertFalse(owned.isOpen());
        assertThrows(IllegalStateException.class, owned::fd);
        assertThrows(IllegalStateException.class, owned::release);
    }

    @Test
    void shouldReleaseAnOwnedDescriptor() throws IOException {
        OwnedFd owned = Descriptors.duplicate(0);
        int number = owned.release();

        owned.close();

        assertTrue(Files.exists(Path.of("/proc/self/fd/" + number), LinkOption.NOFOLLOW_LINKS));
        OwnedFd.take(number).close();
    }

    @Test
    void shouldKnowWhatIsNoTerminal() throws IOException {
        Pipe pipe = Pipe.open();
        try (Pipe.SourceChannel source = pipe.source();
                Pipe.SinkChannel sink = pipe.sink()) {
            assertFalse(Descriptors.isTerminal(Descriptors.numberOf(source)));
            assertFalse(Descriptors.isTerminal(Descriptors.numberOf(sink)));
            assertFalse(Descriptors.isTerminal(999_999));
        }
    }

    private static String target(int fd) throws IOException {
        return Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd)).toString();
    }

    private static boolean isCloseOnExec(int fd) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/fdinfo/" + fd))) {
            if (line.startsWith("flags:")) {
                return (Long.parseLong(line.substring("flags:".length()).trim(), 8) & 02_000_000) != 0;
            }
        }
        throw new IllegalStateException("no flags of descriptor " + fd);
    }
}
