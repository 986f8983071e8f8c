package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.Program;
import java.io.ByteArrayOutputStream;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The request socket of a service manager, by the protocol of sd_listen_fds(3): no request is lost before the daemon is
 * there, nor while it is started anew, and a socket that does not fit is refused in words.
 */
@Timeout(120)
final class SocketActivationIT extends ProgramTestCase {
    private static final int CLIENTS = 4;
    private static final int RESTARTS = 3;
    private static final int BIG = 20_000_000; // more than any receiver's buffers hold

    private FakeServiceManager manager(String... more) throws Exception {
        return FakeServiceManager.of(
                scratch,
                List.of("--listen", "dgram", socket().toString()),
                Stream.concat(Stream.of("-s", "a", "-r", root.toString()), Stream.of(more))
                        .toArray(String[]::new));
    }

    @Test
    void shouldServeWhatWasSentBeforeItWasThere() throws Exception {
        try (FakeServiceManager manager = manager()) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            try (SendfiledClient client = connectTo(manager)) {
                var read = client.readTo("file", Channels.newChannel(out)).result();
                long pid = manager.start();
                read.get(20, TimeUnit.SECONDS);
                assertEquals("the content", out.toString(StandardCharsets.UTF_8));
                manager.await("READY=1"); // the socket has told the directory: there is no -S

                Program.signal(pid, "TERM");
                assertEquals(0, manager.exit(), manager::errors);
            }
            assertEquals(List.of(socket()), files(sockets), "the socket is the manager's");
        }
    }

    /** When its socket is there; nothing is started. */
    private SendfiledClient connectTo(FakeServiceManager manager) throws Exception {
        manager.awaitCommands();
        return SendfiledClient.connect(sockets, "a");
    }

    private static List<Path> files(Path directory) throws Exception {
        try (Stream<Path> files = Files.list(directory)) {
            return files.toList();
        }
    }

    @Test
    void shouldLoseNoRequestWhileItIsStartedAnew() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(CLIENTS);
        AtomicBoolean over = new AtomicBoolean();
        AtomicInteger count = new AtomicInteger();
        try (FakeServiceManager manager = manager()) {
            long pid = manager.start();
            manager.await("READY=1");
            List<Future<?>> clients = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                clients.add(threads.submit(() -> {
                    while (!over.get()) {
                        assertEquals("the content", read());
                        count.incrementAndGet();
                    }
                    return null;
                }));
            }
            for (int i = 0; i < RESTARTS; i++) {
                int before = count.get();
                Await.until("requests", () -> count.get() > before + 100);
                Program.signal(pid, "TERM");
                assertEquals(0, manager.exit(), manager::errors);
                pid = manager.start();
            }
            int before = count.get();
            Await.until("requests", () -> count.get() > before + 100);
            over.set(true);
            for (Future<?> client : clients) {
                client.get(20, TimeUnit.SECONDS);
            }
        } finally {
            threads.shutdownNow();
        }
    }

    /** What one of them has accepted it finishes, while the next request waits for the next one. */
    @Test
    void shouldLeaveToTheNextOneWhatComesWhileItWaitsForItsTransfers() throws Exception {
        Content content = Content.write(root.resolve("big"), BIG);
        try (FakeServiceManager manager = manager("--stop-timeout=1h");
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, scratch);
                SendfiledClient client = connectTo(manager)) {
            long pid = manager.start();
            manager.await("READY=1");
            Transfer transfer = client.send(FileRequest.of("big"), destination.destination());
            assertEquals(BIG, transfer.info().get(20, TimeUnit.SECONDS).size());
            Program.signal(pid, "TERM");
            manager.await("STOPPING=1");
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            var read = client.readTo("file", Channels.newChannel(out)).result();

            CompletableFuture<Content> received = destination.receive();
            transfer.result().get(20, TimeUnit.SECONDS);
            destination.finishSending();
            assertEquals(content, received.get(20, TimeUnit.SECONDS));
            assertEquals(0, manager.exit(), manager::errors);
            // A loop that receives at that very moment may serve it, which is as good.
            assertFalse(read.isCompletedExceptionally(), "nobody has refused it");

            manager.start();
            read.get(20, TimeUnit.SECONDS);
            assertEquals("the content", out.toString(StandardCharsets.UTF_8));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "stream, sendfiled.a.socket, is a socket for streams",
        "packet, sendfiled.a.socket, is a socket for streams",
        "udp, none, is no UNIX socket",
        "dgram, @abstract, is a socket without a path",
        "dgram, sendfiled.b.socket, but that of instance 'a' is ",
        "dgram, other, but that of instance 'a' is ",
    })
    void shouldRefuseASocketThatDoesNotFitAndSayWhatDoes(String type, String name, String reason) throws Exception {
        String path = name.startsWith("@")
                ? "@" + scratch + name
                : sockets.resolve(name).toString();
        try (FakeServiceManager manager =
                FakeServiceManager.of(scratch, List.of("--listen", type, path), "-s", "a", "-r", root.toString())) {
            manager.start();
            List<String> said = manager.message();
            assertTrue(said.get(1).startsWith("STATUS=LISTEN_FDS: "), said::toString);
            assertTrue(said.get(1).contains(reason), said::toString);
            assertEquals(1, manager.exit());
            assertTrue(manager.errors().contains(reason), manager::errors);
        }
    }

    @Test
    void shouldRefuseSeveralSocketsAndWhatWouldLoseTheOne() throws Exception {
        List<String> two = List.of(
                "--listen",
                "dgram",
                socket().toString(),
                "--listen",
                "stream",
                sockets.resolve("x").toString());
        try (FakeServiceManager manager = FakeServiceManager.of(scratch, two, "-s", "a", "-r", root.toString())) {
            manager.start();
            assertTrue(manager.message().get(1).contains("2 sockets are passed (sendfiled.socket)"));
            assertEquals(1, manager.exit());
        }
        for (String option : List.of("--daemon", "--sync")) {
            try (FakeServiceManager manager = manager(option)) {
                manager.start();
                List<String> said = manager.message();
                assertTrue(said.get(1).startsWith("STATUS=" + option + ": not together with "), said::toString);
                assertEquals(1, manager.exit());
            }
        }
    }

    @Test
    void shouldServeWithASocketOfAManagerThatKnowsNoCredentials() throws Exception {
        try (FakeServiceManager manager = FakeServiceManager.of(
                scratch, List.of("--no-credentials", "--listen", "dgram", socket().toString()), arguments())) {
            manager.start();
            manager.await("READY=1");
            assertEquals("the content", read());
            assertTrue(manager.errors().contains("the .socket unit lacks PassCredentials=yes"), manager::errors);
        }
    }

    /** Variables that were meant for the process that has started this one. */
    @Test
    void shouldTakeNothingThatWasPassedToAnotherProcess() throws Exception {
        try (Program program = Program.shell(scratch, "LISTEN_PID=1 LISTEN_FDS=1 exec \"$@\"", arguments())) {
            program.awaitServing(socket());
            assertEquals("the content", read());
        }
        try (Program program = Program.shell(scratch, "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"", arguments())) {
            assertEquals(1, program.awaitExit());
            assertTrue(program.errors().contains("LISTEN_FDS: descriptor 3 is no socket"), program.errors());
        }
    }
}
