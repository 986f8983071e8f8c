package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.Destination;
import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.ReadTransfer;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.DaemonProcess;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;

/** The Java client as a server with an event loop uses it: many transfers at once, ends of all kinds. */
@ParameterizedClass
@EachKind
@Timeout(120)
final class ClientIT {
    private static final int AT_ONCE = 64;
    private static final int ROUNDS = 5;
    private static final int BIG = 8_000_000;

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    private static Content big;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        big = Content.write(daemon.root().resolve("big"), BIG);
    }

    @Test
    void shouldSend64FilesAtOnceOverAndOver() throws Exception {
        List<Content> contents = new ArrayList<>();
        for (int i = 0; i < AT_ONCE; i++) {
            contents.add(Content.write(daemon.root().resolve("many" + i), 200L * i * i));
        }
        TestDestination.Type[] types = TestDestination.Type.values();
        for (int round = 0; round < ROUNDS; round++) {
            List<TestDestination> destinations = new ArrayList<>();
            List<CompletableFuture<Content>> received = new ArrayList<>();
            List<Transfer> transfers = new ArrayList<>();
            try {
                for (int i = 0; i < AT_ONCE; i++) {
                    TestDestination destination = TestDestination.open(types[(i + round) % types.length], directory);
                    destinations.add(destination);
                    received.add(destination.receive());
                    transfers.add(daemon.client().send(FileRequest.of("many" + i), destination.destination()));
                }
                for (int i = 0; i < AT_ONCE; i++) {
                    transfers.get(i).await(Await.LONG);
                    destinations.get(i).finishSending();
                }
                for (int i = 0; i < AT_ONCE; i++) {
                    assertEquals(
                            contents.get(i),
                            received.get(i).get(Await.LONG.toSeconds(), TimeUnit.SECONDS),
                            "file " + i);
                }
            } finally {
                for (TestDestination destination : destinations) {
                    destination.close();
                }
            }
        }
    }

    @Test
    void shouldReadThousandsOfSmallFilesWithoutForgettingOne() throws Exception {
        int count = 20_000;
        int size = 100;
        Content.write(daemon.root().resolve("small"), size);
        FileRequest request = FileRequest.of("small");
        Semaphore slots = new Semaphore(32);
        LongAdder bytes = new LongAdder();
        for (int i = 0; i < count; i++) {
            assertTrue(slots.tryAcquire(Await.LONG.toSeconds(), TimeUnit.SECONDS), "stuck at " + i);
            var unused = daemon.client().read(request).content().whenComplete((content, failure) -> {
                bytes.add(readAll(content));
                slots.release();
            });
        }
        assertTrue(slots.tryAcquire(32, Await.LONG.toSeconds(), TimeUnit.SECONDS), "stuck at the end");
        assertEquals((long) count * size, bytes.sum());
    }

    private static long readAll(FileContent content) {
        try {
            return Content.drain(content).size();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void shouldReadManyFilesInOneSelector() throws Exception {
        try (Selector selector = Selector.open()) {
            List<ReadTransfer> transfers = new ArrayList<>();
            for (int i = 0; i < 16; i++) {
                ReadTransfer transfer =
                        daemon.client().read(FileRequest.of("big").from(BIG - 500_000 - i));
                FileContent content = transfer.content()
                        .get(Await.LONG.toSeconds(), TimeUnit.SECONDS)
                        .configureBlocking(false);
                content.selectable().register(selector, SelectionKey.OP_READ, new Reading(content));
                transfers.add(transfer);
            }
            ByteBuffer buffer = ByteBuffer.allocate(50_000);
            List<Reading> ended = new ArrayList<>();
            while (ended.size() < transfers.size()) {
                selector.select();
                for (SelectionKey key : selector.selectedKeys()) {
                    Reading reading = (Reading) key.attachment();
                    int count = reading.content().read(buffer.clear());
                    assertTrue(count > 0);
                    reading.bytes().write(buffer.array(), 0, count);
                    if (reading.content().remaining() == 0) {
                        ended.add(reading);
                    }
                }
                selector.selectedKeys().clear();
            }
            for (Reading reading : ended) {
                long size = reading.content().info().size();
                assertEquals(
                        Content.of(daemon.root().resolve("big"), BIG - size, size),
                        Content.of(reading.bytes().toByteArray()));
            }
            for (ReadTransfer transfer : transfers) {
                transfer.await(Await.LONG);
            }
        }
    }

    private record Reading(FileContent content, ByteArrayOutputStream bytes) {
        Reading(FileContent content) {
            this(content, new ByteArrayOutputStream());
        }
    }

    @Test
    void shouldWriteHeadersThatNeedTheSizeBeforeTheFile() throws Exception {
        try (ServerSocketChannel listener =
                        ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel peer = SocketChannel.open(listener.getLocalAddress());
                SocketChannel connection = listener.accept()) {
            CompletableFuture<?> done = daemon.client().open("big").thenCompose(file -> {
                write(connection, header(file.info().size()));
                return file.send(Destination.of(connection)).result();
            });
            byte[] expected = header(BIG);
            ByteBuffer got = ByteBuffer.allocate(expected.length);
            while (got.hasRemaining()) {
                peer.read(got);
            }
            assertEquals(ByteBuffer.wrap(expected), got.flip());

            assertEquals(big, Content.drain(peer, BIG));

            done.get(Await.LONG.toSeconds(), TimeUnit.SECONDS);
        }
    }

    private static byte[] header(long size) {
        return ("content-length: " + size + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII);
    }

    private static void write(SocketChannel connection, byte[] bytes) {
        try {
            connection.write(ByteBuffer.wrap(bytes));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void shouldLeaveTheConnectionUsableAfterARefusal() throws Exception {
        try (TestDestination connection = TestDestination.open(TestDestination.Type.TCP, directory)) {
            CompletableFuture<Content> received = connection.receive();
            Transfer refused = daemon.client().send(FileRequest.of("nothing"), connection.destination());
            TransferException e = assertThrows(TransferException.class, () -> refused.await(Await.LONG));
            assertTrue(e.isRefusal());
            assertEquals(0, e.bytesMoved());

            daemon.client()
                    .send(FileRequest.of("big"), connection.destination())
                    .await(Await.LONG);

            connection.finishSending();
            assertEquals(big, received.get(Await.LONG.toSeconds(), TimeUnit.SECONDS));
        }
    }

    @Test
    void shouldLetGoOfTheDestinationWhenTheResultTimesOut() throws Exception {
        try (TestDestination stuck = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            Transfer transfer = daemon.client().send(FileRequest.of("big"), stuck.destination());
            transfer.info().get(Await.LONG.toSeconds(), TimeUnit.SECONDS);

            CompletableFuture<?> limited = transfer.result().orTimeout(50, TimeUnit.MILLISECONDS);

            assertEquals(
                    Errno.ETIMEDOUT,
                    assertThrows(TransferException.class, () -> transfer.await(Await.LONG))
                            .errno());
            assertTrue(limited.isCompletedExceptionally());
            stuck.finishSending();
            assertTrue(Content.drain(stuck.receivingEnd()).size() < BIG); // it ends: nobody else has it
        }
    }

    @Test
    void shouldEndWhatIsUnderWayWhenTheClientIsClosed() throws Exception {
        List<Transfer> transfers = new ArrayList<>();
        try (TestDestination stuck = TestDestination.open(TestDestination.Type.PIPE, directory);
                TestDestination other = TestDestination.open(TestDestination.Type.TCP_BLOCKING, directory);
                TestDestination third = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            SendfiledClient client = SendfiledClient.connect(directory, TestDaemon.NAME);
            transfers.add(client.send(FileRequest.of("big"), third.destination()));
            transfers.add(client.send(FileRequest.of("big"), stuck.destination()));
            transfers.add(client.send(FileRequest.of("big"), other.destination()));
            for (Transfer transfer : transfers) {
                transfer.info().get(Await.LONG.toSeconds(), TimeUnit.SECONDS);
            }

            client.close();

            for (Transfer transfer : transfers) {
                assertEquals(
                        Errno.ECANCELED,
                        assertThrows(TransferException.class, () -> transfer.await(Await.LONG))
                                .errno());
            }
        }
    }

    @Test
    void shouldStopAReadThatIsClosedEarly() throws Exception {
        ReadTransfer transfer = daemon.client().read("big");
        try (FileContent content = transfer.content().get(Await.LONG.toSeconds(), TimeUnit.SECONDS)) {
            assertTrue(content.read(ByteBuffer.allocate(100)) > 0);
        }

        TransferException e = assertThrows(TransferException.class, () -> transfer.await(Await.LONG));

        assertEquals(Errno.ECANCELED, e.errno());
        assertTrue(e.bytesMoved() > 0 && e.bytesMoved() <= 100);
    }

    @Test
    void shouldFindTheDaemonAgainAfterARestart(@TempDir Path other) throws Exception {
        Path root = Files.createDirectory(other.resolve("root"));
        Content content = Content.write(root.resolve("file"), 100_000);
        DaemonProcess first = DaemonProcess.start(other, "restarted", root);
        try (SendfiledClient client = SendfiledClient.connect(other, "restarted")) {
            assertEquals(content, read(client));
            first.close();
            TransferException e = assertThrows(TransferException.class, () -> read(client));
            assertEquals(Errno.ECONNREFUSED, e.errno());

            DaemonProcess second = DaemonProcess.start(other, "restarted", root);
            assertEquals(content, read(client));
            second.close();
        } finally {
            first.close();
        }
    }

    private static Content read(SendfiledClient client) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        client.readTo("file", Channels.newChannel(bytes)).await(Await.LONG);
        return Content.of(bytes.toByteArray());
    }
}
