package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.ReadTransfer;
import io.sendfiled.client.Source;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferDetails;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransferOptions;
import io.sendfiled.client.TransferResult;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import io.sendfiled.technique.DestinationType;
import io.sendfiled.technique.Technique;
import io.sendfiled.technique.Techniques;
import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;

/** The Java client's options, details and open files, against the engine. */
@ParameterizedClass
@EachKind
@Timeout(120)
final class ClientOptionsIT {
    private static final int SIZE = 3_000_000;
    private static final TransferOptions DETAILS = TransferOptions.DEFAULT.withDetails(true);
    private static final FileRequest DETAILED = FileRequest.of("file").with(DETAILS);

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    private static Content file;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        file = Content.write(daemon.root().resolve("file"), SIZE);
        Content.write(daemon.root().resolve("empty"), 0);
    }

    private static Set<Technique> fitting(TestDestination.Type type) {
        return switch (type) {
            case TCP -> Techniques.fitting(DestinationType.TCP, false);
            case TCP_BLOCKING -> Techniques.fitting(DestinationType.TCP, true);
            case UNIX -> Techniques.fitting(DestinationType.UNIX, false);
            case UNIX_BLOCKING -> Techniques.fitting(DestinationType.UNIX, true);
            case PIPE -> Techniques.fitting(DestinationType.PIPE, true);
            case FILE -> Techniques.fitting(DestinationType.FILE, true);
        };
    }

    private static TransferDetails detailsOf(TransferResult result) {
        @Nullable TransferDetails details = result.details();
        assertNotNull(details);
        assertFalse(details.elapsed().isNegative() || details.elapsed().compareTo(result.elapsed()) > 0, "" + result);
        return details;
    }

    private static TransferResult send(FileRequest request, TestDestination destination) throws Exception {
        CompletableFuture<Content> received = destination.receive();
        TransferResult result =
                daemon.client().send(request, destination.destination()).await(Await.LONG);
        destination.finishSending();
        assertEquals(file, received.get(Await.LONG.toSeconds(), TimeUnit.SECONDS));
        return result;
    }

    @Test
    void shouldMoveEveryByteByTheTechniqueThatIsAskedFor() throws Exception {
        for (TestDestination.Type type : TestDestination.Type.values()) {
            for (Technique technique : fitting(type)) {
                try (TestDestination destination = TestDestination.open(type, directory)) {
                    TransferOptions options = TransferOptions.DEFAULT.withTechnique(technique);

                    TransferResult result = send(FileRequest.of("file").with(options), destination);

                    assertEquals(technique, detailsOf(result).technique(), type + "");
                }
            }
        }
    }

    @Test
    void shouldNameWhatFitsWhereATechniqueDoesNot() throws Exception {
        for (TestDestination.Type type : TestDestination.Type.values()) {
            for (Technique technique : Techniques.available()) {
                if (fitting(type).contains(technique)) {
                    continue;
                }
                FileRequest request = FileRequest.of("file").with(TransferOptions.DEFAULT.withTechnique(technique));
                try (TestDestination destination = TestDestination.open(type, directory);
                        OpenFile opened = daemon.client().open(request).get(Await.LONG.toSeconds(), TimeUnit.SECONDS)) {
                    for (Transfer transfer : new Transfer[] {
                        daemon.client().send(request, destination.destination()), opened.send(destination.destination())
                    }) {
                        TransferException e =
                                assertThrows(TransferException.class, () -> transfer.await(Await.LONG), type + "");

                        assertEquals(Errno.EOPNOTSUPP, e.errno());
                        assertEquals(fitting(type), e.fits(), e.getMessage());
                        assertEquals(0, e.bytesMoved());
                        assertTrue(e.isRefusal());
                    }
                }
            }
        }
    }

    @Test
    void shouldTellTheDetailsOfAnOpenedFile() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory);
                OpenFile opened = daemon.client().open(DETAILED).get(Await.LONG.toSeconds(), TimeUnit.SECONDS)) {
            CompletableFuture<Content> received = destination.receive();
            TransferResult result = opened.send(destination.destination()).await(Await.LONG);
            destination.finishSending();

            assertEquals(file, received.get(Await.LONG.toSeconds(), TimeUnit.SECONDS));
            assertTrue(
                    fitting(TestDestination.Type.TCP).contains(detailsOf(result).technique()));
        }
    }

    @Test
    void shouldReadWithoutTheTrailer() throws Exception {
        for (Technique technique : new Technique[] {Technique.AUTO, Technique.READ_WRITE}) {
            TransferOptions options = DETAILS.withTechnique(technique).withDropBehind(true);
            ReadTransfer transfer = daemon.client().read(FileRequest.of("file").with(options));
            try (FileContent content = transfer.content().get(Await.LONG.toSeconds(), TimeUnit.SECONDS)) {
                assertEquals(file, Content.drain(content));
            }

            Technique used = detailsOf(transfer.await(Await.LONG)).technique();

            assertEquals(technique == Technique.AUTO ? Technique.SPLICE : technique, used);
        }
    }

    @Test
    void shouldMoveNothingOfAnEmptyRange() throws Exception {
        for (FileRequest request :
                List.of(DETAILED.range(7, 0), FileRequest.of("file").range(SIZE, 0), DETAILED.from(SIZE))) {
            try (TestDestination pipe = TestDestination.open(TestDestination.Type.PIPE, directory)) {
                TransferResult result =
                        daemon.client().send(request, pipe.destination()).await(Await.LONG);
                assertEquals(0, result.bytesMoved());
                assertEquals(
                        SIZE, Objects.requireNonNull(result.info().details()).size());
                assertEquals(
                        0,
                        daemon.client().read(request).await(Await.LONG).info().size());
            }
        }
    }

    @Test
    void shouldSayWhyAReadThatNobodyReadsHasEnded() throws Exception {
        TransferOptions options = TransferOptions.DEFAULT.withIdleTimeout(Duration.ofMillis(100));
        ReadTransfer transfer = daemon.client().read(FileRequest.of("file").with(options));
        long begun = System.nanoTime();
        Await.until("the idle timeout", () -> System.nanoTime() - begun > 1_000_000_000L);
        try (FileContent content = transfer.content().get(Await.LONG.toSeconds(), TimeUnit.SECONDS)) {
            TransferException e = assertThrows(TransferException.class, () -> Content.drain(content));
            assertEquals(Errno.ETIMEDOUT, e.errno());
            assertTrue(e.bytesMoved() > 0 && e.bytesMoved() < SIZE, e.getMessage());
        }
    }

    @Test
    void shouldReadAnEmptyFileWithDetails() throws Exception {
        ReadTransfer transfer = daemon.client().read(FileRequest.of("empty").with(DETAILS));
        try (FileContent content = transfer.content().get(Await.LONG.toSeconds(), TimeUnit.SECONDS)) {
            assertEquals(-1, content.read(ByteBuffer.allocate(1)));
        }

        assertEquals(0, detailsOf(transfer.await(Await.LONG)).coldWindows());
    }

    @Test
    void shouldCopyWithoutTheTrailer() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        detailsOf(daemon.client().readTo(DETAILED, Channels.newChannel(bytes)).await(Await.LONG));

        assertArrayEquals(Files.readAllBytes(daemon.root().resolve("file")), bytes.toByteArray());
    }

    @Test
    void shouldSendAFileThatTheDaemonCouldNotOpen() throws Exception {
        Path outside = directory.resolve("outside of the root");
        Files.copy(daemon.root().resolve("file"), outside);
        for (TestDestination.Type type : TestDestination.Type.values()) {
            try (TestDestination destination = TestDestination.open(type, directory);
                    FileChannel channel = FileChannel.open(outside, StandardOpenOption.READ)) {
                channel.position(1_000);

                detailsOf(send(FileRequest.of(Source.of(channel)), destination));

                assertEquals(1_000, channel.position());
            }
        }
        Files.delete(outside);
    }

    @Test
    void shouldSendARangeOfAnOpenFile() throws Exception {
        Path source = daemon.root().resolve("file");
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            CompletableFuture<Content> received = destination.receive();
            daemon.client()
                    .send(FileRequest.of(Source.of(source)).range(100_000, 200_000), destination.destination())
                    .await(Await.LONG);
            destination.finishSending();

            assertEquals(Content.of(source, 100_000, 200_000), received.get(Await.LONG.toSeconds(), TimeUnit.SECONDS));
        }
    }

    @Test
    void shouldRefuseASourceThatIsNoFile() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory);
                FileChannel folder = FileChannel.open(directory, StandardOpenOption.READ);
                FileChannel writable = FileChannel.open(daemon.root().resolve("empty"), StandardOpenOption.WRITE)) {
            Transfer ofFolder = daemon.client().send(FileRequest.of(Source.of(folder)), destination.destination());
            Transfer ofWritable = daemon.client().send(FileRequest.of(Source.of(writable)), destination.destination());

            assertEquals(
                    Errno.EINVAL,
                    assertThrows(TransferException.class, () -> ofFolder.await(Await.LONG))
                            .errno());
            assertEquals(
                    Errno.EBADF,
                    assertThrows(TransferException.class, () -> ofWritable.await(Await.LONG))
                            .errno());
        }
    }

    @Test
    void shouldTellEveryByteThatWasMovedBeforeTheDeadline() throws Exception {
        TransferOptions options = TransferOptions.DEFAULT.withRate(100_000).withDeadline(Duration.ofMillis(200));
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            CompletableFuture<Content> received = destination.receive();
            Transfer transfer = daemon.client().send(FileRequest.of("file").with(options), destination.destination());

            TransferException e = assertThrows(TransferException.class, () -> transfer.await(Await.LONG));

            assertEquals(Errno.ETIMEDOUT, e.errno());
            destination.finishSending();
            assertEquals(received.get(Await.LONG.toSeconds(), TimeUnit.SECONDS).size(), e.bytesMoved());
            assertTrue(e.bytesMoved() < SIZE);
        }
    }

    @Test
    void shouldEndAReadWhoseDeadlineIsOver() throws Exception {
        TransferOptions options = TransferOptions.DEFAULT.withRate(100_000).withDeadline(Duration.ofMillis(200));
        ReadTransfer transfer = daemon.client().read(FileRequest.of("file").with(options));
        try (FileContent content = transfer.content().get(Await.LONG.toSeconds(), TimeUnit.SECONDS)) {
            assertThrows(TransferException.class, () -> Content.drain(content));
        }

        TransferException e = assertThrows(TransferException.class, () -> transfer.await(Await.LONG));
        assertEquals(Errno.ETIMEDOUT, e.errno());
    }

    @Test
    void shouldEndATransferThatMovesNoByte() throws Exception {
        TransferOptions options = TransferOptions.DEFAULT.withIdleTimeout(Duration.ofMillis(100));
        try (TestDestination stuck = TestDestination.open(TestDestination.Type.UNIX, directory)) { // nobody receives
            Transfer transfer = daemon.client().send(FileRequest.of("file").with(options), stuck.destination());

            TransferException e = assertThrows(TransferException.class, () -> transfer.await(Await.LONG));

            assertEquals(Errno.ETIMEDOUT, e.errno());
        }
    }

    @Test
    void shouldLetTheCallerWriteAfterwards() throws Exception {
        FileRequest request = FileRequest.of("file").range(0, 100).with(DETAILS.withMoreFollows(true));
        try (ServerSocketChannel listener =
                        ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel receiving = SocketChannel.open(listener.getLocalAddress());
                SocketChannel sending = listener.accept()) {
            daemon.client().send(request, sending).await(Await.LONG);
            sending.write(ByteBuffer.wrap(new byte[] {7}));
            sending.shutdownOutput();

            assertEquals(101, Content.drain(receiving).size());
        }
    }
}
