package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.TransferException;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.DatagramChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The call in the shape of sendfile(2), where a program has called {@link FileChannel#transferTo} before. */
@ParameterizedClass
@EachKind
@Timeout(120)
final class SendfileIT {
    private static final int SIZE = 3 * 1024 * 1024 + 17;

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    private static Path file;

    private FileChannel in;
    private int descriptorsBefore;

    @BeforeParameterizedClassInvocation
    static void makeFile() throws Exception {
        file = directory.resolve("outside of the root");
        Content.write(file, SIZE);
    }

    @BeforeEach
    void open() throws IOException {
        descriptorsBefore = OpenDescriptors.count();
        in = FileChannel.open(file, StandardOpenOption.READ);
    }

    @AfterEach
    void close() throws IOException {
        in.close();
        OpenDescriptors.awaitCount(descriptorsBefore);
    }

    private long sendfile(WritableByteChannel out, long position, long count) throws IOException {
        return daemon.client().sendfile(out, in, position, count);
    }

    @ParameterizedTest
    @EnumSource
    void shouldSendWhatTransferToSends(TestDestination.Type type) throws Exception {
        long[][] ranges = {
            {0, SIZE},
            {0, 1},
            {SIZE - 1, 1},
            {SIZE - 1, 2},
            {4_095, 70_000},
            {1, Long.MAX_VALUE},
            {SIZE, 1},
            {SIZE + 1L, 1},
            {Long.MAX_VALUE, Long.MAX_VALUE},
            {0, 0}
        };
        Path expected = directory.resolve("expected");
        for (long[] range : ranges) {
            String what = type + " from " + range[0] + " on, " + range[1];
            long sent;
            try (FileChannel out = FileChannel.open(
                    expected,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.WRITE,
                    StandardOpenOption.TRUNCATE_EXISTING)) {
                sent = in.transferTo(range[0], range[1], out);
            }
            try (TestDestination destination = TestDestination.open(type, directory)) {
                CompletableFuture<Content> received = destination.receive();

                assertEquals(sent, sendfile(destination.channel(), range[0], range[1]), what);

                destination.finishSending();
                assertEquals(Content.of(expected), received.get(20, TimeUnit.SECONDS), what);
            }
        }
        assertEquals(0, in.position());
    }

    @Test
    void shouldGoOnFromTheFilesPositionToItsEnd() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            CompletableFuture<Content> received = destination.receive();
            in.position(10);
            long sent = 10;
            for (long n = 1; n > 0; sent += n) {
                n = daemon.client().sendfile(destination.channel(), in, 1_000_000);
                assertEquals(Math.min(1_000_000, SIZE - sent), n);
                assertEquals(sent + n, in.position());
            }
            destination.finishSending();
            assertEquals(Content.of(file, 10, SIZE), received.get(20, TimeUnit.SECONDS));
        }
    }

    @Test
    void shouldReturnWhatWasSentToAPeerThatWentAwayAndThenThrowWhy() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX_BLOCKING, directory)) {
            CompletableFuture<Long> sent = CompletableFuture.supplyAsync(() -> {
                try {
                    return sendfile(destination.channel(), 0, SIZE);
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            assertEquals(1, destination.receivingEnd().read(ByteBuffer.allocate(1)));
            destination.closeReceivingEnd();

            long before = sent.get(20, TimeUnit.SECONDS);
            assertTrue(before > 0 && before < SIZE, before + " bytes");
            TransferException failure =
                    assertThrows(TransferException.class, () -> sendfile(destination.channel(), before, SIZE - before));
            assertEquals("EPIPE", Errno.name(failure.errno()));
            assertTrue(destination.channel().isOpen());
        }
    }

    /** A pipe that is full of what the first call has sent; then one that was full before. */
    @Test
    void shouldReturnWhatWasSentWhenInterruptedAndLeaveTheChannelsOpen() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.PIPE, directory)) {
            FutureTask<Long> first = new FutureTask<>(() -> {
                long sent = sendfile(destination.channel(), 0, SIZE);
                assertTrue(Thread.interrupted());
                return sent;
            });
            Thread thread = start(first);
            assertEquals(1, destination.receivingEnd().read(ByteBuffer.allocate(1)));
            thread.interrupt();
            long sent = first.get(20, TimeUnit.SECONDS);
            assertTrue(sent > 0 && sent < SIZE, sent + " bytes");

            FutureTask<InterruptedIOException> second = new FutureTask<>(() -> {
                InterruptedIOException thrown = assertThrows(
                        InterruptedIOException.class, () -> sendfile(destination.channel(), sent, SIZE - sent));
                assertTrue(Thread.interrupted());
                return thrown;
            });
            thread = start(second);
            thread.interrupt();
            String message = String.valueOf(second.get(20, TimeUnit.SECONDS));
            assertTrue(message.contains("nothing was sent"), message);

            CompletableFuture<Content> received = destination.receive();
            assertEquals(SIZE - sent, sendfile(destination.channel(), sent, SIZE));
            destination.finishSending();
            assertEquals(Content.of(file, 1, SIZE), received.get(20, TimeUnit.SECONDS));
        }
    }

    private static Thread start(Runnable task) {
        Thread thread = new Thread(task, "sender");
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    @Test
    void shouldReadAFileThatHasGrown() throws Exception {
        Path growing = Files.writeString(directory.resolve("growing"), "ab");
        try (FileChannel more = FileChannel.open(growing, StandardOpenOption.READ);
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            CompletableFuture<Content> received = destination.receive();
            assertEquals(2, daemon.client().sendfile(destination.channel(), more, 100));
            assertEquals(0, daemon.client().sendfile(destination.channel(), more, 100));
            Files.writeString(growing, "c", StandardOpenOption.APPEND);
            assertEquals(1, daemon.client().sendfile(destination.channel(), more, 100));
            Files.writeString(growing, "");
            assertEquals(0, daemon.client().sendfile(destination.channel(), more, 100));
            destination.finishSending();
            assertEquals(
                    Content.of("abc".getBytes(StandardCharsets.US_ASCII)),
                    received.get(Await.LONG.toSeconds(), TimeUnit.SECONDS));
        }
    }

    @Test
    void shouldRefuseWhatItCannotDo() throws Exception {
        Pipe pipe = Pipe.open();
        try (DatagramChannel datagrams = DatagramChannel.open();
                FileChannel readOnly = FileChannel.open(file, StandardOpenOption.READ)) {
            WritableByteChannel stream = Channels.newChannel(new ByteArrayOutputStream());
            assertThrows(IllegalArgumentException.class, () -> sendfile(datagrams, 0, 1));
            assertThrows(IllegalArgumentException.class, () -> sendfile(stream, 0, 1));
            assertThrows(IllegalArgumentException.class, () -> sendfile(pipe.sink(), -1, 1));
            assertThrows(IllegalArgumentException.class, () -> sendfile(pipe.sink(), 0, -1));
            TransferException failure = assertThrows(TransferException.class, () -> sendfile(readOnly, 0, 1));
            assertEquals(Errno.EBADF, failure.errno());
            pipe.sink().close();
            failure = assertThrows(TransferException.class, () -> sendfile(pipe.sink(), 0, 1));
            assertEquals(Errno.EBADF, failure.errno());
        } finally {
            pipe.sink().close();
            pipe.source().close();
        }
        assertFalse(Thread.currentThread().isInterrupted());
    }
}
