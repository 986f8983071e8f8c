package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;

/**
 * R6: each type of descriptor has the answer that DESCRIPTORS.md says, in each place of a request ({@code
 * test-native/support/fd_table.c}); R7, D19: no datagram socket takes a byte, the daemon's own least of all.
 *
 * <p>The daemon has one loop: while that stood still in a call, nothing would be answered.
 */
@ParameterizedClass
@EachKind
@Timeout(180)
final class DescriptorTableIT {
    private static final int TYPES = 30;

    /** Only what a loop waits for takes that long: a dead disk for ever, a socket that lingers for a minute. */
    private static final int SLOWEST_PROBE_MS = 9_000;

    @TempDir
    private Path directory;

    @Parameter
    TestDaemon.Kind kind;

    @Test
    void shouldAnswerEachTypeOfDescriptorAsDocumented() throws Exception { // R2, R6, R7, D2, D7, D8, D19
        boolean disks = HeldDisk.unavailableBecause().isEmpty();
        Map<String, String> documented = documented();
        try (TestDaemon daemon = TestDaemon.start(
                kind, directory, TestDaemon.Options.STANDARD.withLoops(1).with("disk-threads", 2))) {
            Content.write(daemon.root().resolve("small"), 1_000);
            long pid = daemon.pid();
            Path behind = Files.createDirectory(directory.resolve("behind"));
            Content.write(behind.resolve("held"), 1_000);
            try (HeldDisk disk = disks ? mount(behind) : null) {
                daemon.rememberDescriptors();
                Process table = start(daemon, disks);
                try {
                    BufferedReader out = table.inputReader(StandardCharsets.US_ASCII);
                    assertEquals("opened", out.readLine());
                    if (disk != null) {
                        disk.hold();
                    }
                    table.getOutputStream().write('\n');
                    table.getOutputStream().flush();
                    Map<String, String> answers = new LinkedHashMap<>();
                    String line = out.readLine();
                    for (; line != null && line.contains("|"); line = out.readLine()) {
                        String[] parts = line.split("\\|", 2);
                        answers.put(parts[0], parts[1]);
                    }
                    assertTrue(line != null && line.startsWith("probe "), line + " after " + answers.keySet());

                    expectAsDocumented(documented, answers);
                    assertTrue(Integer.parseInt(line.substring(6)) < SLOWEST_PROBE_MS, "the slowest " + line);
                    assertEquals(pid, daemon.pid());
                    assertTrue(daemon.isAlive());
                    if (disk != null) {
                        disk.release();
                    }
                    table.getOutputStream().close();
                    assertTrue(table.waitFor(60, TimeUnit.SECONDS), "it does not end");
                } finally {
                    table.destroyForcibly();
                }
                daemon.expectNoLeak();
            }
        }
    }

    private HeldDisk mount(Path behind) throws IOException {
        HeldDisk disk = HeldDisk.mount(directory.resolve("disk"), behind, "held", "--hold-calls", "getattr,flush,read");
        disk.release();
        return disk;
    }

    private Process start(TestDaemon daemon, boolean disks) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                disks
                        ? HelperProgram.command(
                                "fd_table", daemon.socket(), daemon.pid(), directory.resolve("disk/held"))
                        : HelperProgram.command("fd_table", daemon.socket(), daemon.pid()));
        return builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
    }

    private static void expectAsDocumented(Map<String, String> documented, Map<String, String> answers) {
        Map<String, String> expected = new TreeMap<>();
        for (String type : answers.keySet()) {
            expected.put(type, documented.getOrDefault(type, "not in DESCRIPTORS.md"));
        }
        assertEquals(lines(expected), lines(new TreeMap<>(answers)));
        assertTrue(answers.size() >= TYPES, answers.keySet().toString());
    }

    private static String lines(Map<String, String> table) {
        StringBuilder lines = new StringBuilder();
        table.forEach((type, answers) ->
                lines.append(type).append('|').append(answers).append('\n'));
        return lines.toString();
    }

    /** The rows of the table, the type first. */
    private static Map<String, String> documented() throws IOException {
        Map<String, String> rows = new LinkedHashMap<>();
        Path file = Path.of(System.getProperty("sendfiled.test.source", "."), "DESCRIPTORS.md");
        for (String line : Files.readAllLines(file)) {
            String[] cells = line.split("\\|");
            if (cells.length >= 5 && !cells[1].contains("---")) {
                rows.put(cells[1].strip(), cells[2].strip() + "|" + cells[3].strip() + "|" + cells[4].strip());
            }
        }
        return rows;
    }
}
