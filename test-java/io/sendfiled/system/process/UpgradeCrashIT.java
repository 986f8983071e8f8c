package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.ControlPeer;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.Lengthy;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** R27 and R28: an upgrade in which something goes wrong. What is killed loses its transfers, and nobody loses anything else. */
@Lengthy
@Timeout(120)
final class UpgradeCrashIT extends UpgradeTestCase {
    private static final int CLIENTS = 16;
    private static final String[] NOTHING = {};

    /** While it exists, who has {@link #held} stays in its phase. */
    private Path holds() {
        return sockets.resolve("holds");
    }

    /** What holds a daemon in a phase: {@code test-native/support/preload/phase.c}. */
    private Map<String, String> held(String phase) {
        Map<String, String> environment = new TreeMap<>(Program.ALLOW_ROOT);
        environment.put("LD_PRELOAD", HelperProgram.preload("phase").toString());
        environment.put("SENDFILED_TEST_PHASE", phase);
        environment.put("SENDFILED_TEST_HELD", holds().toString());
        return environment;
    }

    private Program startIn(Map<String, String> environment, String... more) throws IOException {
        List<String> command = new ArrayList<>(List.of(Program.LAUNCHER.toString()));
        command.addAll(List.of(arguments(with(more))));
        return Program.start(scratch, command, environment);
    }

    private static void awaitHeld(Program program) {
        Await.until("its phase", () -> program.errorsSoFar().contains("held ") || !program.isAlive());
        assertTrue(program.isAlive(), program::errorsSoFar);
    }

    /** The last daemon of a test, which ends and leaves nothing behind; of killed ones the counters stay. */
    private void end(Program last, Program... killed) throws Exception {
        last.signal("TERM");
        assertEquals(0, last.awaitExit());
        List<String> counters = Stream.of(killed)
                .map(program -> "sendfiled.a.counters." + program.pid())
                .toList();
        assertEquals(
                List.of(),
                leftOver().stream().filter(name -> !counters.contains(name)).toList());
    }

    /** Of a row "before upgrade", the word has more. */
    private static String word(String phase) {
        return phase.equals("before upgrade") ? "before upgrade unmanaged\n" : phase;
    }

    /** Until the new one receives, its end loses nothing; what it has received it takes along. */
    @ParameterizedTest
    @CsvSource({
        "new, before upgrade, false",
        "new, before hello, false",
        "new, before ready, false",
        "old, before go, false",
        "new, before commit, true",
        "old, before done, true",
    })
    void shouldServeOnWhenTheNewOneIsKilled(String holder, String phase, boolean loses) throws Exception {
        makeFiles();
        boolean holdsOld = holder.equals("old");
        try (Program first = startIn(holdsOld ? held(word(phase)) : Program.ALLOW_ROOT)) {
            first.awaitServing(socket());
            try (Load load = new Load(CLIENTS)) {
                load.awaitMore(CLIENTS);
                Files.createFile(holds());
                Program second = startIn(holdsOld ? Program.ALLOW_ROOT : held(word(phase)), "--take-over");
                awaitHeld(holdsOld ? first : second);
                if (loses) {
                    load.mayLose();
                }
                second.signal("KILL");
                second.awaitExit();
                Files.delete(holds());
                load.mayNotLose();
                load.awaitMore(CLIENTS);
                assertEquals(List.of(), load.failures());
                assertTrue(first.isAlive());

                Program third = retry();
                assertEquals(0, first.awaitExit(), first::errorsSoFar);
                load.awaitMore(CLIENTS);
                load.end();
                assertEquals(List.of(), load.failures());
                end(third);
            }
        }
    }

    /** Who holds the sockets goes on; before that, the name is free for a start as ever. */
    @ParameterizedTest
    @CsvSource({
        "new, before upgrade",
        "new, before hello",
        "new, before ready",
        "old, before go",
        "new, before commit",
        "old, before done",
        "old, after done",
    })
    void shouldServeWhenTheOldOneIsKilled(String holder, String phase) throws Exception {
        makeFiles();
        boolean holdsOld = holder.equals("old");
        try (Program first = startIn(holdsOld ? held(word(phase)) : Program.ALLOW_ROOT)) {
            first.awaitServing(socket());
            try (Load load = new Load(CLIENTS)) {
                load.awaitMore(CLIENTS);
                Files.createFile(holds());
                Program second = startIn(holdsOld ? Program.ALLOW_ROOT : held(word(phase)), "--take-over");
                awaitHeld(holdsOld ? first : second);
                load.mayLose();
                first.signal("KILL");
                first.awaitExit();
                Files.delete(holds());
                second.awaitServing(socket());
                load.mayNotLose();
                load.awaitMore(CLIENTS);
                assertEquals(List.of(), load.failures());

                Program third = takeOver(); // it has all that an instance has
                assertEquals(0, second.awaitExit(), second::errorsSoFar);
                load.awaitMore(CLIENTS);
                load.end();
                assertEquals(List.of(), load.failures());
                end(third, first);
            }
        }
    }

    /** As the kill of any daemon that serves: the next start replaces what it has left. */
    @Test
    void shouldStartAgainWhenTheNewOneIsKilledAfterTheOldOneHasLetGo() throws Exception {
        makeFiles();
        try (Program first = startIn(held("after done"))) {
            first.awaitServing(socket());
            try (Load load = new Load(CLIENTS)) {
                load.awaitMore(CLIENTS);
                Files.createFile(holds());
                Program second = startIn(Program.ALLOW_ROOT, "--take-over");
                awaitHeld(first);
                second.awaitServing(socket());
                load.mayLose();
                second.signal("KILL");
                second.awaitExit();
                Files.delete(holds());
                assertEquals(0, first.awaitExit(), first::errorsSoFar);
                Program third = retry();
                load.mayNotLose();
                load.end();
                assertEquals(List.of(), load.failures());
                end(third);
            }
        }
    }

    @Test
    void shouldLetOneOfTwoUpgradesThrough() throws Exception {
        makeFiles();
        try (Program first = begin();
                Load load = new Load(CLIENTS)) {
            load.awaitMore(CLIENTS);
            Files.createFile(holds());
            Program second = startIn(held("before ready"), "--take-over");
            awaitHeld(second);
            for (int i = 0; i < 2; i++) {
                Program third = startIn(Program.ALLOW_ROOT, "--take-over");
                assertEquals(1, third.awaitExit());
                assertTrue(third.errors().contains("an upgrade is under way"), third.errors());
            }
            Files.delete(holds());
            second.awaitServing(socket());
            assertEquals(0, first.awaitExit());
            load.awaitMore(CLIENTS);
            load.end();
            assertEquals(List.of(), load.failures());
            end(second);
        }
    }

    @Test
    void shouldNotBeFollowedWhileItDrains() throws Exception {
        Content whole = Content.write(root.resolve("big"), BIG);
        try (Program first = begin();
                RawClient raw = new RawClient(socket());
                TestDestination slow = TestDestination.open(TestDestination.Type.UNIX, scratch);
                Status status = raw.request(Wire.SEND_FILE, "big", 0, 0, slow.fd())) {
            slow.finishSending();
            status.info();
            first.signal("TERM");
            Await.until("the drain", () -> !Files.exists(socket()));

            Program second = startIn(Program.ALLOW_ROOT, "--take-over");
            assertEquals(1, second.awaitExit());
            assertTrue(second.errors().contains("it ends"), second.errors());
            assertTrue(first.isAlive());

            assertEquals(whole, Content.drain(slow.receivingEnd()));
            status.rest();
            assertEquals(0, first.awaitExit());
        }
        Program third = takeOver();
        assertEquals("the content", read());
        end(third);
    }

    @ParameterizedTest
    @ValueSource(strings = {"before hello", "before ready", "before commit"})
    void shouldEndWhenItIsToldToDuringAnUpgrade(String phase) throws Exception {
        try (Program first = begin()) {
            Files.createFile(holds());
            Program second = startIn(held(phase), "--take-over");
            awaitHeld(second);
            first.signal("TERM");
            assertEquals(0, first.awaitExit(), first::errorsSoFar);
            Files.delete(holds());
            assertEquals(1, second.awaitExit(), second::errorsSoFar);
            assertFalse(second.errors().contains("serving"), second.errors());
        }
        Program third = takeOver();
        assertEquals("the content", read());
        end(third);
    }

    @Test
    void shouldSayThatDescriptorsCannotBeFetched() throws Exception {
        try (Program first = begin();
                Load load = new Load(CLIENTS)) {
            load.awaitMore(CLIENTS);
            Program second = startWithout("pidfd_getfd", "EPERM", with("--take-over"));
            assertEquals(1, second.awaitExit());
            assertTrue(second.errors().contains("cannot be fetched (pidfd_getfd, ptrace)"), second.errors());
            load.awaitMore(CLIENTS);
            load.end();
            assertEquals(List.of(), load.failures());
            end(first);
        }
    }

    /** A service manager that restarts it wants the next one to serve, whatever that costs. */
    @Test
    void shouldHaveTheOldOneEndWhereDescriptorsCannotBeFetchedAtARestart() throws Exception {
        Content whole = Content.write(root.resolve("big"), BIG);
        makeFiles();
        List<String> refused =
                HelperProgram.command("without", "pidfd_getfd", "EPERM", Program.LAUNCHER, "--take-over");
        refused.addAll(List.of(arguments(with(NOTHING))));
        Path other = Files.createDirectory(scratch.resolve("other"));
        try (FakeServiceManager manager = FakeServiceManager.of(scratch, List.of(), arguments(with("--take-over")));
                FakeServiceManager next = FakeServiceManager.ofCommand(other, Map.of(), List.of(), refused)) {
            manager.start();
            manager.await("READY=1");
            try (RawClient raw = new RawClient(socket());
                    TestDestination slow = TestDestination.open(TestDestination.Type.UNIX, scratch);
                    Status status = raw.request(Wire.SEND_FILE, "big", 0, 0, slow.fd())) {
                slow.finishSending();
                status.info();
                long pid = next.start();
                manager.await("STOPPING=1");
                assertEquals(whole, Content.drain(slow.receivingEnd()), "it has its time");
                status.rest();
                assertEquals(0, manager.exit(), manager::errors);
                next.await("READY=1");
                assertTrue(next.errors().contains("it has to end first"), next.errors());
                assertEquals("the content", read());
                Program.signal(pid, "TERM");
                assertEquals(0, next.exit());
            }
        }
        assertEquals(List.of(), leftOver());
    }

    /** As sendfiled.service beside sendfiled.socket: unit.sh is what the manager starts, and what ends at a restart. */
    @Test
    void shouldFollowWhereAServiceManagerKeepsTheSocket() throws Exception {
        makeFiles();
        Path unit = Program.LAUNCHER.resolveSibling("../lib/sendfiled/unit.sh").normalize();
        List<String> command =
                new ArrayList<>(List.of(unit.toString(), "run", Program.LAUNCHER.toString(), "--take-over"));
        command.addAll(List.of(arguments(with(NOTHING))));
        List<String> options = List.of("--any", "--listen", "dgram", socket().toString());
        try (FakeServiceManager manager = FakeServiceManager.ofCommand(scratch, Map.of(), options, command)) {
            long pid = manager.start();
            manager.await("READY=1");
            try (Load load = new Load(CLIENTS);
                    RawClient raw = new RawClient(socket());
                    TestDestination slow = TestDestination.open(TestDestination.Type.UNIX, scratch);
                    Status status = raw.request(Wire.SEND_FILE, "big", 0, 0, slow.fd())) {
                slow.finishSending();
                status.info();
                for (int i = 0; i < 3; i++) {
                    load.awaitMore(CLIENTS);
                    Program.signal(pid, "USR2"); // unit.sh stop
                    assertEquals(0, manager.exit(), manager::errors);
                    pid = manager.start();
                    manager.await("READY=1");
                }
                load.awaitMore(CLIENTS);
                load.end();
                assertEquals(List.of(), load.failures());
                assertEquals(Content.of(root.resolve("big")), Content.drain(slow.receivingEnd()));
                status.rest();
            }
            Program.signal(pid, "TERM");
            assertEquals(0, manager.exit(), manager::errors);
        }
        assertEquals(List.of("sendfiled.a.socket"), leftOver());
    }

    @Test
    void shouldKeepTheTransferOfAClientThatIsStopped() throws Exception {
        makeFiles();
        Content whole = Content.of(root.resolve("big"));
        String sfd = Program.LAUNCHER.resolveSibling("sfd").toString();
        try (Program first = begin();
                Program client = Program.start(
                        scratch,
                        List.of(sfd, "read", "big", "-o", "-", "-S", sockets.toString(), "-s", "a"),
                        Program.ALLOW_ROOT)) {
            client.awaitOutput(); // and nobody reads on: its pipe is full, and soon that of its status channel
            client.signal("STOP");
            Program second = takeOver();
            Program third = takeOver();
            assertEquals(0, second.awaitExit());
            assertEquals("the content", read());
            assertTrue(first.isAlive(), "it has the transfer");
            client.signal("CONT");
            assertEquals(whole, Content.of(client.outputBytes()));
            assertEquals(0, client.awaitExit(), client::errorsSoFar);
            assertEquals(0, first.awaitExit());
            end(third);
        }
    }

    /** What no daemon answers, and what the process that asks says to it. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "ok pid 1 | speaks another protocol",
                "error x y | cannot be followed: y",
                "error | does not answer",
                "channel 3,ok | speaks another protocol",
                "channel x,inheritance 1 2 3 0 0 0 0 0 0,ok | speaks another protocol",
                "channel 3,inheritance,ok | speaks another protocol",
                "channel 3,inheritance 1 2 3,ok | speaks another protocol",
                "channel 3,inheritance 2 2 3 0 0 0 0 0 0,ok | speaks another protocol",
                "channel 3,inheritance 1 2 3 0 0 0 0 -2 1,ok | speaks another protocol",
                "channel 3,inheritance 1 2 3 0 0 0 0 4611686018427387904 2305843009213693952,ok | speaks another protocol",
                "channel 3,inheritance 1 2 3 0 0 0 0 9223372036854775807 0,ok | speaks another protocol",
                "channel 99999,inheritance 1 99999 99999 0 0 0 0 0 0,ok | cannot be fetched",
                "'' | does not answer",
                "bla | does not answer",
            })
    void shouldRefuseWhatNoDaemonSays(String answer, String complaint) throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(control()));
            Program asks = startIn(Program.ALLOW_ROOT, "--take-over");
            try (SocketChannel peer = server.accept()) {
                peer.read(ByteBuffer.allocate(100));
                String lines = answer.replace(',', '\n') + (answer.isEmpty() ? "" : "\n");
                peer.write(ByteBuffer.wrap(lines.getBytes(StandardCharsets.US_ASCII)));
                peer.shutdownOutput();
                assertEquals(1, asks.awaitExit());
                assertTrue(asks.errors().contains(complaint), asks.errors());
            }
        }
    }

    /** And the other way round: a peer that asks for an upgrade as no daemon does. */
    @ParameterizedTest
    @ValueSource(strings = {"upgrade x", "upgrade managed unmanaged", "upgrade managed", "upgrade unmanaged x"})
    void shouldRefuseToBeFollowedByWhoAsksLikeThat(String line) throws Exception {
        try (Program only = begin()) {
            String last = ControlPeer.ask(control(), line).get(0);
            assertTrue(
                    Arrays.asList(Errno.EINVAL, Errno.EOPNOTSUPP).stream()
                            .anyMatch(errno -> last.startsWith("error " + errno + " ")),
                    last);
            assertEquals("the content", read());
            end(only);
        }
    }
}
