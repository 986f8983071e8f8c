package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The daemon under a service manager, by the protocol of sd_notify(3): what it says, in which order, and that it says
 * nothing that is not so. A small program stands in for systemd, and checks the form of every message.
 */
@Timeout(120)
final class ServiceManagerIT extends ProgramTestCase {
    private static final int BIG = 20_000_000; // more than any receiver's buffers hold

    private FakeServiceManager manager(List<String> options, String... more) throws Exception {
        return FakeServiceManager.of(scratch, options, arguments(more));
    }

    @ParameterizedTest
    @ValueSource(strings = {"--sandbox=auto", "--sandbox=off"})
    void shouldSayThatItIsReadyWhenItServesAndThatItStopsWhenItEnds(String sandbox) throws Exception {
        for (List<String> address : List.of(List.<String>of(), List.of("--abstract"))) {
            try (FakeServiceManager manager = manager(address, sandbox)) {
                long pid = manager.start();
                assertEquals(List.of("READY=1", "STATUS=serving " + root + " as 'a': 0 transfers"), manager.message());
                assertEquals("the content", read()); // at once: without a look at the socket before

                Program.signal(pid, "TERM");

                List<String> stop = manager.message();
                assertEquals("STOPPING=1", stop.get(0));
                assertEquals("EXTEND_TIMEOUT_USEC=15000000", stop.get(1), "5 seconds of the drain, and ten");
                assertEquals("STATUS=waiting for the end of 0 transfers", stop.get(2));
                assertEquals(0, manager.exit(), manager::errors);
            }
        }
    }

    @Test
    void shouldSayWhyItDoesNotStart() throws Exception {
        try (FakeServiceManager manager = FakeServiceManager.of(
                scratch,
                List.of(),
                "-S",
                sockets.toString(),
                "-s",
                "a",
                "-r",
                scratch.resolve("missing\nREADY=1").toString())) {
            manager.start();
            assertEquals(
                    List.of(
                            "ERRNO=" + Errno.ENOENT,
                            "STATUS=--root: " + scratch.resolve("missing?READY=1") + ": "
                                    + Errno.describe(Errno.ENOENT)),
                    manager.message());
            assertEquals(List.of("BARRIER=1"), manager.message(), "it waits until that was taken");
            assertEquals(1, manager.exit());
        }
    }

    @Test
    void shouldSayHowManyTransfersItWaitsForAndEndWithThem() throws Exception {
        Content.write(root.resolve("big"), BIG);
        try (FakeServiceManager manager = manager(List.of(), "--stop-timeout=1h");
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, scratch)) {
            long pid = manager.start();
            manager.await("READY=1");
            try (SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
                Transfer transfer = client.send(FileRequest.of("big"), destination.destination());
                assertEquals(BIG, transfer.info().get(20, TimeUnit.SECONDS).size());

                Program.signal(pid, "TERM");

                List<String> stop = manager.message();
                assertTrue(stop.contains("STATUS=waiting for the end of 1 transfer"), stop::toString);
                assertTrue(stop.contains("EXTEND_TIMEOUT_USEC=" + (3_600_000_000L + 10_000_000L)), stop::toString);
                assertEquals(BIG, drain(destination, transfer));
            }
            assertEquals(0, manager.exit(), manager::errors);
        }
    }

    private static long drain(TestDestination destination, Transfer transfer) throws Exception {
        var received = destination.receive();
        transfer.await(Await.LONG);
        destination.finishSending();
        return received.get(20, TimeUnit.SECONDS).size();
    }

    @Test
    void shouldGiveSignsOfLifeInHalfOfTheTimeAndNothingElse() throws Exception {
        try (FakeServiceManager manager = manager(List.of("--watchdog", "400000"))) {
            long pid = manager.start();
            manager.await("READY=1");
            long begin = System.nanoTime();
            for (int i = 0; i < 5; i++) {
                assertEquals(List.of("WATCHDOG=1"), manager.message());
            }
            long took = System.nanoTime() - begin;
            // Each 200 ms; the first is due since the start, and the reader may be late.
            assertTrue(took >= TimeUnit.MILLISECONDS.toNanos(3 * 200), "more often than asked for: " + took);

            Program.signal(pid, "STOP");
            Await.until("the stop", () -> state(pid) == 'T');
            manager.left();
            Program.signal(pid, "CONT");
            manager.await("WATCHDOG=1");
        }
    }

    @Test
    void shouldGiveNoSignOfLifeWhileItsLoopsAreHeld() throws Exception {
        Path stall = root.resolve("stall"); // where the sandbox lets it be seen
        Map<String, String> environment = Map.of(
                "LD_PRELOAD", HelperProgram.preload("stall").toString(),
                "SENDFILED_TEST_STALL", stall.toString());
        try (FakeServiceManager manager =
                FakeServiceManager.of(scratch, environment, List.of("--watchdog", "400000"), arguments("--loops=2"))) {
            manager.start();
            manager.await("WATCHDOG=1");

            Files.createFile(stall);

            manager.await("STATUS=an event loop does not answer");
            for (int i = 0; i < 10; i++) { // tried again and again
                assertEquals(List.of("STATUS=an event loop does not answer"), manager.message());
            }

            Files.delete(stall);

            manager.await("WATCHDOG=1");
            assertEquals("the content", read());
        }
    }

    private static char state(long pid) {
        try {
            String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
            return stat.charAt(stat.lastIndexOf(')') + 2);
        } catch (java.io.IOException e) {
            return 'X';
        }
    }

    @Test
    void shouldServeWithoutAManagerThatItCannotReach() throws Exception {
        try (Program program =
                Program.shell(scratch, "NOTIFY_SOCKET=" + scratch.resolve("gone") + " exec \"$@\"", arguments())) {
            program.awaitServing(socket());
            assertEquals("the content", read());
            assertTrue(
                    program.errors()
                            .startsWith("sendfiled: NOTIFY_SOCKET: " + scratch.resolve("gone")
                                    + ": the service manager is not told anything: "),
                    program.errors());
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
            assertFalse(Files.exists(socket()));
        }
    }
}
