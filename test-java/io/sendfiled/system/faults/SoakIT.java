package io.sendfiled.system.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.ProcessThreads;
import io.sendfiled.support.Scale;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * R2, R3, D10, D37: after mixed operations, a fifth of them hostile ({@code test-native/support/soak.c}), a daemon is as it
 * was: no descriptor, no thread, no timer more, and no memory. Each honest transfer has got every byte and its one end.
 *
 * <p>In rounds: the first one warms up, the others may not leave anything behind. Its size by hand:
 * {@code -Dsendfiled.soak.operations=1000000}, its course {@code -Dsendfiled.soak.seed=N}.
 */
@ParameterizedClass
@EnumSource(TestDaemon.Kind.class)
final class SoakIT {
    private static final int OPERATIONS = Scale.of("soak.operations", 20_000);
    private static final int SEED = Scale.of("soak.seed", 20_261_120);
    private static final int ROUNDS = 5;
    private static final int THREADS = 8;

    /** The embedded engine has the same loops; here it is about the host's descriptors (D37). */
    private static final int EMBEDDED_PART = 5;

    private static final int SLOWEST_RATE = 200; // operations a second

    /** Of malloc by our library, and of the heap after a collection: what grows with the requests is far beyond it. */
    private static final long MOST_GROWTH = 64 * 1024;

    /** The JVM's own, that it compiles and loads late; a page for each hundredth request would be more. */
    private static final long MOST_RESIDENT_GROWTH = 16 * 1024 * 1024;

    /** A sanitizer that is preloaded has a malloc of its own, which keeps what is freed for a while. */
    private static final boolean COUNTED = System.getenv("LD_PRELOAD") == null;

    private static final String LOOPS = "sendfiled-loop";
    private static final int[] SIZES = {0, 1, 4_095, 4_096, 4_097, 20_000, 65_535, 65_536, 65_537, 300_000, 1_048_577};

    @TempDir
    private Path directory;

    @Parameter
    TestDaemon.Kind kind;

    @Test
    void shouldBeAsItWasAfterMixedOperationsOfWhichAFifthIsHostile() throws Exception {
        Path allocations = directory.resolve("allocations");
        TestDaemon.Options options = (COUNTED ? counting(allocations) : TestDaemon.Options.STANDARD)
                .withMaxTransfers(1_000)
                .withOpenTimeoutMs(15_000) // a machine at its limit is not the daemon's fault
                .with("idle-timeout", 15_000)
                .with("drain-timeout", 15_000)
                .withEnvironment("SENDFILED_JAVA_OPTS", attachable());
        try (TestDaemon daemon = TestDaemon.start(kind, directory, options)) {
            List<String> files = new ArrayList<>();
            for (int size : SIZES) {
                files.add("file" + size);
                Content.write(daemon.root().resolve("file" + size), size);
            }
            int operations = (kind == TestDaemon.Kind.EMBEDDED ? OPERATIONS / EMBEDDED_PART : OPERATIONS) / ROUNDS;

            soak(daemon, operations, SEED, files);
            Sample.take(daemon.pid(), allocations); // the first one loads classes
            daemon.rememberDescriptors();
            Sample before = Sample.take(daemon.pid(), allocations);
            System.out.println(kind + " before: " + before);
            Sample after = before;
            for (int round = 1; round < ROUNDS; round++) {
                JsonObject report = soak(daemon, operations, SEED + round, files);
                daemon.expectNoLeak();
                after = Sample.take(daemon.pid(), allocations);
                System.out.println(kind + " round " + round + ": " + report + " " + after);
            }

            assertTrue(daemon.isAlive());
            Map<String, Integer> loops = before.loops();
            Await.until(
                    "the spare threads of the loops to end",
                    () -> loops.equals(ProcessThreads.count(daemon.pid(), LOOPS)));
            if (kind == TestDaemon.Kind.FORKED && COUNTED) { // the memory of this JVM is the tests'
                assertTrue(before.nativeBytes() > 0, "nothing was counted: " + before);
                expectAtMost(MOST_GROWTH, before.nativeBytes(), after.nativeBytes(), "bytes from malloc");
                expectAtMost(MOST_GROWTH, before.heapBytes(), after.heapBytes(), "bytes of the heap");
                expectAtMost(MOST_RESIDENT_GROWTH, before.residentBytes(), after.residentBytes(), "bytes resident");
            }
        }
    }

    /** In its sandbox the daemon cannot make the socket that jcmd asks for: it makes it at its start. */
    private static String attachable() {
        return System.getenv().getOrDefault("SENDFILED_JAVA_OPTS", "") + " -XX:+StartAttachListener";
    }

    private static TestDaemon.Options counting(Path allocations) {
        return TestDaemon.Options.STANDARD
                .withEnvironment("LD_PRELOAD", HelperProgram.preload("allocations"))
                .withEnvironment("SENDFILED_TEST_ALLOCATIONS", allocations);
    }

    private static void expectAtMost(long most, long before, long after, String what) {
        assertTrue(after - before < most, what + ": " + before + " before, " + after + " after");
    }

    /** One round, and the daemon at rest after it. */
    private static JsonObject soak(TestDaemon daemon, int operations, int seed, List<String> files) throws Exception {
        List<Object> arguments = new ArrayList<>(List.of(daemon.socket(), daemon.root(), operations, THREADS, seed));
        arguments.addAll(files);
        Process soak = HelperProgram.start("soak", arguments.toArray());
        try {
            assertTrue(
                    soak.waitFor(60 + operations / SLOWEST_RATE, TimeUnit.SECONDS),
                    "the soak does not come to its end");
            JsonObject report = HelperProgram.json(soak);
            assertEquals(0, soak.exitValue(), report.toString());
            assertEquals(
                    operations,
                    report.get("honest").getAsInt() + report.get("hostile").getAsInt());
            assertEquals(0, report.get("leaked").getAsInt(), report.toString());
            Await.until("every timer to be gone", () -> ProcessThreads.sleepWithoutTimer(daemon.pid(), LOOPS));
            return report;
        } finally {
            soak.destroyForcibly();
        }
    }

    /**
     * What a process has.
     *
     * @param heapBytes after a full collection
     * @param nativeBytes that our library has from malloc, 0 if nobody counts them
     */
    private record Sample(Map<String, Integer> loops, long heapBytes, long nativeBytes, long residentBytes) {
        static Sample take(long pid, Path allocations) throws IOException, InterruptedException {
            long resident = Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
                    .filter(line -> line.startsWith("VmRSS:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024)
                    .sum();
            return new Sample(ProcessThreads.count(pid, LOOPS), heap(pid), allocated(allocations), resident);
        }

        /** The histogram of live objects, which collects before it counts, ends with their sum. */
        private static long heap(long pid) throws IOException, InterruptedException {
            if (pid == ProcessHandle.current().pid()) { // jcmd of JDK 25 waits for ever for the JVM that waits for it
                return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
            }
            String jcmd = Path.of(System.getProperty("java.home"), "bin/jcmd").toString();
            String[] lines = HelperProgram.output(jcmd, Long.toString(pid), "GC.class_histogram")
                    .split("\n");
            String[] sum = lines[lines.length - 1].trim().split(" +");
            assertEquals("Total", sum[0]);
            return Long.parseLong(sum[2]);
        }

        private static long allocated(Path allocations) throws IOException {
            return Files.exists(allocations)
                    ? ByteBuffer.wrap(Files.readAllBytes(allocations))
                            .order(ByteOrder.nativeOrder())
                            .getLong()
                    : 0;
        }
    }
}
