package io.sendfiled.system.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * R4: how long the one event loop leaves a small warm request waiting beside a disk that is slow. The limit is an issue's;
 * whatever else runs on the machine costs more now and then, so that one quiet round of several is enough: a loop that waits
 * for the disk would have none.
 */
@ParameterizedClass
@EachKind
@Timeout(120)
final class LoopLagIT {
    private static final long LAG_NS = TimeUnit.MILLISECONDS.toNanos(50);
    private static final int ROUNDS = 20;
    private static final int PROBES = 40;
    private static final int COLD_FILES = 12;
    private static final int COLD_SIZE = 300_000;
    private static final int WARM_SIZE = 4096;

    @TempDir
    private Path directory;

    @Parameter
    TestDaemon.Kind kind;

    private final List<TestDestination> destinations = new ArrayList<>();
    private final List<Status> cold = new ArrayList<>();
    private @Nullable TestDaemon started;
    private @Nullable HeldDisk mounted;

    @BeforeEach
    void assumeFuse() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectory(directory.resolve("behind"));
        for (int i = 0; i < COLD_FILES; i++) {
            Content.write(behind.resolve("held" + i), COLD_SIZE);
        }
    }

    private TestDaemon start(String... options) throws Exception {
        TestDaemon daemon = TestDaemon.start(kind, directory, TestDaemon.Options.STANDARD.withLoops(1));
        started = daemon;
        Content.write(daemon.root().resolve("warm"), WARM_SIZE);
        mounted = HeldDisk.mount(daemon.root().resolve("disk"), directory.resolve("behind"), "held", options);
        return daemon;
    }

    @AfterEach
    void end() throws Exception {
        if (mounted != null) {
            mounted.release();
        }
        for (Status status : cold) {
            status.close();
        }
        for (TestDestination destination : destinations) {
            destination.close();
        }
        if (mounted != null) {
            mounted.close();
        }
        if (started != null) {
            started.close();
        }
    }

    /** Asks for all the cold files; nothing has been read of them. */
    private List<CompletableFuture<Outcome>> ask(RawClient client) throws Exception {
        List<CompletableFuture<Outcome>> outcomes = new ArrayList<>();
        for (int i = 0; i < COLD_FILES; i++) {
            TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory);
            destinations.add(destination);
            Status status = client.request(ExtendedRequest.send("disk/held" + i), destination.fd(), -1);
            cold.add(status);
            CompletableFuture<Content> received = destination.receive();
            outcomes.add(CompletableFuture.supplyAsync(
                    () -> {
                        try {
                            Outcome outcome = Outcome.ofSend(status);
                            destination.finishSending();
                            assertEquals(outcome.moved(), received.join().size());
                            return outcome;
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                    },
                    task -> {
                        Thread thread = new Thread(task, "cold");
                        thread.setDaemon(true);
                        thread.start();
                    }));
        }
        return outcomes;
    }

    /** How long a warm request takes, from its sending to its last byte. */
    private static long probeNs(RawClient client) throws Exception {
        long begin = System.nanoTime();
        try (Status status = client.request(ExtendedRequest.read("warm"), -1, -1)) {
            assertEquals(WARM_SIZE, status.info().size());
            assertEquals(WARM_SIZE, status.read(WARM_SIZE).length);
            assertTrue(Outcome.ofTrailer(status).complete());
        }
        return System.nanoTime() - begin;
    }

    @ParameterizedTest
    @ValueSource(strings = {"read", "open", "getattr", "flush", "release"})
    void shouldServeInTimeWhileADiskAnswersNothing(String call) throws Exception {
        TestDaemon daemon = start("--hold-calls", call);
        try (RawClient client = daemon.rawClient()) {
            List<CompletableFuture<Outcome>> outcomes = ask(client);
            mounted().awaitHeld();

            long best = Long.MAX_VALUE;
            for (int round = 0; round < ROUNDS && best >= LAG_NS; round++) {
                long worst = 0;
                for (int i = 0; i < PROBES; i++) {
                    worst = Math.max(worst, probeNs(client));
                }
                best = Math.min(best, worst);
            }
            assertTrue(best < LAG_NS, "the best of " + ROUNDS + " rounds has a probe of " + best / 1000 + " us");

            mounted().release();
            for (CompletableFuture<Outcome> outcome : outcomes) {
                assertTrue(outcome.get(20, TimeUnit.SECONDS).complete());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {20, 150})
    void shouldServeInTimeWhileADiskIsSlow(int ms) throws Exception {
        String delay = Integer.toString(ms);
        TestDaemon daemon = start(
                "--hold-calls",
                "none",
                "--read-ms",
                delay,
                "--open-ms",
                delay,
                "--getattr-ms",
                delay,
                "--flush-ms",
                delay,
                "--release-ms",
                delay);
        try (RawClient client = daemon.rawClient()) {
            List<CompletableFuture<Outcome>> outcomes = ask(client);
            List<Long> probes = new ArrayList<>();
            while (!outcomes.stream().allMatch(CompletableFuture::isDone)) {
                probes.add(probeNs(client));
            }
            long[] sorted = probes.stream().mapToLong(Long::longValue).sorted().toArray();
            assertTrue(sorted.length > PROBES, "only " + sorted.length + " requests were served meanwhile");
            // A loop that waits for each of these disk calls would let most of the requests wait as well.
            long usual = sorted[sorted.length * 3 / 4];
            assertTrue(usual < LAG_NS, "a quarter took " + usual / 1000 + " us or more: " + Arrays.toString(sorted));
            for (CompletableFuture<Outcome> outcome : outcomes) {
                assertTrue(outcome.join().complete());
            }
        }
    }

    private HeldDisk mounted() {
        return Objects.requireNonNull(mounted);
    }
}
