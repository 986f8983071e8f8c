package io.sendfiled.client;

import static io.sendfiled.support.ScriptedDaemon.complete;
import static io.sendfiled.support.ScriptedDaemon.failure;
import static io.sendfiled.support.ScriptedDaemon.fileInfo;
import static io.sendfiled.support.ScriptedDaemon.join;
import static io.sendfiled.support.ScriptedDaemon.progress;
import static io.sendfiled.support.ScriptedDaemon.refusal;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.ScriptedDaemon.Request;
import io.sendfiled.sys.Errno;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.Pipe;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The client against a daemon that does what each test says: real sockets, real descriptors. */
@Timeout(60)
final class SendfiledClientTest extends ClientTestCase {

    // ---- send ----

    @Test
    void shouldPassTheRequestTheStatusChannelAndTheDestination() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            Transfer transfer = client.send(FileRequest.of("a/ö").range(5, 7), Destination.of(pipe.sink()));

            Request request = daemon.receive();

            assertEquals(2, request.descriptors());
            assertEquals(Wire.SEND_FILE, request.command());
            assertEquals(5, request.bytes().getLong(8));
            assertEquals(7, request.bytes().getLong(16));
            assertEquals(
                    ByteBuffer.wrap("a/ö\0".getBytes(StandardCharsets.UTF_8)),
                    request.bytes().position(24).slice());
            daemon.write(request, 1, new byte[] {1, 2, 3});
            assertArrayEquals(new byte[] {1, 2, 3}, pipe.read(3));
            daemon.status(request, join(fileInfo(7, ID), complete()));
            transfer.await();
        }
    }

    @Test
    void shouldTellInformationProgressAndCompletion() throws Exception {
        List<String> heard = new ArrayList<>();
        try (SinkAndSource pipe = new SinkAndSource()) {
            Transfer transfer = client.send("a", Destination.of(pipe.sink()));
            transfer.onProgress((moved, total) -> heard.add(moved + "/" + total));
            Request request = daemon.receive();
            daemon.status(request, fileInfo(100, ID));

            FileInfo info = transfer.info().get();

            assertEquals(100, info.size());
            assertEquals(1_600_000_000L, info.accessed().getEpochSecond());
            assertEquals(1_600_000_001L, info.modified().getEpochSecond());
            assertEquals(1_600_000_002L, info.changed().getEpochSecond());
            assertFalse(transfer.result().isDone());
            daemon.status(request, progress(40));
            daemon.status(request, join(progress(10), complete()));
            TransferResult result = transfer.await();
            assertSame(info, result.info());
            assertEquals(100, result.bytesMoved());
            assertEquals(100, transfer.bytesMoved());
            assertEquals(List.of("40/100", "50/100", "100/100"), heard);
        }
    }

    @Test
    void shouldCompleteAnEmptyFile() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            Transfer transfer = client.send("a", Destination.of(pipe.sink()));
            daemon.status(daemon.receive(), join(fileInfo(0, ID), complete()));

            assertEquals(0, transfer.await().bytesMoved());
        }
    }

    @Test
    void shouldFailWithTheErrnoOfARefusal() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            Transfer transfer = client.send("etc/shadow", Destination.of(pipe.sink()));
            daemon.status(daemon.receive(), refusal(Errno.EACCES));

            TransferException e = assertThrows(TransferException.class, transfer::await);

            assertEquals(
                    "send etc/shadow: permission denied: the daemon may not use this file, or its allow-users and"
                            + " allow-groups do not name this user (EACCES)",
                    e.getMessage());
            assertEquals(Errno.EACCES, e.errno());
            assertEquals("EACCES", e.errnoName());
            assertEquals(Operation.SEND, e.operation());
            assertEquals("etc/shadow", e.path());
            assertEquals(0, e.bytesMoved());
            assertTrue(e.isRefusal());
            assertInstanceOf(
                    TransferException.class,
                    assertThrows(ExecutionException.class, () -> transfer.info().get())
                            .getCause());
        }
    }

    @Test
    void shouldTellTheBytesMovedBeforeAFailure() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            Transfer transfer = client.send("a", Destination.of(pipe.sink()));
            daemon.status(daemon.receive(), join(fileInfo(100, ID), progress(60), failure(Errno.EPIPE)));

            TransferException e = assertThrows(TransferException.class, transfer::await);

            assertEquals(Errno.EPIPE, e.errno());
            assertEquals(60, e.bytesMoved());
            assertFalse(e.isRefusal());
            assertEquals("send a: broken pipe (EPIPE) after 60 bytes", e.getMessage());
        }
    }

    @Test
    void shouldFailWhenTheChannelEndsWithoutCompletion() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            Transfer transfer = client.send("a", Destination.of(pipe.sink()));
            Request request = daemon.receive();
            daemon.status(request, join(fileInfo(100, ID), progress(100)));
            daemon.end(request);

            TransferException e = assertThrows(TransferException.class, transfer::await);

            assertEquals(Errno.ECONNABORTED, e.errno());
            assertEquals(100, e.bytesMoved());
        }
    }

    @Test
    void shouldFailWhenTheDaemonIsKilled() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            Transfer running = client.send("a", Destination.of(pipe.sink()));
            daemon.status(daemon.receive(), fileInfo(100, ID));
            running.info().get();
            Transfer queued = client.send("b", Destination.of(pipe.sink())); // in the socket's queue when it dies

            daemon.close();

            assertEquals(
                    Errno.ECONNABORTED,
                    assertThrows(TransferException.class, running::await).errno());
            assertEquals(
                    Errno.ECONNABORTED,
                    assertThrows(TransferException.class, queued::await).errno());
            Transfer late = client.send("c", Destination.of(pipe.sink()));
            TransferException e = assertThrows(TransferException.class, late::await);
            assertEquals(Errno.ECONNREFUSED, e.errno());
            assertTrue(e.isRefusal());
            assertTrue(e.toString().contains("no daemon listens at " + directory), e.toString());
        }
    }

    @Test
    void shouldFindADaemonThatWasRestarted() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            daemon.rebind();

            Transfer transfer = client.send("a", Destination.of(pipe.sink()));

            daemon.status(daemon.receive(), join(fileInfo(0, ID), complete()));
            transfer.await();
        }
    }

    @Test
    void shouldRefuseNonsense() throws Exception {
        List<byte[]> nonsense = List.of(
                new byte[] {0x55, 0, 0},
                complete(),
                join(fileInfo(100, ID), fileInfo(100, ID)),
                fileInfo(-1, ID),
                join(fileInfo(100, ID), progress(-2)),
                join(fileInfo(100, ID), progress(101), complete()));
        try (SinkAndSource pipe = new SinkAndSource()) {
            for (byte[] bytes : nonsense) {
                Transfer transfer = client.send("a", Destination.of(pipe.sink()));
                Request request = daemon.receive();
                while (request.command() == Wire.CANCEL) {
                    request = daemon.receive();
                }
                daemon.status(request, bytes);

                assertEquals(
                        Errno.EBADMSG,
                        assertThrows(TransferException.class, transfer::await).errno());
            }
        }
    }

    @Test
    void shouldFailWhenTheDestinationIsClosed() throws Exception {
        SocketChannel closed = SocketChannel.open();
        closed.close();

        Transfer transfer = client.send("a", closed);

        assertTrue(transfer.result().isCompletedExceptionally());
        TransferException e = assertThrows(TransferException.class, transfer::await);
        assertEquals(Errno.EBADF, e.errno());
        assertTrue(e.isRefusal());
    }

    @Test
    void shouldTellTheErrnoOfAnExceptionOfTheJdk() throws Exception {
        Transfer transfer = client.send("a", () -> {
            throw new IOException("Too many open files");
        });

        TransferException e = assertThrows(TransferException.class, transfer::await);

        assertEquals(Errno.EMFILE, e.errno());
        assertTrue(e.isRefusal());
    }

    @Test
    void shouldGoOnWhenAListenerOrADependentActionThrows() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            Transfer transfer = client.send("a", Destination.of(pipe.sink()));
            transfer.onProgress((moved, total) -> {
                throw new IllegalStateException("a listener's fault, on purpose");
            });
            CompletableFuture<Void> dependent = transfer.info().thenAccept(info -> {
                throw new IllegalStateException("an action's fault, on purpose");
            });
            daemon.status(daemon.receive(), join(fileInfo(100, ID), progress(1), complete()));

            transfer.await();

            assertTrue(dependent.isCompletedExceptionally());
        }
    }

    // ---- cancel ----

    @Test
    void shouldCancelByIdAndWaitForTheDaemonToLetGo() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            Transfer transfer = client.send("a", Destination.of(pipe.sink()));
            Request request = daemon.receive();
            daemon.status(request, join(fileInfo(100, ID), progress(30)));
            Await.until("progress", () -> transfer.bytesMoved() == 30);

            transfer.cancel();
            transfer.cancel();

            Request cancel = daemon.receive();
            assertEquals(Wire.CANCEL, cancel.command());
            assertEquals(ID, cancel.transferId());
            assertEquals(0, cancel.descriptors());
            assertFalse(transfer.result().isDone());
            daemon.end(request);
            TransferException e = assertThrows(TransferException.class, transfer::await);
            assertEquals(Errno.ECANCELED, e.errno());
            assertEquals(30, e.bytesMoved());
        }
    }

    @Test
    void shouldCancelAsSoonAsTheIdIsKnown() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            Transfer transfer = client.send("a", Destination.of(pipe.sink()));
            Request request = daemon.receive();
            transfer.cancel();
            daemon.status(request, fileInfo(100, ID));

            assertEquals(ID, daemon.receive().transferId());

            daemon.end(request);
            assertEquals(
                    Errno.ECANCELED,
                    assertThrows(TransferException.class, transfer::await).errno());
        }
    }

    @Test
    void shouldSucceedWhenCompletionOvertakesTheCancel() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            Transfer transfer = client.send("a", Destination.of(pipe.sink()));
            Request request = daemon.receive();
            daemon.status(request, fileInfo(100, ID));
            transfer.info().get();
            transfer.cancel();
            daemon.receive();
            daemon.status(request, complete());

            assertEquals(100, transfer.await().bytesMoved());
        }
    }

    @Test
    void shouldCancelTheTransferWhenItsResultIsCompletedFromOutside() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            for (boolean byTimeout : new boolean[] {false, true}) {
                Transfer transfer = client.send("a", Destination.of(pipe.sink()));
                Request request = daemon.receive();
                daemon.status(request, fileInfo(100, ID));
                transfer.info().get();

                if (byTimeout) {
                    transfer.result().orTimeout(1, TimeUnit.MILLISECONDS);
                } else {
                    transfer.result().cancel(true);
                }

                assertEquals(Wire.CANCEL, daemon.receive().command());
                daemon.end(request);
                assertEquals(
                        byTimeout ? Errno.ETIMEDOUT : Errno.ECANCELED,
                        assertThrows(TransferException.class, transfer::await).errno());
            }
        }
    }

    // ---- open ----

    @Test
    void shouldOpenAndSendLater() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            CompletableFuture<OpenFile> opened = client.open("a");
            Request open = daemon.receive();
            assertEquals(Wire.OPEN_FILE_EXT, open.command());
            assertEquals(1, open.descriptors());
            daemon.status(open, fileInfo(3, ID));
            OpenFile file = opened.get();
            assertEquals(3, file.info().size());

            Transfer transfer = file.send(Destination.of(pipe.sink()));

            Request send = daemon.receive();
            assertEquals(Wire.SEND_OPEN_FILE, send.command());
            assertEquals(ID, send.transferId());
            assertEquals(1, send.descriptors());
            daemon.write(send, 0, new byte[] {1, 2, 3});
            daemon.status(open, complete());
            assertEquals(3, transfer.await().bytesMoved());
            assertArrayEquals(new byte[] {1, 2, 3}, pipe.read(3));
            file.close(); // does nothing any more
            assertThrows(IllegalStateException.class, () -> file.send(Destination.of(pipe.sink())));
        }
    }

    @Test
    void shouldFailToSendWhatTheDaemonGaveUp() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            CompletableFuture<OpenFile> opened = client.open("a");
            Request open = daemon.receive();
            daemon.status(open, fileInfo(3, ID));
            OpenFile file = opened.get();
            daemon.status(open, failure(Errno.ETIMEDOUT));
            daemon.end(open);

            Transfer transfer = file.send(Destination.of(pipe.sink()));

            assertEquals(
                    Errno.ETIMEDOUT,
                    assertThrows(TransferException.class, transfer::await).errno());
        }
    }

    @Test
    void shouldCancelWhatWasOpenedAndNotSent() throws Exception {
        CompletableFuture<OpenFile> opened = client.open("a");
        Request open = daemon.receive();
        daemon.status(open, fileInfo(3, ID));

        opened.get().close();

        Request cancel = daemon.receive();
        assertEquals(Wire.CANCEL, cancel.command());
        assertEquals(ID, cancel.transferId());
        daemon.end(open);
    }

    @Test
    void shouldCancelWhatNobodyWantsToHaveOpenedAnyMore() throws Exception {
        CompletableFuture<OpenFile> opened = client.open("a");
        Request open = daemon.receive();
        opened.cancel(true);
        daemon.status(open, fileInfo(3, ID));

        assertEquals(Wire.CANCEL, daemon.receive().command());

        daemon.end(open);
    }

    @Test
    void shouldFailToOpenWhatIsRefused() throws Exception {
        CompletableFuture<OpenFile> opened = client.open("a");
        daemon.status(daemon.receive(), refusal(Errno.ENOENT));

        TransferException e = assertInstanceOf(
                TransferException.class,
                assertThrows(ExecutionException.class, opened::get).getCause());

        assertEquals("open a: no such file or directory (ENOENT)", e.getMessage());
    }

    // ---- read ----

    @Test
    void shouldReadTheFilesBytesBehindItsInformation() throws Exception {
        ReadTransfer transfer = client.read("a");
        Request request = daemon.receive();
        assertEquals(Wire.READ_FILE, request.command());
        assertEquals(1, request.descriptors());
        daemon.status(request, join(fileInfo(5, ID), new byte[] {1, 2, 3, 4, 5}));

        FileContent content = transfer.content().get();

        assertFalse(transfer.result().isDone());
        assertEquals(5, content.remaining());
        assertArrayEquals(
                new byte[] {1, 2, 3, 4, 5}, Channels.newInputStream(content).readAllBytes());
        assertEquals(-1, content.read(ByteBuffer.allocate(1)));
        assertEquals(5, transfer.await().bytesMoved());
    }

    @Test
    void shouldReadInSomebodyElsesSelector() throws Exception {
        ReadTransfer transfer = client.read("a");
        Request request = daemon.receive();
        daemon.status(request, fileInfo(4, ID));
        FileContent content = transfer.content().get().configureBlocking(false);
        try (Selector selector = Selector.open()) {
            content.selectable().register(selector, SelectionKey.OP_READ);
            ByteBuffer bytes = ByteBuffer.allocate(16);
            assertEquals(0, content.read(bytes));

            daemon.status(request, new byte[] {1, 2});
            assertEquals(1, selector.select());
            assertEquals(2, content.read(bytes));
            daemon.status(request, new byte[] {3, 4, 5}); // one more than was announced
            selector.selectedKeys().clear();
            assertEquals(1, selector.select());
            assertEquals(2, content.read(bytes));

            assertEquals(-1, content.read(bytes));
            assertEquals(4, transfer.await().bytesMoved());
        }
    }

    @Test
    void shouldReadAnEmptyFile() throws Exception {
        ReadTransfer transfer = client.read("a");
        daemon.status(daemon.receive(), fileInfo(0, ID));

        FileContent content = transfer.content().get().configureBlocking(false);

        assertEquals(-1, content.read(ByteBuffer.allocate(1)));
        assertEquals(0, transfer.await().bytesMoved());
    }

    @Test
    void shouldThrowWhenTheFileEndsBeforeItsSize() throws Exception {
        ReadTransfer transfer = client.read("a");
        Request request = daemon.receive();
        daemon.status(request, join(fileInfo(5, ID), new byte[] {1, 2}));
        daemon.end(request);
        FileContent content = transfer.content().get();
        ByteBuffer bytes = ByteBuffer.allocate(16);
        assertEquals(2, content.read(bytes));

        TransferException e = assertThrows(TransferException.class, () -> content.read(bytes));

        assertEquals(Errno.ECONNABORTED, e.errno());
        assertEquals(2, e.bytesMoved());
        assertEquals(2, assertThrows(TransferException.class, transfer::await).bytesMoved());
    }

    @Test
    void shouldFailToReadWhatIsRefused() throws Exception {
        ReadTransfer transfer = client.read("a");
        daemon.status(daemon.receive(), refusal(Errno.EISDIR));

        TransferException e = assertInstanceOf(
                TransferException.class,
                assertThrows(ExecutionException.class, () -> transfer.content().get())
                        .getCause());

        assertEquals(Errno.EISDIR, e.errno());
        assertTrue(transfer.info().isCompletedExceptionally());
        assertEquals(
                Errno.EISDIR,
                assertThrows(TransferException.class, transfer::await).errno()); // the last one to end
    }

    @Test
    void shouldCancelAReadThatIsClosedEarly() throws Exception {
        ReadTransfer transfer = client.read("a");
        Request request = daemon.receive();
        daemon.status(request, fileInfo(5, ID));
        FileContent content = transfer.content().get();

        content.close();

        assertEquals(
                Errno.ECANCELED,
                assertThrows(TransferException.class, transfer::await).errno());
        assertEquals(ID, daemon.receive().transferId());
        expectHungUp(request);
        assertThrows(ClosedChannelException.class, () -> content.read(ByteBuffer.allocate(1)));
    }

    @Test
    void shouldWakeAReaderWhenTheTransferIsCancelled() throws Exception {
        ReadTransfer transfer = client.read("a");
        daemon.status(daemon.receive(), fileInfo(5, ID));
        FileContent content = transfer.content().get();
        CompletableFuture<Integer> reading = CompletableFuture.supplyAsync(() -> {
            try {
                return content.read(ByteBuffer.allocate(1));
            } catch (TransferException e) {
                return -e.errno();
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });

        transfer.cancel();

        assertEquals(-Errno.ECANCELED, reading.get());
        assertEquals(
                Errno.ECANCELED,
                assertThrows(TransferException.class, transfer::await).errno());
    }

    @Test
    void shouldCancelAReadBeforeItsInformation() throws Exception {
        ReadTransfer transfer = client.read("a");
        Request request = daemon.receive();

        transfer.cancel();

        assertEquals(
                Errno.ECANCELED,
                assertThrows(TransferException.class, transfer::await).errno());
        assertTrue(transfer.content().isCompletedExceptionally());
        expectHungUp(request);
    }

    @Test
    void shouldCloseContentThatNobodyWantsAnyMore() throws Exception {
        ReadTransfer transfer = client.read("a");
        Request request = daemon.receive();
        transfer.content().cancel(true);

        assertEquals(
                Errno.ECANCELED,
                assertThrows(TransferException.class, transfer::await).errno());
        expectHungUp(request);
    }

    /** The descriptor of a registered channel goes with the selector's next round, which can come after the result. */
    private void expectHungUp(Request request) {
        Await.until("the client's end of the status channel to go", () -> {
            try {
                return daemon.tryStatus(request, new byte[1]) == Errno.EPIPE;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    // ---- readTo ----

    @Test
    void shouldCopyToAChannel() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Transfer transfer = client.readTo("a", Channels.newChannel(bytes));
        Request request = daemon.receive();
        daemon.status(request, join(fileInfo(5, ID), new byte[] {1, 2}));
        daemon.status(request, new byte[] {3, 4, 5});

        assertEquals(5, transfer.await().bytesMoved());

        assertArrayEquals(new byte[] {1, 2, 3, 4, 5}, bytes.toByteArray());
    }

    @Test
    void shouldCopyAnEmptyFile() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Transfer transfer = client.readTo("a", Channels.newChannel(bytes));
        daemon.status(daemon.receive(), fileInfo(0, ID));

        assertEquals(0, transfer.await().bytesMoved());
    }

    @Test
    void shouldFailToCopyWhenTheFileEndsBeforeItsSize() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Transfer transfer = client.readTo("a", Channels.newChannel(bytes));
        Request request = daemon.receive();
        daemon.status(request, join(fileInfo(5, ID), new byte[] {1, 2}));
        daemon.end(request);

        TransferException e = assertThrows(TransferException.class, transfer::await);

        assertEquals(Errno.ECONNABORTED, e.errno());
        assertEquals(2, e.bytesMoved());
        assertArrayEquals(new byte[] {1, 2}, bytes.toByteArray());
    }

    @Test
    void shouldFailWhenTheTargetFails() throws Exception {
        WritableByteChannel full = new WritableByteChannel() {
            @Override
            public int write(ByteBuffer bytes) throws IOException {
                throw new IOException("no space left on device");
            }

            @Override
            public boolean isOpen() {
                return true;
            }

            @Override
            public void close() {}
        };
        Transfer transfer = client.readTo("a", full);
        Request request = daemon.receive();
        daemon.status(request, join(fileInfo(5, ID), new byte[] {1, 2}));

        TransferException e = assertThrows(TransferException.class, transfer::await);

        assertEquals("read a: no space left on device (ENOSPC)", e.getMessage());
        assertEquals(ID, daemon.receive().transferId());
    }

    @Test
    void shouldCancelACopy() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Transfer transfer = client.readTo("a", Channels.newChannel(bytes));
        daemon.status(daemon.receive(), join(fileInfo(5, ID), new byte[] {1, 2}));
        Await.until("progress", () -> transfer.bytesMoved() == 2);

        transfer.cancel();

        TransferException e = assertThrows(TransferException.class, transfer::await);
        assertEquals(Errno.ECANCELED, e.errno());
        assertEquals(2, e.bytesMoved());
    }

    @Test
    void shouldRefuseATargetThatDoesNotBlock() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            pipe.sink().configureBlocking(false);

            assertThrows(IllegalArgumentException.class, () -> client.readTo("a", pipe.sink()));
        }
    }

    // ---- many, and the client's life ----

    @Test
    void shouldQueueInOrderWhatTheSocketHasNoRoomFor() throws Exception {
        int count = 500;
        try (SinkAndSource pipe = new SinkAndSource()) {
            List<Transfer> transfers = new ArrayList<>();
            for (int i = 0; i < count; i++) { // the daemon receives nothing meanwhile
                transfers.add(client.send(FileRequest.of("a").from(i), Destination.of(pipe.sink())));
            }
            for (int i = 0; i < count; i++) {
                Request request = daemon.receive();
                assertEquals(i, request.bytes().getLong(8));
                daemon.status(request, join(fileInfo(i, ID + i), complete()));
                daemon.end(request);
                daemon.close(request, 1);
            }
            for (int i = 0; i < count; i++) {
                assertEquals(i, transfers.get(i).await().bytesMoved());
            }
        }
    }

    @Test
    void shouldRefuseWhatIsTooMuchToQueue() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource();
                SendfiledClient small = SendfiledClient.builder()
                        .socketDirectory(directory)
                        .name("test")
                        .maxQueuedRequests(5)
                        .connect()) {
            List<Transfer> transfers = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                transfers.add(small.send("a", Destination.of(pipe.sink())));
            }

            TransferException e = assertThrows(
                    TransferException.class, () -> transfers.get(99).await());

            assertEquals(Errno.EAGAIN, e.errno());
            assertEquals("send a: 5 requests wait for the daemon already (EAGAIN)", e.getMessage());
        }
    }

    @Test
    void shouldNotSendWhatWasCancelledInTheQueue() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            List<Transfer> transfers = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                transfers.add(client.send("a", Destination.of(pipe.sink())));
            }
            Transfer last = transfers.get(99);
            last.cancel();
            for (int i = 0; i < 99; i++) {
                Request request = daemon.receive();
                daemon.status(request, join(fileInfo(0, ID), complete()));
            }

            assertEquals(
                    Errno.ECANCELED,
                    assertThrows(TransferException.class, last::await).errno());
        }
    }

    @Test
    void shouldEndEverythingWhenItIsClosed() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            Transfer send = client.send("a", Destination.of(pipe.sink()));
            Request sent = daemon.receive();
            daemon.status(sent, fileInfo(9, ID));
            send.info().get();
            ReadTransfer waiting = client.read("b");
            daemon.receive();
            Transfer copy = client.readTo("c", Channels.newChannel(new ByteArrayOutputStream()));
            daemon.status(daemon.receive(), fileInfo(9, ID + 1));
            copy.info().get();
            ReadTransfer read = client.read("d");
            Request handedOver = daemon.receive();
            daemon.status(handedOver, fileInfo(2, ID + 2));
            FileContent content = read.content().get();

            client.close();
            client.close();

            assertEquals(
                    Errno.ECANCELED,
                    assertThrows(TransferException.class, send::await).errno());
            assertEquals(
                    Errno.ECANCELED,
                    assertThrows(TransferException.class, waiting::await).errno());
            assertEquals(
                    Errno.ECANCELED,
                    assertThrows(TransferException.class, copy::await).errno());
            daemon.status(handedOver, new byte[] {1, 2}); // what was handed over stays its reader's
            assertEquals(2, content.read(ByteBuffer.allocate(5)));
            assertEquals(2, read.await().bytesMoved());
            Transfer late = client.send("e", Destination.of(pipe.sink()));
            TransferException e = assertThrows(TransferException.class, late::await);
            assertEquals("send e: the client is closed (ECANCELED)", e.getMessage());
        }
    }

    @Test
    void shouldCloseWhileRequestsWait() throws Exception {
        try (SinkAndSource pipe = new SinkAndSource()) {
            List<Transfer> transfers = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                transfers.add(client.send("a", Destination.of(pipe.sink())));
            }

            client.close();

            for (Transfer transfer : transfers) {
                assertEquals(
                        Errno.ECANCELED,
                        assertThrows(TransferException.class, transfer::await).errno());
            }
        }
        for (int i = 0; i < 10; i++) { // the daemon's own duplicates
            daemon.receive();
        }
    }

    @Test
    void shouldLetItselfBeClosedByADependentAction() throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        ReadTransfer transfer = client.read("a");
        var unused = transfer.result().whenComplete((result, failure) -> {
            client.close();
            done.countDown();
        });
        daemon.status(daemon.receive(), refusal(Errno.ENOENT));

        assertTrue(done.await(Await.LONG.toSeconds(), TimeUnit.SECONDS));
    }

    @Test
    void shouldSayWhereNoDaemonIs() {
        DaemonUnavailableException e =
                assertThrows(DaemonUnavailableException.class, () -> SendfiledClient.connect(directory, "nobody"));

        assertEquals(Errno.ENOENT, e.errno());
        assertTrue(e.toString().contains(directory + "/sendfiled.nobody.socket"), e.toString());
    }

    @Test
    void shouldTellADeadSocketFromNone() throws IOException {
        daemon.close(); // leaves its socket

        DaemonUnavailableException e =
                assertThrows(DaemonUnavailableException.class, () -> SendfiledClient.connect(directory, "test"));

        assertEquals(Errno.ECONNREFUSED, e.errno());
    }

    /** A pipe as a destination, with its reader. */
    private static final class SinkAndSource implements AutoCloseable {
        private final Pipe pipe;

        SinkAndSource() throws IOException {
            pipe = Pipe.open();
        }

        Pipe.SinkChannel sink() {
            return pipe.sink();
        }

        byte[] read(int count) throws IOException {
            ByteBuffer bytes = ByteBuffer.allocate(count);
            int last = 0;
            while (bytes.hasRemaining() && last >= 0) {
                last = pipe.source().read(bytes);
            }
            return bytes.array();
        }

        @Override
        public void close() throws IOException {
            pipe.sink().close();
            pipe.source().close();
        }
    }
}
