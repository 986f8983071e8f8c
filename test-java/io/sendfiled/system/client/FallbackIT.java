package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.Destination;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.JavaClients;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransferOptions;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.JavaProgram;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import io.sendfiled.technique.Technique;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What differs without the native library; what does not, {@link BothTransportsIT} shows. */
@Timeout(60)
final class FallbackIT {
    private static final int SIZE = 3_000_000;
    private static final int MORE_THAN_THREADS = 40;

    /** Seen so often in a row in the call that moves the bytes, a thread waits there. */
    private static final int SETTLED = 25;

    @TempDir
    private Path directory;

    private Path root;
    private Content content;
    private SendfiledClient client;
    private int descriptorsBefore;

    @BeforeEach
    void start() throws IOException {
        root = Files.createDirectory(directory.resolve("root"));
        content = Content.write(root.resolve("file"), SIZE);
        TestDestination.openAndCloseAll(directory); // whatever the JDK opens once and keeps
        descriptorsBefore = OpenDescriptors.settledCount(ProcessHandle.current().pid());
        client = JavaClients.start(root);
    }

    @AfterEach
    void shouldLeakNoDescriptor() {
        client.close();
        OpenDescriptors.awaitCount(descriptorsBefore);
    }

    private static TransferException failure(Transfer transfer) {
        return assertThrows(TransferException.class, () -> transfer.await(Await.LONG));
    }

    /** The probe's library is looked for in an empty directory. */
    @Test
    void shouldServeWhereTheLibraryCannotBeLoaded() throws Exception {
        Path empty = Files.createDirectory(directory.resolve("empty"));
        List<String> command = new ArrayList<>(JavaProgram.command(FallbackProbe.class));
        command.removeIf(word -> word.startsWith("-Dsendfiled.library.path="));
        command.add(1, "-Dsendfiled.library.path=" + empty);
        command.add(root.toString());
        try (Program program = Program.start(directory, command, Map.of())) {
            String output = new String(program.report(), StandardCharsets.UTF_8);
            assertEquals(0, program.awaitExit(), output + program.errors());
            byte[] file = Files.readAllBytes(root.resolve("file"));
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            all.write(new byte[] {1, 2, 3});
            all.write(file);
            all.write(file);
            all.write(file, 1, SIZE - 1);
            List<String> lines = output.lines().toList();
            assertEquals("available false", lines.get(0), output);
            assertTrue(lines.get(1).startsWith("cause ") && lines.get(1).contains(empty.toString()), output);
            assertTrue(lines.get(2).startsWith("refused ") && lines.get(2).contains(empty.toString()), output);
            assertEquals(
                    List.of(
                            "sendfile " + (SIZE - 1),
                            "absent send absent: no such file or directory (ENOENT)",
                            "received " + Content.of(all.toByteArray()),
                            "read " + content,
                            "warm " + SIZE),
                    lines.subList(3, lines.size()));
        }
    }

    @Test
    void shouldKeepNoThreadForPeersThatReadNothing() throws Exception {
        List<TestDestination> stuck = new ArrayList<>();
        List<Transfer> transfers = new ArrayList<>();
        for (int i = 0; i < MORE_THAN_THREADS; i++) {
            TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory);
            stuck.add(destination);
            transfers.add(client.send(FileRequest.of("file"), destination.destination()));
        }
        for (Transfer transfer : transfers) {
            Await.until("bytes in the socket", () -> transfer.bytesMoved() > 0);
        }
        expectToServe();

        for (int i = 0; i < MORE_THAN_THREADS; i++) {
            TestDestination destination = stuck.get(i);
            Transfer transfer = transfers.get(i);
            if (i % 4 == 0) {
                transfer.cancel();
                assertEquals(Errno.ECANCELED, failure(transfer).errno());
            } else if (i % 4 == 1) {
                destination.finishSending(); // the destination itself: there is no duplicate
                assertEquals(Errno.EBADF, failure(transfer).errno());
            } else if (i % 4 == 2) {
                destination.closeReceivingEnd();
                assertEquals(Errno.EPIPE, failure(transfer).errno());
            } else {
                CompletableFuture<Content> received = destination.receive();
                assertEquals(SIZE, transfer.await(Await.LONG).bytesMoved());
                destination.finishSending();
                assertEquals(content, received.get());
            }
            destination.close();
        }
    }

    private void expectToServe() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            CompletableFuture<Content> received = destination.receive();
            client.send(FileRequest.of("file"), destination.destination()).await(Await.LONG);
            destination.finishSending();
            assertEquals(content, received.get());
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"TCP_BLOCKING", "UNIX"})
    void shouldCancelWhileAPeerReadsNothing(TestDestination.Type type) throws Exception {
        Content.write(root.resolve("big"), 64_000_000); // more than any socket takes
        try (TestDestination destination = TestDestination.open(type, directory)) {
            Transfer transfer = client.send(FileRequest.of("big"), destination.destination());
            if (type != TestDestination.Type.UNIX) {
                int[] times = {0};
                Await.until("a thread that waits for the peer", () -> {
                    times[0] = isSending() ? times[0] + 1 : 0;
                    return times[0] == SETTLED;
                });
            }
            transfer.cancel();
            assertEquals(Errno.ECANCELED, failure(transfer).errno());
            assertTrue(destination.channel().isOpen());
        }
    }

    private static boolean isSending() {
        return Thread.getAllStackTraces().entrySet().stream()
                .anyMatch(thread -> thread.getKey().getName().endsWith("-disk")
                        && thread.getValue().length > 0
                        && thread.getValue()[0].getMethodName().startsWith("transferTo"));
    }

    @Test
    void shouldNotLeaveTheRootNorOpenWhatIsNoFile() throws Exception {
        Content.write(directory.resolve("outside"), 10);
        Files.createSymbolicLink(root.resolve("link"), directory.resolve("outside"));
        Files.createSymbolicLink(root.resolve("up"), Path.of(".."));
        Files.createSymbolicLink(root.resolve("inside"), Path.of("file"));
        HelperProgram.output("mkfifo", root.resolve("fifo").toString());
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            for (String path : new String[] {"link", "../outside", "up/outside", "/up/outside"}) {
                TransferException e = failure(client.send(FileRequest.of(path), destination.destination()));
                assertEquals(Errno.EACCES, e.errno(), path);
                assertTrue(e.isRefusal() && e.bytesMoved() == 0, path);
            }
            for (String path : new String[] {"fifo", "", "/"}) {
                TransferException e = failure(client.send(FileRequest.of(path), destination.destination()));
                assertEquals(Errno.EINVAL, e.errno(), path);
            }
            for (String path : new String[] {directory.resolve("outside").toString(), "file/x", "file\udcff"}) {
                TransferException e = failure(client.send(FileRequest.of(path), destination.destination()));
                assertTrue(e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR, path + ": " + e);
            }
            CompletableFuture<Content> received = destination.receive();
            client.send(FileRequest.of("/inside"), destination.destination()).await(Await.LONG);
            destination.finishSending();
            assertEquals(content, received.get());
        }
    }

    @Test
    void shouldKeepLimitsOfTimeAndRefuseWhatItCannotKeep() throws Exception {
        FileRequest file = FileRequest.of("file");
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            TransferOptions slow = TransferOptions.DEFAULT.withRate(1_000);
            TransferException e = failure(client.send(file.with(slow), destination.destination()));
            assertEquals(Errno.EOPNOTSUPP, e.errno());
            TransferOptions other = TransferOptions.DEFAULT.withTechnique(Technique.MMAP);
            e = failure(client.send(file.with(other), destination.destination()));
            assertEquals(Errno.EOPNOTSUPP, e.errno());
            e = failure(client.send(file, Destination.ofDescriptor(destination.fd())));
            assertEquals(Errno.EOPNOTSUPP, e.errno());
            e = failure(client.readBuffer("file"));
            assertEquals(Errno.EOPNOTSUPP, e.errno());

            TransferOptions idle = TransferOptions.DEFAULT.withIdleTimeout(Duration.ofMillis(300));
            e = failure(client.send(file.with(idle), destination.destination()));
            assertEquals(Errno.ETIMEDOUT, e.errno());
            assertTrue(e.bytesMoved() > 0 && e.bytesMoved() < SIZE, e.toString());
        }
    }
}
