package io.sendfiled.system.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.Sendfiled;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Scale;
import io.sendfiled.support.Target;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.system.DaemonProcess;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * R15: daemons and clients that are killed in the middle of transfers, and what they leave behind: a client takes the end
 * of its status channel without a last word as failure, and the next daemon starts whatever it finds.
 */
@Timeout(300)
final class CrashIT {
    private static final int SIZE = 4_000_000; // more than any receiver's buffers hold
    private static final String NAME = TestDaemon.NAME;

    private static final List<Target> TARGETS =
            List.of(Target.TCP, Target.UNIX, Target.UNIX_BLOCKING, Target.PIPE, Target.PIPE_NON_BLOCKING);

    @TempDir
    private Path directory;

    private Path root() throws Exception {
        return Files.createDirectories(directory.resolve("root"));
    }

    private Path socket() {
        return directory.resolve("sendfiled." + NAME + ".socket");
    }

    private Path lock() {
        return directory.resolve("sendfiled." + NAME + ".lock");
    }

    private static boolean exists(Path path) {
        return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
    }

    // D35
    @Test
    void shouldBeAFailureToEveryClientAndStartAgainHoweverOftenItIsKilled() throws Exception {
        Random random = new Random(15);
        Content file = Content.write(root().resolve("file"), SIZE);
        int failed = 0;
        int kills = Scale.of("crash.daemons", 20);
        for (int i = 0; i < kills; i++) {
            // Never closed: that would demand a clean end.
            DaemonProcess daemon = DaemonProcess.start(directory, NAME, root());
            awaitServing(daemon);
            failed += killInMidTransfer(daemon, random);
            assertTrue(exists(socket()), "a killed daemon cannot clean up");
        }
        assertTrue(failed > kills, failed + " transfers failed in " + kills + " crashes");

        // And the last word: a clean start, a clean transfer, a clean end.
        try (DaemonProcess daemon = DaemonProcess.start(directory, NAME, root())) {
            awaitServing(daemon);
            try (RawClient client = new RawClient(socket());
                    Status status = client.request(ExtendedRequest.read("file"), -1, -1)) {
                assertEquals(SIZE, status.info().size());
                assertEquals(file, Content.drain(status.source(), SIZE));
                assertTrue(Outcome.ofTrailer(status).complete());
            }
        }
        assertFalse(exists(lock()));
    }

    /** Some transfers; when one of them is at a random point the daemon is killed. How many of them failed. */
    private int killInMidTransfer(DaemonProcess daemon, Random random) throws Exception {
        List<TestDestination> destinations = new ArrayList<>();
        List<Status> channels = new ArrayList<>();
        int failed = 0;
        try (RawClient client = new RawClient(socket());
                Status read = client.request(ExtendedRequest.read("file"), -1, -1)) {
            for (Target target : TARGETS) {
                TestDestination destination = target.open(directory);
                destinations.add(destination);
                channels.add(client.request(ExtendedRequest.send("file"), destination.fd(), -1));
                destination.finishSending();
            }
            TestDestination first = destinations.get(random.nextInt(destinations.size()));
            int point = random.nextInt(SIZE);
            ByteBuffer head = ByteBuffer.allocate(point);
            CompletableFuture<Content> reading = drain(read);
            while (head.hasRemaining()) {
                assertTrue(first.receivingEnd().read(head) > 0);
            }

            daemon.kill();

            byte[] expected = Files.readAllBytes(root().resolve("file"));
            for (int i = 0; i < channels.size(); i++) {
                byte[] rest = destinations.get(i).receiveBytes().get(20, TimeUnit.SECONDS);
                int begun = destinations.get(i) == first ? point : 0;
                expectPart(expected, begun == 0 ? null : head.array(), rest);
                if (!isComplete(channels.get(i))) {
                    failed++;
                } else {
                    assertEquals(SIZE, begun + rest.length, "complete without every byte");
                }
            }
            assertTrue(reading.get(20, TimeUnit.SECONDS).size() >= 0);
        } finally {
            for (TestDestination destination : destinations) {
                destination.close();
            }
            for (Status channel : channels) {
                channel.close();
            }
        }
        return failed;
    }

    private static CompletableFuture<Content> drain(Status status) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return Content.drain(status.source());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    private static void expectPart(byte[] file, byte @Nullable [] head, byte[] rest) {
        int begun = head == null ? 0 : head.length;
        if (head != null) {
            assertEquals(-1, Arrays.mismatch(file, 0, begun, head, 0, begun));
        }
        assertEquals(-1, Arrays.mismatch(file, begun, begun + rest.length, rest, 0, rest.length), "wrong bytes");
    }

    /* What a status channel says that ends anywhere, even inside of a message: only a whole Result is one. */
    private static boolean isComplete(Status status) throws Exception {
        byte[] all = status.rest();
        int result = all.length - 32;
        return result >= 0 && all[result] == (byte) 0x92 && all[result + 1] == 0 && all[result + 4] == 32;
    }

    /** Until it takes requests: the socket that is there may still be that of the one before. */
    private void awaitServing(DaemonProcess daemon) {
        Await.until("process " + daemon.pid() + " to serve", () -> {
            try {
                new RawClient(socket()).close();
                return Files.readString(lock()).equals(daemon.pid() + "\n");
            } catch (IOException e) {
                return false;
            }
        });
    }

    // R2, R15
    @Test
    void shouldForgetClientsThatAreKilled() throws Exception {
        Random random = new Random(16);
        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, TestDaemon.Options.STANDARD)) {
            Content file = Content.write(daemon.root().resolve("file"), SIZE);
            Content.write(daemon.root().resolve("small"), 5_000);
            for (int i = 0; i < Scale.of("crash.clients", 20); i++) {
                Process client = HelperProgram.start(
                        "client_driver", directory, NAME, "many", 1_000_000, 16, daemon.root(), "file", "small");
                int point = random.nextInt(2 * SIZE);
                long before = bytesRead(client.pid());
                Await.until(
                        "the client to have read more, or its end",
                        () -> bytesRead(client.pid()) - before > point || !client.isAlive());
                assertTrue(client.isAlive());

                client.destroyForcibly().waitFor();

                daemon.expectNoLeak();
                try (RawClient raw = daemon.rawClient();
                        Status status = raw.request(ExtendedRequest.read("file"), -1, -1)) {
                    assertEquals(SIZE, status.info().size());
                    assertEquals(file, Content.drain(status.source(), SIZE));
                    assertTrue(Outcome.ofTrailer(status).complete());
                }
            }
        }
    }

    /** What a process has read so far, by proc(5). */
    private static long bytesRead(long pid) {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/io"))) {
                if (line.startsWith("rchar: ")) {
                    return Long.parseLong(line.substring("rchar: ".length()));
                }
            }
        } catch (IOException e) {
            return -1; // it has ended
        }
        return -1;
    }

    private SendfiledConfig config() throws Exception {
        return SendfiledConfig.builder()
                .name(NAME)
                .root(root())
                .socketDirectory(directory)
                .build();
    }

    private String[] arguments(String... more) throws Exception {
        List<String> all = new ArrayList<>(List.of("-S", directory.toString(), "-s", NAME, "-r", root().toString()));
        all.addAll(List.of(more));
        return all.toArray(new String[0]);
    }

    private void expectRefusedBecauseOf(long pid, String... more) throws Exception {
        try (Program second = Program.start(directory, arguments(more))) {
            assertEquals(1, second.awaitExit());
            assertEquals(
                    "sendfiled: an instance named '" + NAME + "' is already running (pid " + pid + ") at " + socket()
                            + "\n",
                    second.errors());
        }
    }

    @Test
    void shouldNotStartBesideAnEmbeddedEngineAndNameItsProcess() throws Exception {
        long own = ProcessHandle.current().pid();
        try (Sendfiled engine = Sendfiled.launch(config())) {
            expectRefusedBecauseOf(own);
            expectRefusedBecauseOf(own, "-d");
            NativeIoException refused = assertThrows(NativeIoException.class, () -> Sendfiled.launch(config()));
            assertEquals(Errno.EADDRINUSE, refused.errno());
            assertTrue(exists(engine.socketPath()));
        }
        try (Program program = Program.start(directory, arguments())) {
            program.awaitServing(socket());
            NativeIoException refused = assertThrows(NativeIoException.class, () -> Sendfiled.launch(config()));
            assertEquals(Errno.EADDRINUSE, refused.errno());
            expectRefusedBecauseOf(program.pid(), "-d");
        }
    }

    /** What a killed daemon wrote into its lock is a process of somebody else by now. */
    @Test
    void shouldStartAlthoughTheKilledOnesNumberIsInUse() throws Exception {
        DaemonProcess.start(directory, NAME, root()).kill();
        Files.writeString(lock(), ProcessHandle.current().pid() + "\n");

        try (DaemonProcess next = DaemonProcess.start(directory, NAME, root())) {
            awaitServing(next);
            expectRefusedBecauseOf(next.pid());
        }
        assertFalse(exists(lock()));
    }

    @Test
    void shouldReplaceTheSocketOfAForeignProgramThatIsGoneAndNoOther() throws Exception {
        try (ServerSocketChannel foreign = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            foreign.bind(UnixDomainSocketAddress.of(socket()));
            try (Program refused = Program.start(directory, arguments())) {
                assertEquals(1, refused.awaitExit());
                assertTrue(refused.errors().contains("already running at " + socket()), refused.errors());
            }
            assertTrue(exists(socket()));
            assertFalse(exists(lock()));
        }
        assertTrue(exists(socket()), "nobody has removed it");
        try (Program program = Program.start(directory, arguments())) {
            program.awaitServing(socket());
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
        }
        assertFalse(exists(socket()));
    }
}
