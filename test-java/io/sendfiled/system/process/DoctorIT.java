package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.support.Await;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** {@code sfd doctor}: that it sees what is missing, says what to do about it, and finds nothing where all is well. */
@Timeout(60)
final class DoctorIT extends ProgramTestCase {
    private static final String SFD = Path.of(System.getProperty("sendfiled.test.dist", "target/dist"), "bin", "sfd")
            .toAbsolutePath()
            .toString();

    private record Diagnosis(int status, Map<String, JsonObject> findings) {
        String level(String what) {
            JsonObject finding = findings.get(what);
            return finding == null ? "none" : finding.get("level").getAsString();
        }

        String text(String what) {
            return String.valueOf(findings.get(what));
        }
    }

    private Program doctor(List<String> starter, String... more) throws IOException {
        List<String> command = new ArrayList<>(starter);
        command.addAll(List.of(SFD, "doctor", "-S", sockets.toString(), "-s", "a"));
        command.addAll(Arrays.asList(more));
        return Program.start(scratch, command, Map.of());
    }

    private Diagnosis diagnose(String... starter) throws Exception {
        try (Program doctor = doctor(List.of(starter), "--json")) {
            String output = doctor.output();
            int status = doctor.awaitExit();
            Map<String, JsonObject> findings = new TreeMap<>();
            for (JsonElement each :
                    JsonParser.parseString(output).getAsJsonObject().getAsJsonArray("findings")) {
                JsonObject finding = each.getAsJsonObject();
                findings.put(finding.get("what").getAsString(), finding);
                assertEquals(
                        finding.get("level").getAsString().equals("ok"),
                        !finding.has("remedy"),
                        "a remedy for what is not ok: " + finding);
            }
            return new Diagnosis(status, findings);
        }
    }

    @Test
    void shouldFindNothingWrongWhereADaemonServes() throws Exception {
        try (Program program = start()) {
            Diagnosis diagnosis = diagnose();
            assertEquals(0, diagnosis.status(), diagnosis.findings()::toString);
            for (String what : List.of("java", "native library", "kernel", "daemon 'a'", "version", "root", "files")) {
                assertEquals("ok", diagnosis.level(what), diagnosis.findings()::toString);
            }
            assertTrue(diagnosis.text("root").contains(root.toString()));
            assertTrue(program.isAlive());
            try (Program text = doctor(List.of())) {
                String lines = text.output();
                assertEquals(0, text.awaitExit());
                assertTrue(lines.contains("\nok    daemon 'a': answers in "), lines);
                for (String line : lines.lines().toList()) {
                    assertTrue(line.matches("(ok   |warn |FAIL |     ) .*"), line);
                }
            }
        }
    }

    @Test
    void shouldWorkWithoutADaemon() throws Exception {
        Diagnosis diagnosis = diagnose();
        assertEquals(0, diagnosis.status(), diagnosis.findings()::toString);
        assertEquals("warn", diagnosis.level("daemon 'a'"));
        assertEquals("ok", diagnosis.level("kernel"));
    }

    @Test
    void shouldFailWhereTheDaemonDoesNotAnswer() throws Exception {
        try (Program program = start()) {
            program.signal("STOP");
            try (Program doctor = doctor(List.of(), "--json")) {
                String output = doctor.output();
                assertEquals(1, doctor.awaitExit());
                assertTrue(output.contains("does not answer within 500 ms"), output);
            }
            program.signal("CONT");
        }
    }

    @Test
    void shouldFailWhereTheRootIsGone() throws Exception {
        Path gone = Files.createDirectory(scratch.resolve("gone"));
        try (Program program = Program.start(scratch, "-S", sockets.toString(), "-s", "a", "-r", gone.toString())) {
            program.awaitServing(socket());
            Files.delete(gone);
            Diagnosis diagnosis = diagnose();
            assertEquals(1, diagnosis.status());
            assertEquals("fail", diagnosis.level("root"));
        }
    }

    /** What the filter of a container takes away. */
    @Test
    void shouldNameTheCallsThatAreMissing() throws Exception {
        for (Map.Entry<String, String> each : Map.of(
                        "cachestat", "cachestat",
                        "landlock_create_ruleset", "Landlock",
                        "copy_file_range", "technique copy-file-range")
                .entrySet()) {
            Diagnosis diagnosis = diagnose(without(each.getKey()));
            assertEquals(0, diagnosis.status(), each.getKey());
            assertEquals("warn", diagnosis.level(each.getValue()), diagnosis.findings()::toString);
        }
        Diagnosis diagnosis = diagnose(without("openat2"));
        assertEquals(1, diagnosis.status());
        assertEquals("fail", diagnosis.level("kernel"));
        assertTrue(diagnosis.text("kernel").contains("openat2"));
    }

    private static String[] without(String call) {
        return HelperProgram.command("without", call, "EPERM").toArray(String[]::new);
    }

    @Test
    void shouldTellTheNumbersOfTheKernel() throws Exception {
        Process cat = new ProcessBuilder("cat", "/proc/sys/net/unix/max_dgram_qlen").start();
        String queue = new String(cat.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
        Diagnosis diagnosis = diagnose();
        String what = "net.unix.max_dgram_qlen";
        assertEquals(Integer.parseInt(queue) > 10 ? "ok" : "warn", diagnosis.level(what));
        assertTrue(
                diagnosis.text(what).contains(" " + queue + " requests")
                        || diagnosis.text(what).contains("\"" + queue + " requests"),
                diagnosis.text(what));
    }

    @Test
    void shouldTellHowFewTransfersALimitAllows() throws Exception {
        Diagnosis few = diagnose("sh", "-c", "ulimit -n 364 && exec \"$@\"", "sh");
        assertEquals("warn", few.level("open files"));
        assertTrue(few.text("open files").contains("lets 100 transfers be"), few.text("open files"));
        assertFalse(diagnose("sh", "-c", "ulimit -n 4000 && exec \"$@\"", "sh")
                .level("open files")
                .equals("warn"));
    }

    /** A login has others than the unit of the daemon. */
    @Test
    void shouldTellTheLimitsOfTheDaemonAndNotItsOwn() throws Exception {
        try (Program program = Program.shell(scratch, "ulimit -n 364; exec \"$@\"", arguments())) {
            program.awaitServing(socket());
            Diagnosis few = diagnose();
            assertEquals("warn", few.level("open files"), few.findings()::toString);
            assertTrue(few.text("open files").contains("of the daemon: the hard limit of 364"), few.text("open files"));
        }
        assertFalse(diagnose().text("open files").contains("of the daemon"));
    }

    /** Of cgroup v1; where v2 has the controller, no group can be made inside of one that has processes. */
    @Test
    void shouldTellTheMemoryLimitOfTheDaemonsGroup() throws Exception {
        Path above = memoryGroup();
        assumeTrue(Files.isWritable(above), "no cgroup v1 with the controller of memory to write to");
        Path group = Files.createDirectory(
                above.resolve("sendfiled-test-" + ProcessHandle.current().pid()));
        try {
            Files.writeString(group.resolve("memory.limit_in_bytes"), Long.toString(3L << 30));
            Path inner = Files.createDirectory(group.resolve("inner"));
            try (Program program = start()) {
                Files.writeString(inner.resolve("cgroup.procs"), Long.toString(program.pid()));
                String limit = diagnose().text("memory limit");
                assertTrue(limit.contains("\"ok\""), limit);
                assertTrue(limit.contains("of the daemon: "), limit);
                assertTrue(limit.contains(" of 3.0 GiB in " + group + "\""), limit);
            } finally {
                Await.until("its process to leave it", inner.toFile()::delete);
            }
        } finally {
            Files.delete(group);
        }
    }

    private static Path memoryGroup() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/cgroup"))) {
            String[] fields = line.split(":", 3);
            if (fields[1].equals("memory")) {
                return Path.of("/sys/fs/cgroup/memory" + fields[2]);
            }
        }
        return Path.of("none");
    }
}
