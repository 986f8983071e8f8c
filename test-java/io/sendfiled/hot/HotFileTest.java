package io.sendfiled.hot;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.PageCache;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
final class HotFileTest {
    private static final int SIZE = 1_000_003;

    @TempDir
    Path directory;

    private Path path;
    private Content content;
    private int descriptors;
    private HotRoot root;

    @BeforeEach
    void open() throws IOException {
        path = directory.resolve("file");
        content = Content.write(path, SIZE);
        HotRoot.open(directory).close(); // what is opened once stays open
        descriptors = OpenDescriptors.count();
        root = HotRoot.open(directory);
    }

    @AfterEach
    void shouldLeakNoDescriptor() {
        root.close();
        OpenDescriptors.awaitCount(descriptors);
    }

    private HotFile hot(String name) throws IOException {
        HotFile file = root.open(name);
        assertNotNull(file, "cold");
        return file;
    }

    @Test
    void shouldTellWhatAnEntityTagNeeds() throws IOException {
        try (HotFile file = hot("/file")) {
            assertEquals(SIZE, file.size());
            assertEquals(Files.getAttribute(path, "unix:ino"), file.inode());
            assertEquals(Files.getAttribute(path, "unix:dev"), file.device());
            assertEquals(Files.getLastModifiedTime(path).to(TimeUnit.NANOSECONDS), file.modifiedNanos());
            assertEquals(Files.getLastModifiedTime(path).toInstant(), file.modified());
        }
    }

    @Test
    void shouldReadIntoADirectBuffer() throws IOException {
        byte[] all = Files.readAllBytes(path);
        ByteBuffer buffer = ByteBuffer.allocateDirect(SIZE).position(3).limit(103);
        try (HotFile file = hot("file")) {
            assertEquals(100, file.read(buffer, 1000));
            assertEquals(103, buffer.position());
            byte[] read = new byte[100];
            buffer.get(3, read);
            assertArrayEquals(Arrays.copyOfRange(all, 1000, 1100), read);
            assertEquals(0, file.read(buffer.clear(), SIZE));
            assertThrows(IllegalArgumentException.class, () -> file.read(ByteBuffer.allocate(1), 0));
            assertThrows(ReadOnlyBufferException.class, () -> file.read(buffer.asReadOnlyBuffer(), 0));
            assertThrows(IllegalArgumentException.class, () -> file.read(buffer, -1));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldSendToASocketWhateverItsMode(boolean blocking) throws Exception {
        try (HotFile file = hot("file");
                ServerSocketChannel server =
                        ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel in = SocketChannel.open(server.getLocalAddress());
                SocketChannel out = server.accept()) {
            CompletableFuture<Content> received = CompletableFuture.supplyAsync(() -> drain(in));
            out.configureBlocking(blocking);
            sendAll(file, out);
            out.shutdownOutput();
            assertEquals(content, received.get(30, TimeUnit.SECONDS));
            assertEquals(blocking, out.isBlocking());
            assertEquals(blocking, !Descriptors.isNonBlocking(Descriptors.numberOf(out)), "its flags are not ours");
        }
    }

    private static Content drain(SocketChannel in) {
        try {
            return Content.drain(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Waits for room by a selector; in blocking mode there is none, and the write of one byte waits. */
    private static void sendAll(HotFile file, SocketChannel out) throws IOException {
        long[] moved = new long[2];
        long sent = 0;
        try (Selector selector = Selector.open()) {
            if (!out.isBlocking()) {
                out.register(selector, SelectionKey.OP_WRITE);
            }
            while (true) {
                int fd = Descriptors.numberOf(out);
                long rest = file.size() - sent;
                HotStep step = !out.isBlocking()
                        ? file.sendToTcp(fd, 0, 0, sent, rest, moved)
                        : file.send(fd, 0, 0, sent, rest, moved);
                assertEquals(0, moved[0]);
                sent += moved[1];
                if (step == HotStep.DONE) {
                    break;
                }
                assertEquals(HotStep.BLOCKED, step);
                if (out.isBlocking()) {
                    ByteBuffer one = ByteBuffer.allocateDirect(1);
                    assertEquals(1, file.read(one, sent));
                    sent += out.write(one.flip());
                } else {
                    selector.select();
                    selector.selectedKeys().clear();
                }
            }
        }
        assertEquals(file.size(), sent);
    }

    @Test
    void shouldSayThatEvictedBytesAreCold() throws Exception {
        assumeTrue(PageCache.evict(path), "its file system has no disk");
        try (HotFile file = hot("file")) {
            assertEquals(HotFile.COLD, file.read(ByteBuffer.allocateDirect(10), SIZE / 2));
        }
    }

    @Test
    void shouldTakeUpAnOpenFileWithoutItsPosition() throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            channel.position(17);
            HotFile file = root.adopt(channel);
            assertNotNull(file);
            try (file) {
                assertEquals(10, file.read(ByteBuffer.allocateDirect(10), 5));
            }
            assertEquals(17, channel.position());
        }
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            assertEquals(
                    Errno.EBADF,
                    assertThrows(NativeIoException.class, () -> root.adopt(channel))
                            .errno());
        }
    }

    @Test
    void shouldFindNoServersFileHot() throws IOException {
        try (HotRoot proc = HotRoot.open(Path.of("/proc/self"))) {
            assertNull(proc.open("status"), "made when it is read");
        }
        try (HotRoot all = HotRoot.open(Path.of("/"))) {
            assertNull(all.open("/proc/self/status"), "another mount");
        }
    }

    @Test
    void shouldServeACachedFileForItsAgeAtMost() throws IOException {
        Path replacement = directory.resolve("new");
        try (HotRoot checking = HotRoot.open(directory, new HotCache(10, Duration.ZERO));
                HotRoot looking = HotRoot.open(directory, new HotCache(10, Duration.ofDays(1), true));
                HotRoot trusting = HotRoot.open(directory, new HotCache(10, Duration.ofDays(1)))) {
            close(checking.open("file"));
            close(looking.open("file"));
            close(trusting.open("file"));
            Files.writeString(replacement, "new");
            Files.move(replacement, path, StandardCopyOption.REPLACE_EXISTING);
            try (HotFile now = checking.open("file");
                    HotFile seen = looking.open("file");
                    HotFile before = trusting.open("file")) {
                assertNotNull(now);
                assertNotNull(seen);
                assertNotNull(before);
                assertEquals(3, now.size());
                assertEquals(3, seen.size());
                assertEquals(SIZE, before.size());
                assertEquals(10, before.read(ByteBuffer.allocateDirect(10), 0));
            }
        }
    }

    @Test
    void shouldCloseWhatItsCacheKeepsAlthoughNothingElseIsOpened() throws IOException {
        try (HotRoot caching = HotRoot.open(directory, new HotCache(10, Duration.ZERO))) {
            int before = OpenDescriptors.count();
            for (int i = 0; i < 2; i++) { // before its thread sleeps, and while it does
                close(caching.open("file"));
                assertEquals(before + 1, OpenDescriptors.count());
                OpenDescriptors.awaitCount(before);
            }
        }
    }

    @Test
    void shouldEndTheThreadOfACacheWithItsRoot() throws IOException {
        int before = sweepers();
        try (HotRoot caching = HotRoot.open(directory, new HotCache(10, Duration.ofDays(1)))) {
            close(caching.open("file"));
            assertEquals(before + 1, sweepers());
        }
        Await.until("the thread of the closed root to end", () -> sweepers() == before);
        forgetARoot();
        assertEquals(before + 1, sweepers());
        Await.until("the thread of the forgotten root to end", () -> {
            System.gc();
            return sweepers() == before;
        });
    }

    private void forgetARoot() throws IOException {
        close(HotRoot.open(directory, new HotCache(10, Duration.ZERO)).open("file"));
    }

    private static int sweepers() {
        return (int) Thread.getAllStackTraces().keySet().stream()
                .filter(CacheSweeper.class::isInstance)
                .count();
    }

    private static void close(@Nullable HotFile file) {
        assertNotNull(file, "cold");
        file.close();
    }

    @Test
    void shouldRefuseACacheThatCannotBe() {
        assertThrows(IllegalArgumentException.class, () -> new HotCache(0, Duration.ZERO));
        assertThrows(IllegalArgumentException.class, () -> new HotCache(1, Duration.ofNanos(-1)));
        assertThrows(IllegalArgumentException.class, () -> new HotCache(Integer.MAX_VALUE, Duration.ZERO));
        assertThrows(IllegalArgumentException.class, () -> new HotCache(1, Duration.ofDays(2)));
    }

    @Test
    void shouldKeepAFileOpenWhenItsRootIsClosed() throws IOException {
        HotFile file = hot("file");
        root.close();
        assertThrows(ClosedChannelException.class, () -> root.open("file"));
        assertEquals(10, file.read(ByteBuffer.allocateDirect(10), 0));
        try (OwnedFd rest = file.duplicate()) {
            file.close();
            file.close();
            assertThrows(IllegalStateException.class, () -> file.read(0, 0, 0));
            Descriptors.duplicate(rest).close();
        }
    }

    @Test
    void shouldTellWhyAFileIsNotOpened() throws IOException {
        Files.exists(directory.resolve("none")); // now it is known that there is none
        assertThrows(NoSuchFileException.class, () -> root.open("none"));
        assertEquals(
                Errno.EINVAL,
                assertThrows(NativeIoException.class, () -> root.open("/")).errno());
        assertEquals(
                Errno.EINVAL,
                assertThrows(NativeIoException.class, () -> root.open("a\0b")).errno());
        assertEquals(
                Errno.ENAMETOOLONG,
                assertThrows(NativeIoException.class, () -> root.open("x".repeat(5000)))
                        .errno());
    }
}
