package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.Lengthy;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Way;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Files as destinations: when a transfer into one has ended for its client, nothing of it is written any more, however
 * long its disk takes, so that the client can use the file again at once; and complete means these bytes there (R17).
 */
@Timeout(90)
final class EndedCopyIT {
    private static final int SIZE = 6_000_000;
    private static final int SHORT_MS = 150;

    @TempDir
    private Path directory;

    private Path behind;
    private Path output;
    private Content first;
    private Content second;

    @BeforeEach
    void makeFiles() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        behind = Files.createDirectory(directory.resolve("behind"));
        first = Content.write(behind.resolve("held"), SIZE);
        Files.copy(behind.resolve("held"), behind.resolve("slow"));
        Path root = Files.createDirectories(directory.resolve("root"));
        second = Content.write(root.resolve("second"), SIZE - 1);
        output = Files.createFile(directory.resolve("output"));
    }

    private TestDaemon start(TestDaemon.Kind kind, String name) throws Exception {
        Path place = Files.createDirectories(directory.resolve(name));
        Path root = Files.createSymbolicLink(place.resolve("root"), directory.resolve("root"));
        assertTrue(Files.isDirectory(root));
        return TestDaemon.start(kind, place, TestDaemon.Options.STANDARD.withLoops(1));
    }

    private HeldDisk mount(String... options) throws Exception {
        return HeldDisk.mount(directory.resolve("root/disk"), behind, "held", options);
    }

    private FileChannel open(Path file) throws Exception {
        return FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    private static Status send(RawClient client, ExtendedRequest request, FileChannel to) throws Exception {
        return client.request(request, Descriptors.numberOf(to), -1);
    }

    /** The client does what clients do: it goes back to the beginning, and sends something else there. */
    private void retry(RawClient client, FileChannel to) throws Exception {
        to.position(0);
        to.truncate(0);
        try (Status status = send(client, ExtendedRequest.send("second"), to)) {
            Outcome outcome = Outcome.ofSend(status);
            assertTrue(outcome.complete(), outcome.toString());
        }
        assertEquals(SIZE - 1, to.position());
    }

    /** How a transfer ends for its client while its disk does not answer. */
    enum End {
        DEADLINE,
        CANCEL
    }

    @ParameterizedTest
    @CsvSource({"DEADLINE, held", "DEADLINE, slow", "CANCEL, held", "CANCEL, slow"})
    void shouldLeaveTheFileToItsClientOnceItHasEnded(End end, String source) throws Exception {
        try (TestDaemon daemon = start(TestDaemon.Kind.FORKED, "daemon");
                HeldDisk disk = mount("--read-ms", "20");
                RawClient client = daemon.rawClient();
                FileChannel out = open(output)) {
            daemon.rememberDescriptors();
            ExtendedRequest request = ExtendedRequest.send("disk/" + source);
            try (Status status = send(client, end == End.DEADLINE ? request.withDeadlineMs(SHORT_MS) : request, out)) {
                if (end == End.DEADLINE) { // before the first byte, too, where the machine is slow
                    assertEquals("ETIMEDOUT", Outcome.ofSend(status).errnoName());
                } else {
                    if (source.equals("held")) {
                        disk.awaitHeld();
                    } else {
                        Await.until(
                                "the first bytes to be written",
                                () -> output.toFile().length() > 0);
                    }
                    client.cancel(status.info().id());
                    assertTrue(status.rest().length < 1_000); // the end
                }
            }
            retry(client, out);
            assertEquals(second, Content.of(output));
            disk.release();
            daemon.expectNoLeak(); // what the disk pool had of the first is back
            assertEquals(second, Content.of(output));
            assertEquals(SIZE - 1, out.position());
        }
    }

    @Lengthy
    @ParameterizedTest
    @EnumSource(TestDaemon.Kind.class)
    void shouldLeaveTheFileToItsClientOnceTheEngineHasStopped(TestDaemon.Kind kind) throws Exception {
        try (HeldDisk disk = mount();
                FileChannel out = open(output);
                TestDaemon other = start(TestDaemon.Kind.FORKED, "other")) {
            try (TestDaemon daemon = start(kind, "daemon");
                    RawClient client = daemon.rawClient();
                    Status status = send(client, ExtendedRequest.send("disk/held"), out)) {
                disk.awaitHeld();
                daemon.stop(); // does not wait for the disk for ever
                assertEquals("ESHUTDOWN", Outcome.ofSend(status).errnoName());
            }
            try (RawClient client = other.rawClient()) {
                retry(client, out);
            }
            disk.release();
            Await.until("the first file to be closed", () -> !isOpenHere("disk/held")); // by the job that has it
            assertEquals(second, Content.of(output));
            assertEquals(SIZE - 1, out.position());
        }
    }

    private static boolean isOpenHere(String name) {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            for (Path descriptor : open.toList()) {
                if (Files.exists(descriptor, LinkOption.NOFOLLOW_LINKS)
                        && Files.readSymbolicLink(descriptor).endsWith(name)) {
                    return true;
                }
            }
            return false;
        } catch (IOException e) {
            return true; // one was closed meanwhile: once more
        }
    }

    @Test
    void shouldTellTheEndOnlyWhenTheWriteHasReturnedThatTheKernelHolds() throws Exception {
        Path behindOutput = Files.createFile(behind.resolve("held-output"));
        try (TestDaemon daemon = start(TestDaemon.Kind.FORKED, "daemon");
                HeldDisk disk = mount("--writable", "--hold-calls", "write");
                RawClient client = daemon.rawClient()) {
            daemon.rememberDescriptors();
            try (FileChannel out = open(directory.resolve("root/disk/held-output"));
                    Status status = send(client, ExtendedRequest.send("second"), out)) {
                long id = status.info().id();
                disk.awaitHeld();
                client.cancel(id);
                expectServed(client); // the loop has obeyed

                status.source().configureBlocking(false);
                assertEquals(0, status.source().read(ByteBuffer.allocate(1)), "neither a message nor the end");
                status.source().configureBlocking(true);

                disk.release();
                assertEquals(0, status.rest().length);
                Content then = Content.of(behindOutput);
                daemon.expectNoLeak();
                assertEquals(then, Content.of(behindOutput));
            }
        }
    }

    private void expectServed(RawClient client) throws Exception {
        try (Status status = client.request(ExtendedRequest.read("second"), -1, -1)) {
            assertEquals(SIZE - 1, status.info().size());
            assertEquals(second, Content.drain(status.source(), SIZE - 1));
        }
    }

    @Test
    void shouldRefuseTheSecondOfTwoIntoTheSameBytes() throws Exception {
        try (TestDaemon daemon = start(TestDaemon.Kind.FORKED, "daemon");
                HeldDisk disk = mount();
                RawClient client = daemon.rawClient();
                FileChannel out = open(output);
                FileChannel again = open(output);
                Status status = send(client, ExtendedRequest.send("disk/held"), out)) {
            disk.awaitHeld();
            for (FileChannel to : new FileChannel[] {out, again}) {
                try (Status refused = send(client, ExtendedRequest.send("second"), to)) {
                    assertEquals("EBUSY", Outcome.ofSend(refused).errnoName());
                }
                assertEquals(0, to.position());
            }
            disk.release();
            assertTrue(Outcome.ofSend(status).complete());
            assertEquals(first, Content.of(output));
        }
    }

    /** A file system whose offloads fail for reasons of its own, where cp(1) copies. */
    @ParameterizedTest
    @ValueSource(ints = {5, 13, 1, 22, 25, 116}) // EIO EACCES EPERM EINVAL ENOTTY ESTALE
    void shouldCopyWhereOffloadsFail(int errno) throws Exception {
        Path behindOutput = Files.createFile(behind.resolve("output"));
        try (TestDaemon daemon = start(TestDaemon.Kind.FORKED, "daemon");
                HeldDisk disk = mount("--writable", "--copy-errno", Integer.toString(errno));
                RawClient client = daemon.rawClient();
                FileChannel out = open(directory.resolve("root/disk/output"));
                Status status = send(client, ExtendedRequest.send("disk/slow"), out)) {
            Outcome outcome = Outcome.ofSend(status);
            assertTrue(outcome.complete(), outcome.toString());
            assertEquals(Way.SENDFILE, outcome.way());
            assertEquals(first, Content.of(behindOutput));
            disk.release();
        }
    }
}
