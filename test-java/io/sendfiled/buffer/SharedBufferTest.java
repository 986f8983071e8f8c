package io.sendfiled.buffer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Await;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.sys.OwnedFd;
import java.io.EOFException;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.ThrowingSupplier;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
final class SharedBufferTest {
    private static final int SIZE = 100_000;

    @TempDir
    Path directory;

    private UnixPair pair;
    private int descriptors;

    @BeforeEach
    void connect() throws IOException {
        UnixPair.open(directory).close(); // what is opened once stays open
        SharedBuffer.allocate(1).close();
        descriptors = OpenDescriptors.count();
        pair = UnixPair.open(directory);
    }

    @AfterEach
    void shouldLeakNoDescriptor() throws IOException {
        pair.close();
        OpenDescriptors.awaitCount(descriptors);
    }

    private static SharedBuffer filled() throws IOException {
        SharedBuffer buffer = SharedBuffer.allocate(SIZE);
        ByteBuffer bytes = buffer.bytes();
        for (int i = 0; i < SIZE; i++) {
            bytes.put((byte) (i * 31));
        }
        return buffer;
    }

    private static void expectFilled(ByteBuffer bytes) {
        assertEquals(SIZE, bytes.limit());
        for (int i = 0; i < SIZE; i++) {
            assertEquals((byte) (i * 31), bytes.get(i), "byte " + i);
        }
    }

    private static SharedBuffer received(@Nullable SharedBuffer buffer) {
        assertNotNull(buffer, "nothing has come");
        return buffer;
    }

    private static int errnoOf(ThrowingSupplier<?> call) {
        return assertThrows(NativeIoException.class, call::get).errno();
    }

    private static void expectSays(Exception failure, String text) {
        assertTrue(String.valueOf(failure.getMessage()).contains(text), failure::getMessage);
    }

    /** Up to JDK 20 the error comes when the thread next enters the JVM, or at a safepoint. */
    private static void expectEnded(Runnable access) {
        long deadline = System.nanoTime() + Await.LONG.toNanos();
        assertThrows(InternalError.class, () -> {
            while (System.nanoTime() < deadline) {
                access.run();
            }
        });
    }

    private static long mappings(String name) throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("/memfd:" + name + " ")).count();
        }
    }

    // ---- allocating ----

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 4095, 4096, 4097, 1 << 20, 1L << 32})
    void shouldAllocateZerosOfAnySize(long size) throws IOException {
        try (SharedBuffer buffer = SharedBuffer.allocate(size)) {
            assertEquals(size, buffer.size());
            assertFalse(buffer.isSealed());
            if (size > 0) {
                assertEquals(0, buffer.view(size - 1, 1).get());
                buffer.view(size - 1, 1).put((byte) 7);
                assertEquals(7, buffer.view(size - 1, 1).get(0));
            }
        }
    }

    @Test
    void shouldGiveNoSingleViewOfMoreThanAByteBufferCanHold() throws IOException {
        try (SharedBuffer buffer = SharedBuffer.allocate(1L << 31)) {
            assertThrows(IllegalStateException.class, buffer::bytes);
            assertEquals(Integer.MAX_VALUE, buffer.view(1, Integer.MAX_VALUE).limit());
        }
    }

    @Test
    void shouldRefuseMoreThanTheMachineHas() {
        NativeIoException refused =
                assertThrows(NativeIoException.class, () -> SharedBuffer.allocate(Long.MAX_VALUE / 2));

        assertEquals(Errno.ENOMEM, refused.errno());
        expectSays(refused, "4611686018427387903 bytes");
    }

    @Test
    void shouldRefuseANegativeSizeAndPartsThatAreNotInside() throws IOException {
        assertThrows(IllegalArgumentException.class, () -> SharedBuffer.allocate(-1));
        try (SharedBuffer buffer = SharedBuffer.allocate(10)) {
            assertThrows(IndexOutOfBoundsException.class, () -> buffer.view(-1, 1));
            assertThrows(IndexOutOfBoundsException.class, () -> buffer.view(10, 1));
            assertThrows(IndexOutOfBoundsException.class, () -> buffer.view(0, 11));
            assertThrows(IndexOutOfBoundsException.class, () -> buffer.view(Long.MAX_VALUE, 1));
            assertEquals(0, buffer.view(10, 0).limit());
        }
    }

    @Test
    void shouldShowItsNameInProc() throws IOException {
        BufferOptions options = BufferOptions.DEFAULT.withName("größe").withPrefault(true);
        try (SharedBuffer buffer = SharedBuffer.allocate(SIZE, options);
                OwnedFd fd = buffer.duplicate()) {
            assertEquals(
                    "/memfd:größe (deleted)",
                    Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd.fd())).toString());
        }
    }

    @Test
    void shouldTakeHugePagesAndNoOthers() throws IOException {
        BufferOptions huge = BufferOptions.DEFAULT.withHugePages(true);
        if (freeHugePages() == 0) {
            NativeIoException refused = assertThrows(NativeIoException.class, () -> SharedBuffer.allocate(SIZE, huge));
            assertEquals(Errno.ENOMEM, refused.errno());
            expectSays(refused, "100000 bytes in huge pages");
        } else {
            try (SharedBuffer buffer = SharedBuffer.allocate(SIZE, huge)) {
                buffer.bytes().put(SIZE - 1, (byte) 7);
                buffer.seal();
                assertEquals(SIZE, buffer.size());
                assertEquals(7, buffer.bytes().get(SIZE - 1));
            }
        }
    }

    private static long freeHugePages() throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/meminfo"))) {
            return lines.filter(line -> line.startsWith("HugePages_Free:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                    .sum();
        }
    }

    @Test
    void shouldRefuseNamesThatTheKernelDoesNotTake() {
        assertThrows(IllegalArgumentException.class, () -> BufferOptions.DEFAULT.withName("a\0b"));
        assertThrows(IllegalArgumentException.class, () -> BufferOptions.DEFAULT.withName("x".repeat(250)));
        assertEquals(249, BufferOptions.DEFAULT.withName("x".repeat(249)).name().length());
    }

    // ---- handing over ----

    @Test
    void shouldHandOverBytesThatStay() throws IOException {
        SharedBuffer sent = filled();
        assertTrue(sent.send(pair.left()));
        assertTrue(sent.isSealed());
        try (SharedBuffer got = received(SharedBuffer.receive(pair.right()))) {
            assertTrue(got.isSealed());
            expectFilled(got.bytes());
            sent.close();
            expectFilled(got.bytes());
        }
    }

    @Test
    void shouldHandOneBufferToMany() throws IOException {
        try (SharedBuffer sent = filled()) {
            sent.send(pair.left());
            sent.send(pair.left());
            try (SharedBuffer first = received(SharedBuffer.receive(pair.right()));
                    SharedBuffer second = received(SharedBuffer.receive(pair.right()))) {
                expectFilled(first.bytes());
                expectFilled(second.bytes());
            }
            expectFilled(sent.bytes());
        }
    }

    @Test
    void shouldHandOverABufferWithoutBytes() throws IOException {
        try (SharedBuffer sent = SharedBuffer.allocate(0)) {
            sent.send(pair.left());
            try (SharedBuffer got = received(SharedBuffer.receive(pair.right()))) {
                assertEquals(0, got.bytes().remaining());
            }
        }
    }

    @Test
    void shouldMoveABufferToWhoWritesToIt() throws IOException {
        SharedBuffer sent = filled();
        ByteBuffer before = sent.bytes();
        assertTrue(sent.move(pair.left()));
        assertFalse(sent.isOpen());
        try (SharedBuffer got = received(SharedBuffer.receive(pair.right(), BufferAccess.WRITABLE))) {
            expectFilled(got.bytes());
            got.bytes().put(0, (byte) 99);
            expectEnded(() -> before.put(0, (byte) 1));
            got.seal();
            assertTrue(got.isSealed(), "the sender still has it mapped");
            assertEquals(99, got.bytes().get(0));
            got.send(pair.right());
        }
        try (SharedBuffer back = received(SharedBuffer.receive(pair.left()))) {
            assertEquals(99, back.bytes().get(0));
        }
    }

    @Test
    void shouldPassOverADescriptorOfAnyKind() throws IOException {
        try (SharedBuffer sent = filled();
                OwnedFd left = Descriptors.duplicate(pair.left());
                OwnedFd right = Descriptors.duplicate(pair.right())) {
            assertTrue(sent.send(BufferSocket.of(left)));
            try (SharedBuffer got = received(SharedBuffer.receive(BufferSocket.of(right), BufferAccess.SEALED))) {
                expectFilled(got.bytes());
            }
        }
    }

    @Test
    void shouldTakeADescriptorThatCameByAnotherWay() throws IOException {
        try (SharedBuffer sent = filled()) {
            sent.seal();
            OwnedFd fd = sent.duplicate();
            try (SharedBuffer got = SharedBuffer.of(fd, BufferAccess.SEALED)) {
                assertFalse(fd.isOpen());
                expectFilled(got.bytes());
            }
        }
    }

    // ---- sealing ----

    @Test
    void shouldRefuseWritesOfTheSenderOnceItIsSealed() throws IOException {
        try (SharedBuffer buffer = filled()) {
            ByteBuffer before = buffer.bytes();
            ByteBuffer slice = before.slice(100, 8).duplicate();
            buffer.seal();
            assertThrows(ReadOnlyBufferException.class, () -> buffer.bytes().put(0, (byte) 1));
            assertThrows(ReadOnlyBufferException.class, () -> buffer.view(5, 3).put(new byte[3]));
            expectEnded(() -> before.put(0, (byte) 1));
            expectEnded(() -> before.duplicate().put(new byte[SIZE]));
            expectEnded(() -> slice.putLong(0, 1));
            expectEnded(() -> slice.get(0));
            expectFilled(buffer.bytes());
        }
    }

    @Test
    void shouldRefuseWritesByTheDescriptorOnceItIsSealed() throws IOException {
        try (SharedBuffer buffer = filled();
                OwnedFd fd = buffer.duplicate();
                FileChannel file = FileChannel.open(Path.of("/proc/self/fd/" + fd.fd()), StandardOpenOption.WRITE)) {
            buffer.seal();
            assertThrows(IOException.class, () -> file.write(ByteBuffer.allocate(1), 0));
            assertThrows(IOException.class, () -> file.truncate(1));
            assertThrows(
                    IOException.class, () -> file.write(ByteBuffer.allocate(1), SIZE), "it must not become longer");
            expectFilled(buffer.bytes());
        }
    }

    @Test
    void shouldTellWhenSomebodyElseStillWrites() throws IOException {
        try (SharedBuffer buffer = filled()) {
            SharedBuffer writer = SharedBuffer.of(buffer.duplicate(), BufferAccess.WRITABLE);
            buffer.seal();
            assertFalse(buffer.isSealed());
            buffer.send(pair.left());
            NativeIoException refused = assertThrows(NativeIoException.class, () -> SharedBuffer.receive(pair.right()));
            assertEquals(Errno.EBUSY, refused.errno());
            expectSays(refused, "FUTURE_WRITE");
            buffer.send(pair.left());
            try (SharedBuffer got = received(SharedBuffer.receive(pair.right(), BufferAccess.FUTURE_WRITE))) {
                writer.bytes().put(0, (byte) 42);
                assertEquals(42, got.bytes().get(0));
            }
            writer.close();
            buffer.seal();
            assertTrue(buffer.isSealed());
        }
    }

    @Test
    void shouldSealTwiceAsOnce() throws IOException {
        try (SharedBuffer buffer = filled()) {
            buffer.seal();
            ByteBuffer bytes = buffer.bytes();
            buffer.seal();
            expectFilled(bytes);
        }
    }

    // ---- what is refused ----

    @Test
    void shouldRefuseWhatIsNotSealedAsDemanded() throws IOException {
        try (SharedBuffer buffer = filled()) {
            OwnedFd fd = buffer.duplicate();
            NativeIoException open =
                    assertThrows(NativeIoException.class, () -> SharedBuffer.of(fd, BufferAccess.SEALED));
            assertEquals(Errno.EPERM, open.errno());
            expectSays(open, "not sealed");
            buffer.seal();
            assertEquals(Errno.EROFS, errnoOf(() -> SharedBuffer.of(fd, BufferAccess.WRITABLE)));
            assertTrue(fd.isOpen(), "what is refused stays the caller's");
            fd.close();
        }
    }

    @Test
    void shouldRefuseToMoveWhatIsSealed() throws IOException {
        try (SharedBuffer buffer = filled()) {
            buffer.seal();
            assertEquals(Errno.EROFS, errnoOf(() -> buffer.move(pair.left())));
            expectFilled(buffer.bytes());
        }
    }

    @Test
    void shouldRefuseWhatIsNoMemoryFile() throws IOException {
        Path file = Files.write(directory.resolve("file"), new byte[10]);
        try (FileInputStream in = new FileInputStream(file.toFile());
                OwnedFd fd = Descriptors.duplicate(in.getFD())) {
            assertEquals(Errno.EMEDIUMTYPE, errnoOf(() -> SharedBuffer.of(fd, BufferAccess.SEALED)));
        }
    }

    @Test
    void shouldCopyAFileAndSealTheCopy() throws IOException {
        Path file = Files.write(directory.resolve("file"), new byte[] {1, 2, 3});
        try (FileInputStream in = new FileInputStream(file.toFile());
                SharedBuffer copy = SharedBuffer.of(Descriptors.duplicate(in.getFD()), BufferAccess.COPY)) {
            Files.write(file, new byte[0]);
            assertTrue(copy.isSealed());
            assertEquals(ByteBuffer.wrap(new byte[] {1, 2, 3}), copy.bytes());
        }
    }

    @Test
    void shouldMoveABufferThatIsInAFile() throws IOException {
        BufferOptions options = BufferOptions.DEFAULT.withDirectory(directory);
        try (SharedBuffer buffer = SharedBuffer.allocate(3, options)) {
            buffer.bytes().put(new byte[] {1, 2, 3});
            assertEquals(Errno.EMEDIUMTYPE, errnoOf(() -> buffer.send(pair.left())));
            assertEquals(ByteBuffer.wrap(new byte[] {1, 2, 3}), buffer.bytes());
            buffer.move(pair.left());
        }
        try (SharedBuffer got = received(SharedBuffer.receive(pair.right(), BufferAccess.TRUSTED))) {
            assertEquals(ByteBuffer.wrap(new byte[] {1, 2, 3}), got.bytes());
            got.bytes().put(0, (byte) 9);
            assertFalse(got.isSealed());
        }
        assertThrows(IllegalArgumentException.class, () -> SharedBuffer.allocate(1, options.withHugePages(true)));
        assertThrows(IllegalArgumentException.class, () -> SharedBuffer.allocate(0, options));
        assertEquals(
                Errno.ENOENT,
                errnoOf(() -> SharedBuffer.allocate(1, options.withDirectory(directory.resolve("missing")))));
    }

    @Test
    void shouldRefuseBytesThatAreNoBufferAndGoOn() throws IOException {
        try (SharedBuffer buffer = filled()) {
            pair.left().write(ByteBuffer.wrap("GET / HTTP/1.1\r\n".getBytes(StandardCharsets.US_ASCII)));
            buffer.send(pair.left());
            assertEquals(Errno.EBADMSG, errnoOf(() -> SharedBuffer.receive(pair.right())));
            try (SharedBuffer got = received(SharedBuffer.receive(pair.right()))) {
                expectFilled(got.bytes());
            }
        }
    }

    @Test
    void shouldRefuseSocketsOfOtherFamilies() throws IOException {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            try (SocketChannel tcp = SocketChannel.open(server.getLocalAddress());
                    SharedBuffer buffer = filled()) {
                assertEquals(Errno.EOPNOTSUPP, errnoOf(() -> buffer.send(tcp)));
                assertEquals(Errno.EOPNOTSUPP, errnoOf(() -> SharedBuffer.receive(tcp)));
                expectFilled(buffer.bytes());
            }
        }
    }

    @Test
    void shouldTellTheEndOfTheConnection() throws IOException {
        pair.left().close();
        assertThrows(EOFException.class, () -> SharedBuffer.receive(pair.right()));
        try (SharedBuffer buffer = filled()) {
            assertEquals(Errno.EPIPE, errnoOf(() -> buffer.send(pair.right())));
            assertEquals(Errno.EPIPE, errnoOf(() -> buffer.send(pair.right())));
        }
    }

    // ---- waiting ----

    @Test
    void shouldNotWaitWithANonBlockingChannel() throws IOException {
        pair.left().configureBlocking(false);
        pair.right().configureBlocking(false);
        assertNull(SharedBuffer.receive(pair.right()));
        try (SharedBuffer buffer = filled()) {
            int sent = 0;
            while (buffer.send(pair.left())) {
                sent++;
            }
            for (int i = 0; i < sent; i++) {
                received(SharedBuffer.receive(pair.right())).close();
            }
            assertNull(SharedBuffer.receive(pair.right()));
            assertTrue(buffer.send(pair.left()), "there is room again");
        }
        received(SharedBuffer.receive(pair.right())).close();
    }

    @Test
    void shouldKeepABufferThatFoundNoRoomToBeMoved() throws IOException {
        pair.left().configureBlocking(false);
        while (pair.left().write(ByteBuffer.allocate(4096)) > 0) {}
        try (SharedBuffer buffer = filled()) {
            assertFalse(buffer.move(pair.left()));
            assertTrue(buffer.isOpen());
            expectFilled(buffer.bytes());
            buffer.bytes().put(0, (byte) 5);
            assertEquals(5, buffer.bytes().get(0));
        }
    }

    @Test
    void shouldWaitForABufferWithABlockingChannel() throws Exception {
        CompletableFuture<SharedBuffer> waiting = receiveElsewhere();
        try (SharedBuffer buffer = filled()) {
            buffer.send(pair.left());
        }
        try (SharedBuffer got = waiting.get(Await.LONG.toSeconds(), TimeUnit.SECONDS)) {
            expectFilled(got.bytes());
        }
    }

    @Test
    void shouldEndAWaitWhenTheChannelIsClosed() throws Exception {
        CompletableFuture<SharedBuffer> waiting = receiveElsewhere();
        pair.right().close();
        ExecutionException failure =
                assertThrows(ExecutionException.class, () -> waiting.get(Await.LONG.toSeconds(), TimeUnit.SECONDS));
        assertInstanceOf(ClosedChannelException.class, failure.getCause());
    }

    @Test
    void shouldEndAWaitWhenTheThreadIsInterrupted() throws Exception {
        CompletableFuture<Thread> thread = new CompletableFuture<>();
        CompletableFuture<SharedBuffer> waiting = new CompletableFuture<>();
        Thread waiter = new Thread(() -> {
            thread.complete(Thread.currentThread());
            receiveInto(waiting);
        });
        waiter.start();
        thread.get().interrupt();
        ExecutionException failure =
                assertThrows(ExecutionException.class, () -> waiting.get(Await.LONG.toSeconds(), TimeUnit.SECONDS));
        assertInstanceOf(InterruptedIOException.class, failure.getCause());
        waiter.join();
        assertTrue(pair.right().isOpen());
    }

    private CompletableFuture<SharedBuffer> receiveElsewhere() {
        CompletableFuture<SharedBuffer> result = new CompletableFuture<>();
        new Thread(() -> receiveInto(result)).start();
        return result;
    }

    private void receiveInto(CompletableFuture<SharedBuffer> result) {
        try {
            result.complete(received(SharedBuffer.receive(pair.right())));
        } catch (IOException e) {
            result.completeExceptionally(e);
        }
    }

    // ---- closing ----

    @Test
    void shouldCloseOnceAndForAll() throws IOException {
        SharedBuffer buffer = filled();
        ByteBuffer bytes = buffer.bytes();
        buffer.close();
        buffer.close();
        assertFalse(buffer.isOpen());
        assertThrows(IllegalStateException.class, buffer::bytes);
        assertThrows(ClosedChannelException.class, buffer::seal);
        assertThrows(ClosedChannelException.class, () -> buffer.send(pair.left()));
        assertThrows(ClosedChannelException.class, () -> buffer.move(pair.left()));
        assertThrows(ClosedChannelException.class, buffer::duplicate);
        expectEnded(() -> bytes.get(0));
        assertEquals("SharedBuffer[100000 bytes, closed]", buffer.toString());
    }

    @Test
    void shouldGiveBackAddressesWhenNoViewIsLeft() throws IOException {
        long before = revokedMappings();
        closeUnderAView();
        awaitCollected("the addresses to be given back", () -> revokedMappings() <= before);
    }

    /** In a method of its own: afterwards nothing holds the view. */
    private static void closeUnderAView() throws IOException {
        String name = "addresses-" + System.nanoTime();
        SharedBuffer buffer = SharedBuffer.allocate(SIZE, BufferOptions.DEFAULT.withName(name));
        assertEquals(1, mappings(name));
        long before = revokedMappings();
        ByteBuffer view = buffer.bytes().slice();
        buffer.close();
        assertEquals(0, mappings(name), "the memory goes at once");
        assertTrue(revokedMappings() > before);
        expectEnded(() -> view.get(0));
    }

    private static long revokedMappings() throws IOException {
        return mappings("sendfiled-revoked");
    }

    @Test
    void shouldKeepMemoryWhoseOwnerForgotItForItsViews() throws IOException {
        String name = "forgotten-" + System.nanoTime();
        ByteBuffer view = forget(name);
        awaitCollected("the descriptor to be closed", () -> OpenDescriptors.count() <= descriptors + 2);
        assertEquals(1, mappings(name));
        assertEquals(7, view.get(0));
    }

    private static ByteBuffer forget(String name) throws IOException {
        SharedBuffer buffer = SharedBuffer.allocate(SIZE, BufferOptions.DEFAULT.withName(name));
        ByteBuffer view = buffer.bytes();
        view.put(0, (byte) 7);
        return view;
    }

    private interface Check {
        boolean holds() throws IOException;
    }

    /** Lets the garbage collector find out. */
    private static void awaitCollected(String what, Check check) {
        Await.until(what, () -> {
            System.gc();
            try {
                return check.holds();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    @Test
    void shouldServeManyThreadsThatSealCloseAndLook() throws Exception {
        for (int round = 0; round < 50; round++) {
            SharedBuffer buffer = SharedBuffer.allocate(8192);
            ByteBuffer view = buffer.bytes();
            CompletableFuture<Void> looking = CompletableFuture.runAsync(() -> {
                // At changing places: a store that is always the same leaves the compiled loop.
                expectEnded(() -> view.put(ThreadLocalRandom.current().nextInt(8192), (byte) 1));
            });
            buffer.seal();
            buffer.bytes().get(5);
            buffer.close();
            awaitCollected("the error to reach the thread that looks", looking::isDone);
            looking.join();
        }
    }
}
