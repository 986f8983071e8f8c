package io.sendfiled.system.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.ProcessThreads;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Scale;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.Sending;
import io.sendfiled.system.TestDaemon;
import io.sendfiled.system.faults.Holders.Attack;
import io.sendfiled.system.faults.Holders.Ends;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * R4, R16: clients that hold locks of the kernel, which no flag of a call avoids, hold a thread of the daemon and their
 * own transfer. Everybody else is served meanwhile; afterwards their own transfers end as if nothing had been.
 *
 * <p>What the others lose by it, {@code ./dev bench --scenario held} measures.
 */
@ParameterizedClass
@EachKind
@Timeout(120)
final class HeldIT {
    private static final String THREADS = "sendfiled-";
    private static final int ROUNDS = 3;
    private static final int STOP_TIMEOUT_MS = 500;

    /** Clients and loops: never fewer clients than loops, so that each loop can be held. */
    private static final List<int[]> SIZES = Scale.all()
            ? List.of(new int[] {1, 1}, new int[] {2, 2}, new int[] {8, 1}, new int[] {8, 4}, new int[] {32, 2})
            : List.of(new int[] {8, 1});

    @TempDir
    private Path directory;

    @Parameter
    TestDaemon.Kind kind;

    static Stream<Arguments> attacks() {
        return Stream.of(Attack.values())
                .flatMap(attack -> SIZES.stream().map(size -> Arguments.of(attack, size[0], size[1])));
    }

    @ParameterizedTest(name = "{0}, {1} clients, {2} loops")
    @MethodSource("attacks")
    void shouldServeOthersWhileClientsHoldKernelLocks(Attack attack, int clients, int loops) throws Exception {
        Holders.assumePossible(attack);
        try (TestDaemon daemon = TestDaemon.start(kind, directory, TestDaemon.Options.STANDARD.withLoops(loops))) {
            Map<String, Content> files = writeFiles(daemon);
            serve(daemon, files);
            daemon.rememberDescriptors();
            int threads = threads(daemon);
            try (Holders holders = Holders.start(attack, daemon, clients)) {
                if (attack != Attack.EVICT) { // which meets a thread now and then
                    Await.until(
                            "a thread of the daemon to be held",
                            () -> ProcessThreads.anyIsUninterruptible(daemon.pid(), THREADS));
                }

                for (int round = 0; round < ROUNDS; round++) {
                    serve(daemon, files);
                }

                Ends ends = holders.release();
                assertEquals(new Ends(ends.complete(), 0, 0, 0, 0), ends);
                assertTrue(
                        attack.isOneTransfer() ? ends.complete() == clients : ends.complete() >= clients,
                        ends.toString());
            }
            serve(daemon, files);
            assertTrue(daemon.isAlive());
            daemon.expectNoLeak();
            Await.until("the daemon to have " + threads + " threads again", () -> threads(daemon) <= threads);
        }
    }

    /** A process ends when the kernel lets its threads end; until then it is in nobody's way. */
    @ParameterizedTest
    @EnumSource(Attack.class)
    void shouldStopWhileClientsHoldKernelLocks(Attack attack) throws Exception {
        Holders.assumePossible(attack);
        TestDaemon.Options options = TestDaemon.Options.STANDARD.with("stop-timeout", STOP_TIMEOUT_MS);
        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, options);
                Holders holders = Holders.start(attack, daemon, 1)) {
            if (attack.isKillable()) {
                daemon.stop(); // demands a clean end within 20 seconds
            } else {
                daemon.hurry();
                Await.until("its socket to go", () -> !Files.exists(daemon.socket()));
            }

            Ends ends = holders.release();
            assertEquals(new Ends(ends.complete(), ends.failed(), ends.aborted(), 0, 0), ends);
            daemon.stop();
        }
    }

    private static Map<String, Content> writeFiles(TestDaemon daemon) throws Exception {
        Map<String, Content> files = new LinkedHashMap<>();
        for (int size : new int[] {1, 4096, 100_000, 3_000_000}) {
            String name = "polite-" + size;
            files.put(name, Content.write(daemon.root().resolve(name), size));
        }
        return files;
    }

    /** Each operation once, by a client that does nothing to anybody. */
    private void serve(TestDaemon daemon, Map<String, Content> files) throws Exception {
        for (Map.Entry<String, Content> file : files.entrySet()) {
            try (FileContent content =
                    daemon.client().read(file.getKey()).content().get(20, TimeUnit.SECONDS)) {
                assertEquals(file.getValue(), Content.drain(content), file.getKey());
            }
            try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
                CompletableFuture<Content> received = destination.receive();
                daemon.client()
                        .send(FileRequest.of(file.getKey()), destination.destination())
                        .await(Await.LONG);
                destination.finishSending();
                assertEquals(file.getValue(), received.get(20, TimeUnit.SECONDS), file.getKey());
            }
        }
        String any = files.keySet().iterator().next();
        try (RawClient client = daemon.rawClient()) {
            try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory);
                    Sending sending = Sending.start(
                            daemon,
                            client,
                            Sending.Operation.OPEN_AND_SEND_FILE,
                            ExtendedRequest.send(any),
                            destination.fd())) {
                CompletableFuture<Content> received = destination.receive();
                assertTrue(sending.await().complete());
                destination.finishSending();
                assertEquals(files.get(any), received.get(20, TimeUnit.SECONDS));
            }
            try (Status opened = client.request(Wire.OPEN_FILE, any)) {
                client.cancel(opened.info().id());
                assertEquals(0, opened.rest().length);
            }
        }
    }

    /** But for those of the disk pool, which end when they have been idle for long. */
    private static int threads(TestDaemon daemon) {
        return ProcessThreads.count(daemon.pid(), THREADS).entrySet().stream()
                .filter(name -> !name.getKey().startsWith("sendfiled-disk"))
                .mapToInt(Map.Entry::getValue)
                .sum();
    }
}
