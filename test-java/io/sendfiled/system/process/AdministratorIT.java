package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.SystemProgram;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What an administrator asks of a daemon by {@code sfd}: ping, drain, cancel. */
@Timeout(60)
final class AdministratorIT extends ProgramTestCase {
    private static final String SFD = Path.of(System.getProperty("sendfiled.test.dist", "target/dist"), "bin", "sfd")
            .toAbsolutePath()
            .toString();
    private static final int BIG = 20_000_000; // more than any receiver's buffers hold
    private static final String STRANGER = "54321";

    private Program sfd(String... arguments) throws IOException {
        return sfd(List.of(), arguments);
    }

    private Program sfd(List<String> starter, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(starter);
        command.add(SFD);
        command.addAll(Arrays.asList(arguments));
        command.addAll(List.of("-S", sockets.toString(), "-s", "a"));
        return Program.start(scratch, command, Map.of());
    }

    /** Runs it to the end, and gives what it has said on both ways. */
    private String expect(int status, String... arguments) throws Exception {
        try (Program sfd = sfd(arguments)) {
            String output = sfd.output();
            assertEquals(status, sfd.awaitExit(), () -> output + sfd.errorsSoFar());
            return output + sfd.errors();
        }
    }

    private Transfer sendBig(SendfiledClient client, TestDestination destination) throws Exception {
        Transfer transfer = client.send(FileRequest.of("big"), destination.destination());
        assertEquals(BIG, transfer.info().get(20, TimeUnit.SECONDS).size());
        return transfer;
    }

    // ---- ping ----

    @Test
    void shouldPingADaemonThatServes() throws Exception {
        try (Program program = start()) {
            String pong = expect(0, "ping");
            assertTrue(pong.matches("pong from 'a': \\d+\\.\\d\\d ms\n"), pong);
            assertEquals("", expect(0, "ping", "--quiet"));
            JsonObject json =
                    JsonParser.parseString(expect(0, "ping", "--json")).getAsJsonObject();
            assertEquals("a", json.get("name").getAsString());
            assertTrue(json.get("elapsedMs").getAsDouble() > 0);
            assertTrue(program.isAlive());
        }
    }

    /** It asks for no file: the disk of the root may be dead, and the daemon is well. */
    @Test
    void shouldPingWithoutTheRoot() throws Exception {
        Path gone = Files.createDirectory(scratch.resolve("gone"));
        try (Program program =
                Program.start(scratch, "-S", sockets.toString(), "-s", "a", "-r", gone.toString(), "--follow-root")) {
            program.awaitServing(socket());
            Files.delete(gone);
            expect(0, "ping");
        }
    }

    @Test
    void shouldPingADaemonThatIsFull() throws Exception {
        Content.write(root.resolve("big"), BIG);
        try (Program program = start("--max-transfers=1");
                SendfiledClient client = SendfiledClient.connect(sockets, "a");
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, scratch)) {
            sendBig(client, destination);
            String pong = expect(0, "ping");
            assertTrue(pong.contains("but it takes no transfer now: the daemon serves as many"), pong);
            assertTrue(program.isAlive());
        }
    }

    @Test
    void shouldSayThatNobodyAnswers() throws Exception {
        assertTrue(expect(3, "ping").contains("no daemon listens"), "no socket");
        try (Program program = start()) {
            program.signal("STOP");
            long begin = System.nanoTime();
            String answer = expect(6, "ping");
            assertTrue(answer.contains("'a' does not answer within 500 ms"), answer);
            assertTrue(System.nanoTime() - begin < TimeUnit.SECONDS.toNanos(5), "it has waited");
            assertTrue(expect(6, "ping", "--json", "-t", "100ms").contains("\"errnoName\":\"ETIMEDOUT\""));
            program.signal("CONT");
            expect(0, "ping", "-t", "10s"); // however busy the machine is
            program.signal("KILL");
            program.awaitExit();
        }
        assertTrue(Files.exists(socket()));
        assertTrue(expect(3, "ping").contains("no daemon listens"), "a socket of nobody");
    }

    @Test
    void shouldTellAStrangerThatItIsNotForHim() throws Exception {
        SystemProgram.require("setpriv");
        assumeTrue(Program.ROOT, "only root can become somebody else");
        Files.setPosixFilePermissions(scratch, PosixFilePermissions.fromString("rwxr-xr-x"));
        try (Program program = start("--allow-users=" + STRANGER)) {
            List<String> stranger = List.of("setpriv", "--reuid=" + STRANGER, "--regid=" + STRANGER, "--clear-groups");
            for (String command : List.of("ping", "drain", "cancel")) {
                try (Program sfd = command.equals("cancel") ? sfd(stranger, command, "1-1") : sfd(stranger, command)) {
                    assertEquals(command.equals("ping") ? 0 : 4, sfd.awaitExit(), sfd::errorsSoFar);
                }
            }
            assertTrue(program.isAlive());
            expect(0, "ping");
        }
    }

    // ---- drain ----

    @Test
    void shouldDrainAndWatchIt() throws Exception {
        Content content = Content.write(root.resolve("big"), BIG);
        try (Program program = start("--stop-timeout=1h");
                SendfiledClient client = SendfiledClient.connect(sockets, "a");
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, scratch)) {
            Transfer transfer = sendBig(client, destination);
            try (Program drain = sfd("drain")) {
                Await.until("its progress", () -> drain.errorsSoFar().contains("1 transfer is left"));
                assertFalse(Files.exists(socket()));
                assertTrue(drain.isAlive());
                CompletableFuture<Content> received = destination.receive();
                transfer.result().get(20, TimeUnit.SECONDS);
                destination.finishSending();
                assertEquals(content, received.get(20, TimeUnit.SECONDS));
                assertEquals("'a' has ended\n", drain.output());
                assertEquals(0, drain.awaitExit());
            }
            assertFalse(Files.exists(sockets.resolve("sendfiled.a.lock")), "it has ended before sfd has");
            assertEquals(0, program.awaitExit());
        }
        assertTrue(expect(3, "drain").contains("no daemon 'a' listens"));
    }

    @Test
    void shouldCutOffWhatTheTimeIsTooShortFor() throws Exception {
        Content.write(root.resolve("big"), BIG);
        try (Program program = start("--stop-timeout=1h");
                SendfiledClient client = SendfiledClient.connect(sockets, "a");
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, scratch)) {
            Transfer transfer = sendBig(client, destination);
            assertTrue(expect(6, "drain", "--timeout", "200ms").endsWith("sfd: 1 transfer cut off\n"));
            assertEquals(0, program.awaitExit());
            TransferException e = assertThrows(TransferException.class, transfer::await);
            assertEquals(Errno.ESHUTDOWN, e.errno());
        }
    }

    // ---- cancel ----

    @Test
    void shouldCancelTheTransferOfAnyClientAndTellIt() throws Exception {
        Content content = Content.write(root.resolve("big"), BIG);
        try (Program program = start("--loops=1", "--open-timeout=1h");
                SendfiledClient client = SendfiledClient.connect(sockets, "a");
                RawClient raw = new RawClient(socket());
                TestDestination first = TestDestination.open(TestDestination.Type.TCP, scratch);
                TestDestination second = TestDestination.open(TestDestination.Type.TCP, scratch)) {
            Transfer ended = sendBig(client, first); // 1-1
            Transfer goesOn = sendBig(client, second); // 1-2
            try (Status opened = raw.request(Wire.OPEN_FILE, "big");
                    Status read = raw.request(Wire.READ_FILE, "big")) {
                assertEquals(BIG, opened.info().size());
                assertEquals(BIG, read.info().size());
                assertEquals("3 transfers ended\n", expect(0, "cancel", "1-1", "1-3", "1-4"));
                TransferException e = assertThrows(TransferException.class, ended::await);
                assertEquals(Errno.ECANCELED, e.errno());
                assertArrayEquals(new byte[] {(byte) Wire.TRANSFER_STATUS, Errno.ECANCELED}, opened.rest());
                byte[] bytes = read.rest(); // of the file, and nothing that could be taken for it
                assertTrue(bytes.length < BIG);
                byte[] file = Files.readAllBytes(root.resolve("big"));
                assertArrayEquals(Arrays.copyOf(file, bytes.length), bytes);
            }
            assertTrue(expect(1, "cancel", "1-1").contains("there is no transfer 1-1 any more"));
            assertTrue(expect(1, "cancel", "9-1", "--json").contains("\"errnoName\":\"ESRCH\""));
            assertTrue(expect(2, "cancel", "1-x").contains("is no id of a transfer"));
            assertTrue(expect(2, "cancel").contains("no ID"));

            CompletableFuture<Content> received = second.receive();
            goesOn.result().get(20, TimeUnit.SECONDS);
            second.finishSending();
            assertEquals(content, received.get(20, TimeUnit.SECONDS));
            assertTrue(program.isAlive());
        }
    }

    /** The disk may hold a thread for ever: the client does not wait for it any more. */
    @Test
    void shouldCancelWhatADeadDiskHolds() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk::unavailableBecause);
        Path backing = Files.createDirectory(scratch.resolve("backing"));
        Content.write(backing.resolve("held"), BIG);
        Path mounted = scratch.resolve("mounted");
        try (HeldDisk disk = HeldDisk.mount(mounted, backing, "held");
                Program program = Program.start(
                        scratch, "-S", sockets.toString(), "-s", "a", "-r", mounted.toString(), "--loops=1")) {
            program.awaitServing(socket());
            try (SendfiledClient client = SendfiledClient.connect(sockets, "a");
                    TestDestination destination = TestDestination.open(TestDestination.Type.TCP, scratch)) {
                Transfer transfer = client.send(FileRequest.of("held"), destination.destination());
                disk.awaitHeld();
                assertEquals("1 transfer ended\n", expect(0, "cancel", "1-1"));
                TransferException e = assertThrows(TransferException.class, transfer::await);
                assertEquals(Errno.ECANCELED, e.errno());
                expect(0, "ping");
            } finally {
                disk.release();
            }
        }
    }
}
