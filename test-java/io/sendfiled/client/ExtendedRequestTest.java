package io.sendfiled.client;

import static io.sendfiled.support.ScriptedDaemon.fileDetails;
import static io.sendfiled.support.ScriptedDaemon.fileInfo;
import static io.sendfiled.support.ScriptedDaemon.join;
import static io.sendfiled.support.ScriptedDaemon.progress;
import static io.sendfiled.support.ScriptedDaemon.refusal;
import static io.sendfiled.support.ScriptedDaemon.result;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.ScriptedDaemon;
import io.sendfiled.support.ScriptedDaemon.Request;
import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests with options, or with a source, against a daemon that does what each test says. */
@Timeout(60)
final class ExtendedRequestTest extends ClientTestCase {
    private static final TransferOptions DETAILS = TransferOptions.DEFAULT.withDetails(true);
    private static final FileRequest DETAILED = FileRequest.of("a").with(DETAILS);
    private static final byte[] FIVE = {1, 2, 3, 4, 5};
    private static final byte[] RESULT = result(0, 5, 7_000, 3, Technique.SPLICE.code());

    private Destination destination;

    @BeforeEach
    void takeThePipe() throws IOException {
        destination = Destination.of(pipe.sink());
    }

    private static void expectDetails(TransferResult result) {
        assertEquals(5, result.bytesMoved());
        assertEquals(new TransferDetails(Technique.SPLICE, 3, Duration.ofNanos(7_000)), result.details());
    }

    // ---- what is asked ----

    @Test
    void shouldSendTheOptionsAlong() throws Exception {
        FileRequest request = FileRequest.of("a")
                .range(5, 7)
                .with(TransferOptions.DEFAULT
                        .withTechnique(Technique.MMAP)
                        .withRate(1_000)
                        .withIdleTimeout(Duration.ofMillis(2))
                        .withDeadline(Duration.ofMillis(3))
                        .withDropBehind(true));
        client.send(request, destination);
        client.read(request);
        var unused = client.open(request);

        for (int command : new int[] {Wire.SEND_FILE_EXT, Wire.READ_FILE_EXT, Wire.OPEN_FILE_EXT}) {
            Request received = daemon.receive();
            ByteBuffer bytes = received.bytes();
            assertEquals(command, received.command());
            assertEquals(command == Wire.OPEN_FILE_EXT ? 1 : 2, received.descriptors());
            assertEquals(Wire.VERSION_2, bytes.getShort(2));
            assertEquals(5, bytes.getLong(8));
            assertEquals(7, bytes.getLong(16));
            assertEquals(1_000, bytes.getLong(24));
            assertEquals(2, bytes.getInt(32));
            assertEquals(3, bytes.getInt(36));
            assertEquals(Technique.MMAP.code(), bytes.get(40));
            assertEquals(Wire.FLAG_DROP_BEHIND, bytes.get(41));
            assertEquals('a', bytes.get(48));
        }
    }

    @Test
    void shouldSendAnOpenFileThatMayBeClosedAtOnce() throws Exception {
        Path file = Files.write(directory.resolve("mine"), FIVE);
        Transfer transfer;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            channel.position(4);
            transfer = client.send(FileRequest.of(Source.of(channel)).range(1, 3), destination);
            assertEquals(4, channel.position());
        }

        Request request = daemon.receive();

        assertEquals(Wire.SEND_DESCRIPTOR, request.command());
        assertEquals(3, request.descriptors());
        assertEquals(48, request.bytes().capacity());
        assertEquals(1, request.bytes().getLong(8));
        assertEquals(3, request.bytes().getLong(16));
        daemon.write(request, 1, FIVE);
        assertEquals(5, pipe.source().read(ByteBuffer.allocate(9)));
        assertThrows(IOException.class, () -> daemon.write(request, 2, FIVE)); // open for reading only
        daemon.status(request, join(fileInfo(5, ID), RESULT));
        expectDetails(transfer.await());
    }

    @Test
    void shouldOpenASourceByItsPath() throws Exception {
        Path file = Files.write(directory.resolve("mine"), FIVE);
        Transfer transfer = client.send(FileRequest.of(Source.of(file)), destination);

        assertEquals(3, daemon.receive().descriptors());

        transfer.cancel();
        assertEquals(file.toString(), transfer.request().path());
    }

    @Test
    void shouldSayWhichSourceCannotBeOpened() {
        Path missing = directory.resolve("missing");
        Transfer transfer = client.send(FileRequest.of(Source.of(missing)), destination);

        TransferException e = assertThrows(TransferException.class, transfer::await);

        assertEquals("send " + missing + ": no such file or directory (ENOENT)", e.getMessage());
        assertTrue(e.isRefusal());
    }

    @Test
    void shouldRefuseASourceThatIsClosed() throws Exception {
        FileChannel closed = FileChannel.open(Files.write(directory.resolve("mine"), FIVE), StandardOpenOption.READ);
        closed.close();
        Transfer transfer = client.send(FileRequest.of(Source.of(closed)), destination);

        assertEquals(
                Errno.EBADF,
                assertThrows(TransferException.class, transfer::await).errno());
    }

    @Test
    void shouldNotHaveASourceReadOrOpened() {
        FileRequest request = FileRequest.of(Source.of(directory));

        assertThrows(IllegalArgumentException.class, () -> client.read(request));
        assertThrows(IllegalArgumentException.class, () -> client.open(request));
        assertThrows(
                IllegalArgumentException.class,
                () -> client.readTo(request, Channels.newChannel(new ByteArrayOutputStream())));
    }

    // ---- how it ends ----

    @Test
    void shouldTellTheDetailsOfASend() throws Exception {
        Transfer transfer = client.send(DETAILED, destination);
        daemon.status(daemon.receive(), join(fileInfo(5, ID), progress(2), RESULT));

        expectDetails(transfer.await());
        assertEquals(5, transfer.bytesMoved());
    }

    @Test
    void shouldTellNoDetailsThatNobodyAskedFor() throws Exception {
        Transfer transfer = client.send("a", destination);
        daemon.status(daemon.receive(), join(fileInfo(5, ID), ScriptedDaemon.complete()));

        assertNull(transfer.await().details());
    }

    @Test
    void shouldTellTheDetailsOfAnOpenedFileThatWasSent() throws Exception {
        CompletableFuture<OpenFile> opened = client.open(DETAILED);
        Request open = daemon.receive();
        daemon.status(open, fileInfo(5, ID));
        Transfer transfer = opened.get().send(destination);
        assertEquals(Wire.SEND_OPEN_FILE, daemon.receive().command());
        daemon.status(open, RESULT);

        expectDetails(transfer.await());
    }

    @Test
    void shouldTellAllBytesThatWereMovedBeforeAFailure() throws Exception {
        Transfer transfer = client.send(DETAILED, destination);
        daemon.status(daemon.receive(), join(fileInfo(100, ID), progress(40), result(Errno.ETIMEDOUT, 60, 1, 0, 1)));

        TransferException e = assertThrows(TransferException.class, transfer::await);

        assertEquals("send a: timed out (ETIMEDOUT) after 60 bytes", e.getMessage());
        assertEquals(60, e.bytesMoved());
        assertFalse(e.isRefusal());
    }

    @Test
    void shouldNameTheTechniquesThatFit() throws Exception {
        Transfer transfer = client.send(FileRequest.of("a").with(DETAILS.withTechnique(Technique.SPLICE)), destination);
        daemon.status(daemon.receive(), refusal(Errno.EOPNOTSUPP, 1 << 1 | 1 << 3 | 1 << 4));

        TransferException e = assertThrows(TransferException.class, transfer::await);

        assertEquals(
                "send a: splice does not fit here; ask for sendfile, mmap, read-write, or auto (EOPNOTSUPP)",
                e.getMessage());
        assertEquals(Set.of(Technique.SENDFILE, Technique.MMAP, Technique.READ_WRITE), e.fits());
        assertTrue(e.isRefusal());
    }

    @Test
    void shouldNameTheTechniquesThatFitWhenAnOpenedFileIsSent() throws Exception {
        CompletableFuture<OpenFile> opened =
                client.open(FileRequest.of("a").with(DETAILS.withTechnique(Technique.SPLICE)));
        Request open = daemon.receive();
        daemon.status(open, fileInfo(5, ID));
        Transfer transfer = opened.get().send(destination);
        daemon.receive();
        daemon.status(open, ScriptedDaemon.unfit(1 << 4));

        TransferException e = assertThrows(TransferException.class, transfer::await);

        assertEquals(
                "send opened a: splice does not fit here; ask for read-write, or auto (EOPNOTSUPP)", e.getMessage());
        assertEquals(Set.of(Technique.READ_WRITE), e.fits());
        assertTrue(e.isRefusal());
    }

    @Test
    void shouldRefuseForOtherReasonsAsEver() throws Exception {
        Transfer transfer = client.send(DETAILED, destination);
        daemon.status(daemon.receive(), refusal(Errno.EACCES, 0));

        TransferException e = assertThrows(TransferException.class, transfer::await);

        assertEquals(
                "send a: permission denied: the daemon may not use this file, or its allow-users and allow-groups do not"
                        + " name this user (EACCES)",
                e.getMessage());
        assertEquals(Set.of(), e.fits());
    }

    @Test
    void shouldSayThatADaemonIsTooOld() throws Exception {
        ReadTransfer transfer = client.read(DETAILED);
        daemon.status(daemon.receive(), refusal(Errno.EPROTONOSUPPORT));

        TransferException e = assertThrows(TransferException.class, transfer::await);

        assertEquals(
                "read a: this daemon is too old for options, details and open files as sources: "
                        + "do without, or upgrade it (EPROTONOSUPPORT)",
                e.getMessage());
        assertTrue(e.isRefusal());
    }

    @Test
    void shouldRefuseNonsense() throws Exception {
        for (byte[] bytes : new byte[][] {
            RESULT,
            join(fileInfo(5, ID), result(0, 4, 0, 0, 1)),
            join(fileInfo(5, ID), result(0, 6, 0, 0, 1)),
            join(fileInfo(5, ID), progress(5), result(0, 4, 0, 0, 1)),
            join(fileInfo(5, ID), result(0, 5, -1, 0, 1)),
            join(fileInfo(5, ID), result(0, 5, 0, 0, 99)),
        }) {
            expectNonsense(bytes);
        }
    }

    private void expectNonsense(byte[] bytes) throws Exception {
        Transfer transfer = client.send(DETAILED, destination);
        Request request = nextRequest();
        daemon.status(request, bytes);

        assertEquals(
                Errno.EBADMSG,
                assertThrows(TransferException.class, transfer::await).errno());
    }

    @Test
    void shouldTellAnEmptyRangeFromOneToTheEnd() throws Exception {
        for (long length : new long[] {0, 3, FileRequest.TO_END}) {
            FileRequest request = FileRequest.of("a");
            request = length < 0 ? request.from(7).with(DETAILS) : request.range(7, length);
            Transfer transfer = client.send(request, destination);
            Request received = daemon.receive();
            boolean plain = length == 3; // in the form that every daemon knows
            assertEquals(plain ? Wire.SEND_FILE : Wire.SEND_FILE_EXT, received.command());
            assertEquals(7, received.bytes().getLong(8));
            assertEquals(length, received.bytes().getLong(16));
            daemon.status(
                    received,
                    plain
                            ? join(fileInfo(3, ID), ScriptedDaemon.complete())
                            : join(fileInfo(0, ID), result(0, 0, 1, 0, 0)));
            transfer.await();
        }
        client.send(FileRequest.of("a").from(7), destination);
        assertEquals(0, daemon.receive().bytes().getLong(16), "as every daemon has it");
        client.read(FileRequest.of("a").range(7, 0));
        assertEquals(Wire.READ_FILE_EXT, daemon.receive().command());
    }

    @Test
    void shouldTellTheDetailsOfTheFile() throws Exception {
        Transfer transfer = client.send(DETAILED, destination);
        daemon.status(
                daemon.receive(),
                join(fileDetails(99, -1, 0x801, 0100640, 1, 999_999_999, 3), fileInfo(5, ID), RESULT));

        FileInfo info = transfer.await().info();

        assertEquals(new FileDetails(99, -1, 0x801, 0100640), info.details());
        assertEquals(5, info.size());
        assertEquals(Instant.ofEpochSecond(1_600_000_000L, 1), info.accessed());
        assertEquals(Instant.ofEpochSecond(1_600_000_001L, 999_999_999), info.modified());
        assertEquals(Instant.ofEpochSecond(1_600_000_002L, 3), info.changed());
    }

    @Test
    void shouldTakeDetailsOnceAndBeforeTheInformationOnly() throws Exception {
        byte[] details = fileDetails(9, 1, 2, 3, 4, 5, 6);
        for (byte[] bytes :
                new byte[][] {join(details, details), join(fileInfo(5, ID), details), fileDetails(-1, 1, 2, 3, 4, 5, 6)
                }) {
            expectNonsense(bytes);
        }
    }

    // ---- a read with a data channel ----

    @Test
    void shouldTellTheResultOfARead() throws Exception {
        ReadTransfer transfer = client.read(DETAILED);
        Request request = daemon.receive();
        daemon.status(request, join(fileInfo(5, ID), progress(3), RESULT));
        daemon.write(request, 1, FIVE);
        daemon.close(request, 1);

        try (FileContent content = transfer.content().get()) {
            assertArrayEquals(FIVE, Channels.newInputStream(content).readAllBytes());
        }

        expectDetails(transfer.await());
    }

    @Test
    void shouldWaitForAResultThatComesLater() throws Exception {
        ReadTransfer transfer = client.read(DETAILED);
        Request request = daemon.receive();
        daemon.status(request, fileInfo(5, ID));
        daemon.write(request, 1, FIVE);
        try (FileContent content = transfer.content().get()) {
            Channels.newInputStream(content).readAllBytes();
        }
        assertFalse(transfer.result().isDone());
        daemon.status(request, Arrays.copyOf(RESULT, 10));
        daemon.status(request, Arrays.copyOfRange(RESULT, 10, RESULT.length));

        expectDetails(transfer.await());
    }

    @Test
    void shouldTellTheResultOfAReadInSomebodyElsesSelector() throws Exception {
        ReadTransfer transfer = client.read(DETAILED);
        Request request = daemon.receive();
        daemon.status(request, fileInfo(5, ID));
        FileContent content = transfer.content().get().configureBlocking(false);
        try (Selector selector = Selector.open()) {
            content.selectable().register(selector, SelectionKey.OP_READ);
            daemon.write(request, 1, FIVE);
            daemon.status(request, RESULT);
            ByteBuffer bytes = ByteBuffer.allocate(99);
            while (content.remaining() > 0) {
                selector.select();
                content.read(bytes);
            }

            assertEquals(5, bytes.position());
            assertEquals(-1, content.read(bytes));
            expectDetails(transfer.await());
        }
    }

    @Test
    void shouldSucceedWhenOnlyTheResultIsMissing() throws Exception {
        ReadTransfer transfer = client.read(DETAILED);
        Request request = daemon.receive();
        daemon.status(request, fileInfo(5, ID));
        daemon.write(request, 1, FIVE);
        Channels.newInputStream(transfer.content().get()).readAllBytes();
        daemon.end(request);

        assertNull(transfer.await().details());
        assertEquals(5, transfer.bytesMoved());
    }

    @Test
    void shouldNotWaitForAResultWhenItIsCancelledOrClosed() throws Exception {
        for (boolean close : new boolean[] {false, true}) {
            ReadTransfer transfer = client.read(DETAILED);
            Request request = daemon.receive();
            daemon.status(request, fileInfo(5, ID));
            daemon.write(request, 1, FIVE);
            Channels.newInputStream(transfer.content().get()).readAllBytes();

            if (close) {
                client.close();
            } else {
                transfer.cancel();
            }

            assertNull(transfer.await().details());
        }
    }

    @Test
    void shouldReadToTheEndAfterTheClientWasClosed() throws Exception {
        ReadTransfer transfer = client.read(DETAILED);
        Request request = daemon.receive();
        daemon.status(request, fileInfo(5, ID));
        FileContent content = transfer.content().get();

        client.close();
        daemon.write(request, 1, FIVE);

        assertArrayEquals(FIVE, Channels.newInputStream(content).readAllBytes());
        assertNull(transfer.await().details()); // nobody watches any more
    }

    @Test
    void shouldTellTheDetailsOfAnEmptyFile() throws Exception {
        ReadTransfer transfer = client.read(DETAILED);
        daemon.status(daemon.receive(), join(fileInfo(0, ID), result(0, 0, 7, 0, 0)));

        assertEquals(-1, transfer.content().get().read(ByteBuffer.allocate(1)));
        assertEquals(
                new TransferDetails(Technique.AUTO, 0, Duration.ofNanos(7)),
                transfer.await().details());
    }

    @Test
    void shouldTellTheDetailsOfACopy() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Transfer transfer = client.readTo(DETAILED, Channels.newChannel(bytes));
        Request request = daemon.receive();
        daemon.status(request, join(fileInfo(5, ID), RESULT));
        daemon.write(request, 1, FIVE);

        expectDetails(transfer.await());
        assertArrayEquals(FIVE, bytes.toByteArray());
    }

    @Test
    void shouldSayWhyAReadHasFailedWhicheverIsNoticedFirst() throws Exception {
        for (boolean wordFirst : new boolean[] {false, true}) {
            for (boolean blocking : new boolean[] {false, true}) {
                ReadTransfer transfer = client.read(DETAILED);
                Request request = daemon.receive();
                daemon.status(request, fileInfo(100, ID));
                daemon.write(request, 1, FIVE);
                FileContent content = transfer.content().get().configureBlocking(blocking);
                byte[] word = result(Errno.ETIMEDOUT, 5, 1, 0, 1);
                if (wordFirst) {
                    daemon.status(request, word);
                    daemon.close(request, 1);
                } else {
                    daemon.close(request, 1);
                    var unused = CompletableFuture.runAsync(() -> sleepless(() -> daemon.status(request, word)));
                }

                TransferException thrown = assertThrows(TransferException.class, () -> readOn(content));
                TransferException e = assertThrows(TransferException.class, transfer::await);

                for (TransferException one : List.of(thrown, e)) {
                    assertEquals("read a: timed out (ETIMEDOUT) after 5 bytes", one.getMessage());
                    assertEquals(5, one.bytesMoved());
                    assertFalse(one.isRefusal());
                }
            }
        }
    }

    /** The next request that is no Cancel. */
    private Request nextRequest() throws IOException {
        Request request = daemon.receive();
        while (request.command() == Wire.CANCEL) {
            request = daemon.receive();
        }
        return request;
    }

    private interface Action {
        void run() throws IOException;
    }

    private static void sleepless(Action action) {
        try {
            action.run();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void readOn(FileContent content) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(200);
        while (content.read(bytes.clear()) >= 0) {
            Thread.onSpinWait(); // in somebody's event loop
        }
    }

    @Test
    void shouldSayWhyACopyHasFailedWhenAllThatCameIsWritten() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Transfer transfer = client.readTo(DETAILED, Channels.newChannel(bytes));
        Request request = daemon.receive();
        daemon.status(request, join(fileInfo(100, ID), result(Errno.ENODATA, 5, 1, 0, 1)));
        daemon.write(request, 1, FIVE);
        assertFalse(transfer.result().isDone(), "its target is still written to");
        daemon.close(request, 1);

        TransferException e = assertThrows(TransferException.class, transfer::await);

        assertEquals(Errno.ENODATA, e.errno());
        assertEquals(5, e.bytesMoved());
        assertArrayEquals(FIVE, bytes.toByteArray());
    }

    @Test
    void shouldFailWhenTheDaemonDiesInTheMiddleOfARead() throws Exception {
        for (int dies = 0; dies < 2; dies++) {
            ReadTransfer transfer = client.read(DETAILED);
            Request request = daemon.receive();
            daemon.status(request, fileInfo(100, ID));
            daemon.write(request, 1, FIVE);
            daemon.close(request, dies);
            daemon.close(request, 1 - dies);
            FileContent content = transfer.content().get();

            assertThrows(IOException.class, () -> readOn(content));

            TransferException e = assertThrows(TransferException.class, transfer::await);
            assertEquals(Errno.ECONNABORTED, e.errno());
            assertEquals(5, e.bytesMoved());
        }
    }

    /** All of them on the threads that receive it: each wait leaves that to the next one. */
    @Test
    void shouldSayWhyToActionsThatRead() throws Exception {
        List<Request> requests = new ArrayList<>();
        List<CompletableFuture<IOException>> failures = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            CountDownLatch begun = new CountDownLatch(1);
            failures.add(client.read(DETAILED).content().thenApply(content -> {
                begun.countDown();
                return assertThrows(IOException.class, () -> readOn(content));
            }));
            Request request = daemon.receive();
            daemon.write(request, 1, FIVE);
            daemon.close(request, 1);
            daemon.status(request, fileInfo(100, ID));
            requests.add(request);
            begun.await();
        }

        for (Request request : requests) {
            daemon.status(request, result(Errno.ETIMEDOUT, 5, 1, 0, 1));
        }

        for (CompletableFuture<IOException> failure : failures) {
            assertEquals(
                    "read a: timed out (ETIMEDOUT) after 5 bytes", failure.get().getMessage());
        }
    }

    @Test
    void shouldNotWaitForTheReasonWhenItsReaderIsToStop() throws Exception {
        for (String way : List.of("interrupt", "cancel", "close", "close the client")) {
            ReadTransfer transfer = client.read(DETAILED);
            Request request = nextRequest();
            daemon.status(request, fileInfo(100, ID));
            FileContent content = transfer.content().get();
            CompletableFuture<IOException> thrown = new CompletableFuture<>();
            Thread reader = new Thread(() -> thrown.complete(assertThrows(IOException.class, () -> readOn(content))));
            reader.start();
            daemon.write(request, 1, FIVE);
            daemon.close(request, 1);
            Await.until("the reader to wait", () -> reader.getState() == Thread.State.TIMED_WAITING);

            switch (way) {
                case "interrupt" -> reader.interrupt();
                case "cancel" -> transfer.cancel();
                case "close" -> content.close();
                default -> client.close();
            }

            String expected =
                    switch (way) {
                        case "interrupt" -> "read a: the reading thread was interrupted (EINTR) after 5 bytes";
                        case "cancel", "close" -> "read a: cancelled (ECANCELED) after 5 bytes";
                        default -> "read a: the daemon stopped 95 bytes before the end (ECONNABORTED) after 5 bytes";
                    };
            assertEquals(
                    expected,
                    assertThrows(TransferException.class, () -> transfer.await(Await.LONG))
                            .getMessage());
            assertEquals(expected, thrown.get().getMessage());
        }
    }

    @Test
    void shouldNotWaitForTheReasonOfACopyThatIsCancelled() throws Exception {
        CompletableFuture<Thread> copier = new CompletableFuture<>();
        Transfer transfer = client.readTo(DETAILED, Channels.newChannel(new OutputStream() {
            @Override
            public void write(int b) {
                copier.complete(Thread.currentThread());
            }
        }));
        Request request = daemon.receive();
        daemon.status(request, fileInfo(100, ID));
        daemon.write(request, 1, FIVE);
        daemon.close(request, 1);
        Thread thread = copier.get();
        Await.until("the copy to wait", () -> thread.getState() == Thread.State.TIMED_WAITING);

        transfer.cancel(); // the daemon does not answer

        TransferException e = assertThrows(TransferException.class, () -> transfer.await(Await.LONG));
        assertEquals("read a: cancelled (ECANCELED) after 5 bytes", e.getMessage());
    }

    @Test
    void shouldTellTheReaderWhyItsChannelWasClosedUnderIt() throws Exception {
        ReadTransfer transfer = client.read(DETAILED);
        Request request = daemon.receive();
        daemon.status(request, fileInfo(100, ID));
        FileContent content = transfer.content().get();

        daemon.status(request, fileInfo(100, ID)); // once more: makes no sense

        TransferException e = assertThrows(TransferException.class, () -> readOn(content));
        assertEquals("read a: the daemon's answer makes no sense (EBADMSG)", e.getMessage());
    }

    @Test
    void shouldCloseTheDataChannelOfAReadThatNobodyWants() throws Exception {
        for (int way = 0; way < 4; way++) {
            ReadTransfer transfer = client.read(DETAILED);
            Request request = nextRequest();
            if (way > 0) {
                daemon.status(request, fileInfo(100, ID));
            }
            switch (way) {
                case 0 -> daemon.status(request, refusal(Errno.ENOENT, 0));
                case 1 -> transfer.content().get().close();
                case 2 -> transfer.cancel();
                default -> transfer.result().cancel(true);
            }
            assertThrows(Exception.class, transfer::await);
        }
    } // OpenDescriptors tells what is left open

    @Test
    void shouldRefuseToReadByATechniqueThatDoesNotFit() throws Exception {
        ReadTransfer transfer = client.read(FileRequest.of("a").with(DETAILS.withTechnique(Technique.COPY_FILE_RANGE)));
        daemon.status(daemon.receive(), refusal(Errno.EOPNOTSUPP, 1 << 2));

        TransferException e = assertThrows(TransferException.class, transfer::await);

        assertEquals("read a: copy-file-range does not fit here; ask for splice, or auto (EOPNOTSUPP)", e.getMessage());
        assertTrue(transfer.content().isCompletedExceptionally());
    }
}
