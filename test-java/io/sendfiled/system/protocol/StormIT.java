package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.ProcessThreads;
import io.sendfiled.support.Scale;
import io.sendfiled.system.TestDaemon;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * R1: no client input ends or hangs the daemon. Datagrams of 0 to 64 KiB with 0 to 253 descriptors of all types, from
 * garbage to requests that are almost sound, in every wrong state ({@code test-native/support/storm.c}); and a polite client
 * beside them, who gets every byte and never waits.
 *
 * <p>Its size by hand: {@code -Dsendfiled.storm.datagrams=5000000}, its course {@code -Dsendfiled.storm.seed=N}.
 */
@ParameterizedClass
@EnumSource(TestDaemon.Kind.class)
final class StormIT {
    private static final int DATAGRAMS = Scale.of("storm.datagrams", 500_000);
    private static final int SEED = Scale.of("storm.seed", 20_261_120);

    /** The embedded engine has the same loops; here it is about the host's descriptors (D37). */
    private static final int EMBEDDED_PART = 5;

    private static final int WARM_UP = 5_000;
    private static final int TYPES = 14;
    private static final int SLOWEST_RATE = 3_000; // datagrams a second

    /** The machine can stop a probe for longer than that, but not one after the other. */
    private static final int LATE_IN_A_ROW = 3;

    private static final int LATE_US = 250_000;

    private static final TestDaemon.Options OPTIONS = TestDaemon.Options.STANDARD
            .withMaxTransfers(1_000)
            .withOpenTimeoutMs(300)
            .with("idle-timeout", 500)
            .with("drain-timeout", 300)
            .with("disk-threads", 2);

    /** With 2 threads for each queue: 8 for opens, 2 and 2 for closes, and what each of a handful of devices has. */
    private static final int DISK_THREADS = 8 + 2 + 2 + 2 * 6;

    @TempDir
    private Path directory;

    @Parameter
    TestDaemon.Kind kind;

    @Test
    void shouldAnswerAPoliteClientAllAlongAndKeepNothing() throws Exception {
        try (TestDaemon daemon = TestDaemon.start(kind, directory, OPTIONS)) {
            Content.write(daemon.root().resolve("small"), 4_096);
            long pid = daemon.pid();
            blow(daemon, WARM_UP, 1);
            Await.until("the loops to have nothing to wait for", () -> ProcessThreads.sleepWithoutTimer(pid, LOOPS));
            daemon.rememberDescriptors();
            Map<String, Integer> loops = ProcessThreads.count(pid, LOOPS);

            int datagrams = kind == TestDaemon.Kind.EMBEDDED ? DATAGRAMS / EMBEDDED_PART : DATAGRAMS;
            JsonObject report = blow(daemon, datagrams, SEED);
            System.out.println(kind + ": " + report); // a seed and its numbers, to compare one run with another

            assertTrue(report.get("sent").getAsLong() >= datagrams, report.toString());
            assertTrue(report.get("types").getAsInt() >= TYPES, report.toString());
            assertTrue(report.get("probes").getAsLong() > 0, report.toString());
            assertEquals(0, report.get("leaked").getAsInt(), report.toString());
            assertTrue(report.get("p99Us").getAsLong() < LATE_US, report.toString());
            assertTrue(report.get("lateInARow").getAsLong() < LATE_IN_A_ROW, report.toString());

            assertTrue(daemon.isAlive());
            daemon.expectNoLeak();
            Await.until("every timer to be gone", () -> ProcessThreads.sleepWithoutTimer(pid, LOOPS));
            Await.until("the spare threads of the loops to end", () -> loops.equals(ProcessThreads.count(pid, LOOPS)));
            int diskThreads = ProcessThreads.count(pid, "sendfiled-disk").values().stream()
                    .mapToInt(Integer::intValue)
                    .sum();
            assertTrue(diskThreads <= DISK_THREADS, diskThreads + " threads wait for disks");
        }
    }

    private static final String LOOPS = "sendfiled-loop";

    private static JsonObject blow(TestDaemon daemon, int datagrams, int seed) throws Exception {
        Process storm = HelperProgram.start(
                "storm", daemon.socket(), "small", daemon.root().resolve("small"), datagrams, seed);
        try {
            assertTrue(
                    storm.waitFor(60 + datagrams / SLOWEST_RATE, TimeUnit.SECONDS),
                    "the storm does not come to its end");
            JsonObject report = HelperProgram.json(storm);
            assertEquals(0, storm.exitValue(), report.toString());
            return report;
        } finally {
            storm.destroyForcibly();
        }
    }
}
