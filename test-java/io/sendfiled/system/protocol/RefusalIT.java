package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.Destination;
import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.CDriver;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a daemon does not serve: the client learns the errno, and the destination stays untouched. */
@ParameterizedClass
@EachKind
@Timeout(60)
final class RefusalIT {
    private static final int MAX_TRANSFERS = 8;

    @TempDir
    private static Path directory;

    @Daemon("max-transfers=" + MAX_TRANSFERS)
    private static TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        Content.write(daemon.root().resolve("file"), 10_000);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"missing", "missing/file", "../../../../../../../etc/passwd", "/../../../../../../etc/passwd"})
    void shouldSayThatThereIsNoSuchFile(String path) throws Exception {
        expectRefusal(Errno.ENOENT, FileRequest.of(path));
    }

    @Test
    void shouldFollowNoLinkOutOfTheRoot() throws Exception {
        link("outside", Path.of("/etc/passwd"));
        link("upwards", Path.of("../../../../../../../../etc/passwd"));
        link("loop", Path.of("loop"));
        link("inside", Path.of("/file"));

        expectRefusal(Errno.ENOENT, FileRequest.of("outside"));
        expectRefusal(Errno.ENOENT, FileRequest.of("upwards"));
        expectRefusal(Errno.ELOOP, FileRequest.of("loop"));
        expectServed(10_000, FileRequest.of("inside"));
        for (String name : new String[] {"outside", "upwards", "loop", "inside"}) {
            Files.delete(daemon.root().resolve(name));
        }
    }

    @Test
    void shouldServeRegularFilesOnly() throws Exception {
        Files.createDirectories(daemon.root().resolve("directory"));
        Path fifo = daemon.root().resolve("fifo");
        if (!Files.exists(fifo)) {
            assertEquals(
                    0,
                    new ProcessBuilder("mkfifo", fifo.toString())
                            .inheritIO()
                            .start()
                            .waitFor());
        }
        Path socket = daemon.root().resolve("socket");
        Files.deleteIfExists(socket);
        try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listener.bind(UnixDomainSocketAddress.of(socket));

            expectRefusal(Errno.EINVAL, FileRequest.of("directory"));
            expectRefusal(Errno.EINVAL, FileRequest.of("fifo"));
            expectRefusal(Errno.EINVAL, FileRequest.of("socket"));
            expectRefusal(Errno.EINVAL, FileRequest.of("/"));
        }
        expectRefusal(Errno.ENOTDIR, FileRequest.of("file/file"));
    }

    @Test
    void shouldRefuseARangeOutsideTheFile() throws Exception {
        expectRefusal(Errno.ERANGE, FileRequest.of("file").from(10_001));
        expectRefusal(Errno.ERANGE, FileRequest.of("file").range(0, 10_001));
        expectRefusal(Errno.ERANGE, FileRequest.of("file").range(9_999, 2));
        expectRefusal(Errno.ERANGE, FileRequest.of("file").range(Long.MAX_VALUE - 1, 1));
    }

    @Test
    void shouldRefuseANameThatNoFileCanHave() throws Exception {
        expectRefusal(Errno.ENAMETOOLONG, FileRequest.of("x".repeat(256)));
        expectRefusal(Errno.ENAMETOOLONG, FileRequest.of("/x".repeat(2_048)));
        expectRefusal(Errno.ENOENT, FileRequest.of("/x".repeat(2_047) + "x"));
        expectRefusal(Errno.ENOENT, FileRequest.of(""));
    }

    @ParameterizedTest
    @ValueSource(strings = {"read", "send", "open"})
    void shouldRefuseAFileThatSomebodyHasLockedForWriting(String operation) throws Exception {
        try (FileChannel locked = FileChannel.open(daemon.root().resolve("file"), StandardOpenOption.WRITE)) {
            assertTrue(locked.lock(5_000, 1, false).isValid());

            // Once only: an embedded engine's close of the file ends this process's lock, as fcntl(2) warns.
            TransferException failure =
                    switch (operation) {
                        case "read" -> failureOf(daemon.client().read("file").result());
                        case "open" -> failureOf(daemon.client().open("file"));
                        default -> {
                            try (TestDestination destination =
                                    TestDestination.open(TestDestination.Type.PIPE, directory)) {
                                yield failureOf(daemon.client()
                                        .send("file", destination.destination())
                                        .result());
                            }
                        }
                    };
            expectRefusal(Errno.EAGAIN, failure);
        }
    }

    @Test
    void shouldServeARangeBesideAWriteLock() throws Exception {
        try (FileChannel locked = FileChannel.open(daemon.root().resolve("file"), StandardOpenOption.WRITE)) {
            assertTrue(locked.lock(5_000, 1, false).isValid());

            expectServed(5_000, FileRequest.of("file").range(0, 5_000));
        }
    }

    @Test
    void shouldGiveAllTransfersToAClientThatIsAloneAndLetAnotherOneIn() throws Exception { // R19
        List<OpenFile> files = new ArrayList<>();
        for (int i = 0; i < MAX_TRANSFERS; i++) {
            files.add(daemon.client().open("file").get(20, TimeUnit.SECONDS));
        }
        expectRefusal(Errno.EMFILE, FileRequest.of("file"));
        assertEquals(
                0, new CDriver(directory, TestDaemon.NAME).drive("read", "file").exit(), "another client gets in");

        files.remove(0).close();

        Await.until("a transfer to have ended", () -> {
            CompletableFuture<OpenFile> next = daemon.client().open("file");
            try {
                files.add(next.get(20, TimeUnit.SECONDS));
                return true;
            } catch (Exception e) {
                return false;
            }
        });
        for (OpenFile file : files) {
            file.close();
        }
    }

    @Test
    void shouldRefuseADestinationThatCannotBeWrittenTo() throws Exception {
        try (FileInputStream in =
                new FileInputStream(daemon.root().resolve("file").toFile())) {
            expectRefusal(
                    Errno.EBADF,
                    failureOf(daemon.client()
                            .send("file", Destination.of(in.getFD()))
                            .result()));
        }
        try (RandomAccessFile device = new RandomAccessFile("/dev/urandom", "rw")) {
            expectRefusal(
                    Errno.EOPNOTSUPP,
                    failureOf(daemon.client()
                            .send("file", Destination.of(device.getFD()))
                            .result()));
        }
    }

    private static void link(String name, Path target) throws IOException {
        Path link = daemon.root().resolve(name);
        Files.deleteIfExists(link);
        Files.createSymbolicLink(link, target);
    }

    private static void expectServed(long size, FileRequest request) throws Exception {
        try (FileContent content = daemon.client().read(request).content().get(20, TimeUnit.SECONDS)) {
            assertEquals(size, Content.drain(content).size());
        }
    }

    /** By each operation. */
    private static void expectRefusal(int errno, FileRequest request) throws Exception {
        expectRefusal(errno, failureOf(daemon.client().read(request).result()));
        expectRefusal(errno, failureOf(daemon.client().open(request)));
        for (TestDestination.Type type : TestDestination.Type.values()) {
            try (TestDestination destination = TestDestination.open(type, directory)) {
                CompletableFuture<Content> received = destination.receive();
                Transfer transfer = daemon.client().send(request, destination.destination());

                expectRefusal(errno, failureOf(transfer.result()));
                destination.finishSending();
                assertEquals(0, received.get(20, TimeUnit.SECONDS).size());
            }
        }
    }

    private static void expectRefusal(int errno, TransferException failure) {
        assertEquals(Errno.name(errno), failure.errnoName(), failure.toString());
        assertTrue(failure.isRefusal());
        assertEquals(0, failure.bytesMoved());
    }

    private static TransferException failureOf(CompletableFuture<?> future) {
        CompletionException failure =
                assertThrows(CompletionException.class, () -> future.orTimeout(20, TimeUnit.SECONDS)
                        .join());
        return assertInstanceOf(TransferException.class, failure.getCause());
    }
}
