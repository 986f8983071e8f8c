package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.ControlPeer;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** R28, the control socket: who can reach it, what it answers, and that no peer holds it from others. */
@Timeout(60)
final class ControlIT extends ProgramTestCase {
    private static final int BIG = 20_000_000; // more than any receiver's buffers hold
    private static final int CONNECTIONS = 10_000;
    private static final int KNOWN_MAX = 16;

    private Path control() {
        return sockets.resolve("sendfiled.a.control");
    }

    private String pong(Program program) throws IOException {
        String answer = ControlPeer.ask(control(), "ping").get(0);
        assertTrue(answer.matches("ok \\S+ pid " + program.pid() + " \\d+ transfers?"), answer);
        return answer;
    }

    @Test
    void shouldLetInNobodyButItsUser() throws Exception {
        for (String umask : List.of("000", "277")) {
            try (Program program = Program.shell(scratch, "umask " + umask + "; exec \"$@\"", arguments())) {
                program.awaitServing(socket());
                assertEquals(
                        "rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(control())), umask);
                pong(program);
                program.signal("TERM");
                assertEquals(0, program.awaitExit());
                assertFalse(Files.exists(control()));
            }
        }
    }

    @Test
    void shouldReplaceTheSocketOfAKilledInstance() throws Exception {
        try (Program first = start()) {
            first.signal("KILL");
            first.awaitExit();
        }
        assertTrue(Files.exists(control()));
        try (Program second = start()) {
            pong(second);
        }
    }

    @Test
    void shouldLeaveWhatIsNotItsOwn() throws Exception {
        Files.writeString(control(), "a file");
        try (Program program = start()) {
            assertTrue(program.errors().contains("no control socket"), program::errorsSoFar);
            assertEquals("the content", read());
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
        }
        assertEquals("a file", Files.readString(control()));
    }

    @Test
    void shouldServeWithoutItWhereThePathIsTooLong() throws Exception {
        int room = 107 - (sockets + "/sendfiled..socket").length();
        String name = "n".repeat(room);
        try (Program program = Program.start(scratch, "-S", sockets.toString(), "-s", name, "-r", root.toString())) {
            program.awaitServing(sockets.resolve("sendfiled." + name + ".socket"));
            assertTrue(
                    program.errors().contains("has 108 bytes, and a socket's path has 107 at most"),
                    program::errorsSoFar);
        }
    }

    @Test
    void shouldRefuseWhatIsNoCommand() throws Exception {
        try (Program program = start()) {
            for (String line :
                    List.of("", "   ", "no", "ping\0", "\0", "\u00ff", "PING", "drain x", "drain 1 2", "drain -1")) {
                List<String> answer = ControlPeer.ask(control(), line);
                assertEquals(1, answer.size());
                assertTrue(answer.get(0).startsWith("error " + Errno.EINVAL + " "), answer.get(0));
            }
            assertEquals(
                    "error 22 no such command: one of",
                    ControlPeer.ask(control(), "x").get(0).substring(0, 32));
            pong(program);
        }
    }

    // ---- rude peers ----

    @Test
    void shouldAnswerBesidePeersThatSayNothing() throws Exception {
        List<ControlPeer> silent = new ArrayList<>();
        try (Program program = start()) {
            pong(program); // with all classes and descriptors that it takes
            int descriptors = OpenDescriptors.settledCount(program.pid());
            for (int i = 0; i < CONNECTIONS; i++) {
                ControlPeer peer = ControlPeer.connect(control());
                silent.add(peer);
                if (i % 3 == 0) {
                    peer.send("pin"); // half a line
                }
                if (i % 1000 == 0) {
                    pong(program);
                }
                if (silent.size() > 500) {
                    silent.remove(0).close();
                }
            }
            pong(program);
            assertTrue(OpenDescriptors.count(program.pid()) <= descriptors + KNOWN_MAX + 1);
            assertEquals("the content", read());
            for (ControlPeer peer : silent) {
                peer.close();
            }
            Await.until("the descriptors", () -> OpenDescriptors.count(program.pid()) <= descriptors);
        }
    }

    @Test
    void shouldEndAPeerThatNeverEndsItsLine() throws Exception {
        try (Program program = start();
                ControlPeer endless = ControlPeer.connect(control())) {
            try {
                for (int i = 0; i < 1000; i++) {
                    endless.send("x".repeat(1000));
                }
            } catch (IOException e) {
                // It is not read any more.
            }
            assertTrue(endless.line().startsWith("error " + Errno.EINVAL));
            assertNull(endless.line());
            pong(program);
        }
    }

    @Test
    void shouldEndAPeerThatSaysNothingForTenSeconds() throws Exception {
        try (Program program = start();
                ControlPeer silent = ControlPeer.connect(control())) {
            silent.send("ping");
            long begin = System.nanoTime();
            assertNull(silent.line());
            long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - begin);
            assertTrue(seconds >= 9 && seconds <= 15, seconds + " s");
            pong(program);
        }
    }

    // ---- drain ----

    private Transfer sendBig(SendfiledClient client, TestDestination destination) throws Exception {
        Transfer transfer = client.send(FileRequest.of("big"), destination.destination());
        assertEquals(BIG, transfer.info().get(20, TimeUnit.SECONDS).size());
        return transfer;
    }

    @Test
    void shouldEndWhenItsTransfersHaveAndTellOfThem() throws Exception {
        Content content = Content.write(root.resolve("big"), BIG);
        try (Program program = start("--stop-timeout=1h");
                SendfiledClient client = SendfiledClient.connect(sockets, "a");
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, scratch);
                ControlPeer first = ControlPeer.connect(control());
                ControlPeer second = ControlPeer.connect(control())) {
            Transfer transfer = sendBig(client, destination);
            first.send("drain\n");
            assertEquals("left 1", first.line());
            second.send("drain 1000000\n");
            assertEquals("left 1", second.line());
            Await.until("the request socket to go", () -> !Files.exists(socket()));
            assertTrue(program.isAlive());

            CompletableFuture<Content> received = destination.receive();
            transfer.result().get(20, TimeUnit.SECONDS);
            destination.finishSending();
            assertEquals(content, received.get(20, TimeUnit.SECONDS));
            for (ControlPeer peer : List.of(first, second)) {
                List<String> rest = peer.rest(); // which is the end of the process
                assertEquals("ok drained", rest.get(rest.size() - 1));
            }
            assertEquals(0, program.awaitExit());
            assertFalse(Files.exists(control()));
        }
    }

    @Test
    void shouldCutOffWhatIsLeftWhenTheTimeIsOver() throws Exception {
        Content.write(root.resolve("big"), BIG);
        try (Program program = start("--stop-timeout=1h");
                SendfiledClient client = SendfiledClient.connect(sockets, "a");
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, scratch);
                ControlPeer patient = ControlPeer.connect(control())) {
            Transfer transfer = sendBig(client, destination);
            patient.send("drain 1000000\n");
            assertEquals("left 1", patient.line());
            List<String> answer = ControlPeer.ask(control(), "drain 100"); // who asks later can only shorten it
            assertEquals("error 110 1 transfer cut off", answer.get(answer.size() - 1));
            List<String> rest = patient.rest();
            assertEquals("error 110 1 transfer cut off", rest.get(rest.size() - 1));
            assertEquals(0, program.awaitExit());
            assertTrue(transfer.result()
                    .handle((result, failure) -> failure != null)
                    .get(20, TimeUnit.SECONDS));
        }
    }

    /** They hold neither a connection that somebody else needs, nor the end. */
    @Test
    void shouldGiveUpThoseWhoWatchForThoseWhoAsk() throws Exception {
        Content.write(root.resolve("big"), BIG);
        List<ControlPeer> watchers = new ArrayList<>();
        try (Program program = start("--stop-timeout=1h");
                SendfiledClient client = SendfiledClient.connect(sockets, "a");
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, scratch)) {
            sendBig(client, destination);
            for (int i = 0; i < 2 * KNOWN_MAX; i++) {
                ControlPeer watcher = ControlPeer.connect(control());
                watchers.add(watcher);
                watcher.send("drain\n");
                assertEquals("left 1", watcher.line());
            }
            pong(program);
            assertNull(watchers.get(0).rest().stream()
                    .filter(line -> !line.equals("left 1"))
                    .findAny()
                    .orElse(null));
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
        } finally {
            for (ControlPeer watcher : watchers) {
                watcher.close();
            }
        }
    }
}
