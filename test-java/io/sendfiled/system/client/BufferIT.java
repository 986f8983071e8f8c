package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.sendfiled.buffer.BufferAccess;
import io.sendfiled.buffer.BufferOptions;
import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.client.BufferTransfer;
import io.sendfiled.client.Destination;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.Source;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransferOptions;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import io.sendfiled.technique.Technique;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Memory: files that the daemon reads into it, what it sends of it, and hand-overs between Java and C. */
@ParameterizedClass
@EachKind
@Timeout(120)
final class BufferIT {
    private static final int BIG = 20_000_003; // three jobs of the disk pool

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
        SharedBuffer.allocate(1).close(); // what is opened once stays open
        daemon.rememberDescriptors();
    }

    private static SharedBuffer awaited(BufferTransfer transfer) throws Exception {
        transfer.await(Await.LONG);
        return transfer.buffer().get(0, TimeUnit.SECONDS);
    }

    private static Content contentOf(SharedBuffer buffer) throws IOException {
        byte[] bytes = new byte[(int) buffer.size()];
        buffer.bytes().get(bytes);
        return Content.of(bytes);
    }

    private static SharedBuffer loaded(Path file) throws IOException {
        SharedBuffer buffer = SharedBuffer.allocate(Files.size(file), BufferOptions.DEFAULT.withName("given"));
        try (FileChannel in = FileChannel.open(file)) {
            ByteBuffer bytes = buffer.bytes();
            while (bytes.hasRemaining() && in.read(bytes) >= 0) {}
        }
        return buffer;
    }

    private static TransferException failureOf(Transfer transfer) {
        return assertThrows(TransferException.class, () -> transfer.await(Await.LONG));
    }

    // ---- Read File into a buffer ----

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 4095, 4096, 4097, 65_537, 1 << 20, (8 << 20) + 1, 64 << 20})
    void shouldReadAFileIntoSealedMemory(long size) throws Exception {
        Content content = Content.write(daemon.root().resolve("file"), size);
        try (SharedBuffer buffer = awaited(daemon.client().readBuffer("file"))) {
            assertTrue(buffer.isSealed());
            assertEquals(content, contentOf(buffer));
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 4095, 4096, 65_537, (8 << 20) + 1})
    void shouldReadAFileIntoSealedMemoryForC(long size) throws Exception {
        Content content = Content.write(daemon.root().resolve("file"), size);
        JsonObject told = drive("read", directory, TestDaemon.NAME, "file");
        expect(content, told);
        assertEquals(2, told.get("seal").getAsInt());
        assertEquals(0, told.get("writes").getAsInt(), "it can be written to");
    }

    @Test
    void shouldCallTheMemoryAsTheFile() throws Exception {
        Files.createDirectories(daemon.root().resolve("directory"));
        String longest = "n".repeat(255);
        for (String name : List.of("directory/größe", "/big", longest)) {
            if (!name.equals("/big")) {
                Content.write(daemon.root().resolve(name), 10);
            }
            String shown = name.substring(name.lastIndexOf('/') + 1);
            try (SharedBuffer buffer = awaited(daemon.client().readBuffer(name));
                    OwnedFd fd = buffer.duplicate()) {
                assertEquals(
                        "/memfd:" + shown.substring(0, Math.min(249, shown.length())) + " (deleted)",
                        Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd.fd()))
                                .toString());
            }
        }
    }

    @Test
    void shouldReadARange() throws Exception {
        Content part = Content.of(daemon.root().resolve("big"), 4_099, 9_000_001);
        try (SharedBuffer buffer =
                awaited(daemon.client().readBuffer(FileRequest.of("big").range(4_099, 9_000_001)))) {
            assertEquals(part, contentOf(buffer));
        }
        expect(part, drive("read", directory, TestDaemon.NAME, "big", 4_099, 9_000_001));
    }

    @Test
    void shouldKeepTheBytesWhenTheFileChangesAfterwards() throws Exception {
        Path file = daemon.root().resolve("changing");
        Content before = Content.write(file, 1_000_000);
        try (SharedBuffer buffer = awaited(daemon.client().readBuffer("changing"))) {
            Files.write(file, new byte[1_000_000], StandardOpenOption.WRITE);
            assertEquals(before, contentOf(buffer));
        }
    }

    @Test
    void shouldKeepHolesAsZeros() throws Exception {
        Path file = daemon.root().resolve("sparse");
        Files.deleteIfExists(file);
        try (FileChannel out = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            out.write(ByteBuffer.wrap(new byte[] {1, 2, 3}), 5_000_000);
            out.write(ByteBuffer.wrap(new byte[] {4}), 12_000_000);
        }
        try (SharedBuffer buffer = awaited(daemon.client().readBuffer("sparse"))) {
            assertEquals(Content.of(file), contentOf(buffer));
        }
    }

    @Test
    void shouldReadManyFilesAtOnce() throws Exception {
        List<Content> contents = new ArrayList<>();
        List<BufferTransfer> transfers = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            contents.add(Content.write(daemon.root().resolve("many" + i), 1_000L * i * i));
        }
        for (int i = 0; i < 64; i++) {
            transfers.add(daemon.client().readBuffer("many" + i));
        }
        for (int i = 0; i < 64; i++) {
            try (SharedBuffer buffer = awaited(transfers.get(i))) {
                assertEquals(contents.get(i), contentOf(buffer), "file " + i);
            }
        }
    }

    @Test
    void shouldTellProgressAndDetails() throws Exception {
        TransferOptions slow = TransferOptions.DEFAULT.withRate(60_000_000);
        CompletableFuture<Long> early = new CompletableFuture<>();
        BufferTransfer transfer =
                daemon.client().readBuffer(FileRequest.of("big").with(slow));
        transfer.onProgress((moved, size) -> {
            if (moved < size) {
                early.complete(moved);
            }
        });
        var result = transfer.await(Await.LONG);
        assertTrue(early.get(0, TimeUnit.SECONDS) > 0);
        assertEquals(BIG, result.bytesMoved());
        assertNotNull(result.details());
        transfer.buffer().get().close();
    }

    @Test
    void shouldReadByATechniqueThatIsAskedFor() throws Exception {
        for (Technique technique : List.of(Technique.SENDFILE, Technique.READ_WRITE, Technique.MMAP)) {
            FileRequest request = FileRequest.of("big").with(TransferOptions.DEFAULT.withTechnique(technique));
            BufferTransfer transfer = daemon.client().readBuffer(request);
            try (SharedBuffer buffer = awaited(transfer)) {
                assertEquals(big, contentOf(buffer));
            }
            var details = transfer.result().get().details();
            assertNotNull(details);
            assertEquals(technique, details.technique());
        }
    }

    @Test
    void shouldFailTheBufferWithTheTransfer() throws Exception {
        BufferTransfer missing = daemon.client().readBuffer("no such file");
        assertEquals(Errno.ENOENT, failureOf(missing).errno());
        ExecutionException failure = assertThrows(
                ExecutionException.class, () -> missing.buffer().get(Await.LONG.toSeconds(), TimeUnit.SECONDS));
        TransferException cause = assertInstanceOf(TransferException.class, failure.getCause());
        assertEquals(Errno.ENOENT, cause.errno());
        assertTrue(cause.isRefusal());
        assertEquals(
                Errno.ENOENT,
                drive("read", directory, TestDaemon.NAME, "no such file")
                        .get("errno")
                        .getAsInt());
        assertEquals(
                Errno.ERANGE,
                failureOf(daemon.client().readBuffer(FileRequest.of("big").range(BIG, 1)))
                        .errno());
    }

    @Test
    void shouldGiveUpWhatIsCancelled() throws Exception {
        FileRequest slow = FileRequest.of("big").with(TransferOptions.DEFAULT.withRate(1_000_000));
        BufferTransfer transfer = daemon.client().readBuffer(slow);
        transfer.info().get(Await.LONG.toSeconds(), TimeUnit.SECONDS);
        transfer.cancel();
        assertEquals(Errno.ECANCELED, failureOf(transfer).errno());
        assertTrue(transfer.buffer().isCompletedExceptionally());

        BufferTransfer unwanted = daemon.client().readBuffer(slow);
        unwanted.buffer().cancel(true);
        assertEquals(Errno.ECANCELED, failureOf(unwanted).errno());
    }

    @Test
    void shouldRefuseToReadWhatTheDaemonDoesNotOpen() throws IOException {
        try (SharedBuffer buffer = SharedBuffer.allocate(1)) {
            assertThrows(IllegalArgumentException.class, () -> daemon.client()
                    .readBuffer(FileRequest.of(Source.of(buffer))));
        }
    }

    // ---- sealing a destination of one's own ----

    @Test
    void shouldSealOnlyMemoryFiles() throws Exception {
        FileRequest sealing = FileRequest.of("big").with(TransferOptions.DEFAULT.withSeal(true));
        for (TestDestination.Type type : TestDestination.Type.values()) {
            try (TestDestination destination = TestDestination.open(type, directory)) {
                TransferException refused = failureOf(daemon.client().send(sealing, destination.destination()));
                assertTrue(refused.isRefusal(), type::toString);
                assertTrue(refused.errno() == Errno.EINVAL || refused.errno() == Errno.EPERM, refused::getMessage);
            }
        }
        BufferTransfer read = daemon.client().readBuffer("big");
        awaited(read).close();
    }

    @Test
    void shouldNotCallCompleteWhatSomebodyCanStillWriteTo() throws Exception {
        try (SharedBuffer buffer = SharedBuffer.allocate(BIG);
                OwnedFd fd = buffer.duplicate()) {
            FileRequest sealing = FileRequest.of("big").with(TransferOptions.DEFAULT.withSeal(true));
            TransferException failure = failureOf(daemon.client().send(sealing, Destination.of(fd)));
            assertEquals(Errno.EBUSY, failure.errno());
            assertFalse(failure.isRefusal());
            assertEquals(BIG, failure.bytesMoved());
        }
    }

    // ---- Send Buffer ----

    @ParameterizedTest
    @EnumSource(TestDestination.Type.class)
    void shouldSendABuffer(TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory);
                SharedBuffer buffer = loaded(daemon.root().resolve("big"))) {
            CompletableFuture<Content> received = destination.receive();
            Transfer transfer = daemon.client().send(FileRequest.of(buffer), destination.destination());
            assertTrue(buffer.isSealed());
            assertEquals(BIG, transfer.await(Await.LONG).bytesMoved());
            destination.finishSending();
            assertEquals(big, received.get(Await.LONG.toSeconds(), TimeUnit.SECONDS));
        }
    }

    @Test
    void shouldSendPartsOfABuffer() throws Exception {
        Path target = directory.resolve("part");
        try (SharedBuffer buffer = loaded(daemon.root().resolve("big"))) {
            for (FileRequest part : List.of(
                    FileRequest.of(buffer).range(10, 100_000),
                    FileRequest.of(buffer).from(BIG - 1),
                    FileRequest.of(buffer).from(BIG),
                    FileRequest.of(buffer).from(0))) {
                try (FileChannel out = FileChannel.open(
                        target,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE,
                        StandardOpenOption.TRUNCATE_EXISTING)) {
                    daemon.client().send(part, Destination.of(out)).await(Await.LONG);
                }
                assertEquals(
                        Content.of(daemon.root().resolve("big"), part.offset(), part.length()), Content.of(target));
            }
            assertThrows(
                    IllegalArgumentException.class, () -> FileRequest.of(buffer).from(BIG + 1));
        }
    }

    @Test
    void shouldSendABufferThatIsClosedAtOnce() throws Exception {
        Path target = directory.resolve("closed");
        try (FileChannel out = FileChannel.open(target, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            SharedBuffer buffer = loaded(daemon.root().resolve("big"));
            Transfer transfer = daemon.client().send(FileRequest.of(buffer), Destination.of(out));
            buffer.close();
            transfer.await(Await.LONG);
        }
        assertEquals(big, Content.of(target));
    }

    @Test
    void shouldRefuseToSendABufferThatIsClosed() throws Exception {
        SharedBuffer buffer = SharedBuffer.allocate(10);
        buffer.close();
        try (FileChannel out =
                FileChannel.open(directory.resolve("none"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            TransferException refused = failureOf(daemon.client().send(FileRequest.of(buffer), Destination.of(out)));
            assertEquals(Errno.EBADF, refused.errno());
        }
    }

    @Test
    void shouldSendABufferForC() throws Exception {
        Path target = directory.resolve("sent by C");
        Path source = daemon.root().resolve("big");
        JsonObject told = drive("send", directory, TestDaemon.NAME, source, 0, 0, target);
        expect(big, told);
        assertEquals(0, told.get("writes").getAsInt(), "what was sent can still be written to");
        assertEquals(big, Content.of(target));
        drive("send", directory, TestDaemon.NAME, source, 4_097, 5_000_000, target);
        assertEquals(Content.of(source, 4_097, 5_000_000), Content.of(target));
        drive("send", directory, TestDaemon.NAME, source, BIG, 0, target);
        assertEquals(Content.NOTHING, Content.of(target));
        assertEquals(
                Errno.ERANGE,
                drive("send", directory, TestDaemon.NAME, source, BIG, 1, target)
                        .get("errno")
                        .getAsInt());
    }

    // ---- between two processes, in two languages ----

    @Test
    void shouldHandMemoryFromJavaToC() throws Exception {
        try (Peer peer = Peer.start(directory, "take")) {
            SharedBuffer buffer = loaded(daemon.root().resolve("big"));
            ByteBuffer before = buffer.bytes();
            buffer.send(peer.channel());
            assertThrows(
                    java.nio.ReadOnlyBufferException.class, () -> buffer.bytes().put(0, (byte) 1));
            assertEquals(Errno.EPERM, errnoOfWriting(buffer));
            buffer.close();
            JsonObject told = peer.outcome();
            expect(big, told);
            assertEquals(2, told.get("seal").getAsInt());
            assertEquals(0, told.get("writes").getAsInt(), "the receiver can write to it");
            assertEquals(BIG, before.capacity());
        }
    }

    /** The errno that write(2) to the memory file gives; 0 when it does write. */
    private static int errnoOfWriting(SharedBuffer buffer) throws IOException {
        try (OwnedFd fd = buffer.duplicate();
                FileChannel file = FileChannel.open(Path.of("/proc/self/fd/" + fd.fd()), StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.allocate(1), 0);
            return 0;
        } catch (IOException e) {
            return Errno.of(e);
        }
    }

    @Test
    void shouldHandMemoryFromCToJava() throws Exception {
        try (Peer peer = Peer.start(directory, "give", daemon.root().resolve("big"))) {
            try (SharedBuffer buffer = SharedBuffer.receive(peer.channel())) {
                assertNotNull(buffer);
                JsonObject told = peer.outcome();
                assertEquals(0, told.get("writes").getAsInt(), "the sender can still write to it");
                assertTrue(buffer.isSealed());
                assertEquals(big, contentOf(buffer), "after its sender has ended");
            }
        }
    }

    @Test
    void shouldMoveMemoryThereAndBack() throws Exception {
        try (Peer peer = Peer.start(directory, "take", "write")) {
            SharedBuffer given = loaded(daemon.root().resolve("big"));
            given.move(peer.channel());
            assertFalse(given.isOpen());
            try (SharedBuffer back = SharedBuffer.receive(peer.channel())) {
                assertNotNull(back);
                byte[] expected = Files.readAllBytes(daemon.root().resolve("big"));
                for (int i = 0; i < expected.length; i++) {
                    expected[i] = (byte) ~expected[i];
                }
                assertEquals(Content.of(expected), contentOf(back));
                expect(Content.of(expected), peer.outcome());
            }
        }
    }

    @Test
    void shouldTakeMovedMemoryOnlyWhenItIsAskedFor() throws Exception {
        try (Peer peer = Peer.start(directory, "give", daemon.root().resolve("big"), "move")) {
            IOException refused = assertThrows(IOException.class, () -> SharedBuffer.receive(peer.channel()));
            assertEquals(Errno.EPERM, Errno.of(refused));
            peer.outcome();
        }
        try (Peer peer = Peer.start(directory, "give", daemon.root().resolve("big"), "move");
                SharedBuffer buffer = SharedBuffer.receive(peer.channel(), BufferAccess.WRITABLE)) {
            assertNotNull(buffer);
            assertEquals(big, contentOf(buffer));
            buffer.bytes().put(0, (byte) 1);
            peer.outcome();
        }
    }

    @Test
    void shouldPassOnWhatTheDaemonHasReadWithoutAnotherCopy() throws Exception {
        try (Peer peer = Peer.start(directory, "take");
                SharedBuffer buffer = awaited(daemon.client().readBuffer("big"))) {
            buffer.send(peer.channel());
            expect(big, peer.outcome());
        }
    }

    private static JsonObject drive(Object... arguments) throws IOException {
        return HelperProgram.json(HelperProgram.start("buffer_client", arguments));
    }

    private static void expect(Content content, JsonObject told) {
        assertTrue(told.get("done").getAsBoolean(), told::toString);
        assertEquals(content.size(), told.get("size").getAsLong());
        assertEquals(content.sha256(), told.get("sha256").getAsString());
    }

    /** A C program at the other end of a UNIX socket. */
    private record Peer(Process process, SocketChannel channel) implements AutoCloseable {
        static Peer start(Path directory, String command, Object... arguments) throws IOException {
            Path path = directory.resolve("peer.socket");
            try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
                server.bind(UnixDomainSocketAddress.of(path));
                List<Object> all = new ArrayList<>(List.of(command, path));
                all.addAll(List.of(arguments));
                Process process = HelperProgram.start("buffer_client", all.toArray());
                SocketChannel channel = server.accept();
                Descriptors.setCloseOnExec(channel);
                return new Peer(process, channel);
            } finally {
                Files.deleteIfExists(path);
            }
        }

        JsonObject outcome() throws Exception {
            JsonObject told = HelperProgram.json(process);
            assertEquals(0, process.waitFor());
            return told;
        }

        @Override
        public void close() throws IOException {
            channel.close();
            process.destroyForcibly();
        }
    }
}
