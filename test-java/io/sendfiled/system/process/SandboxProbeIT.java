package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.jni.SandboxNative;
import io.sendfiled.support.Await;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.Lengthy;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * R23: a thread inside of the daemon's process tries what an attacker would (test-native/support/preload/probe.c), and a
 * process outside tells what it has noticed of it (outsider.c); on each Java that is here, with two of its collectors. And
 * what the JVM's own tools need goes on.
 */
@Timeout(120)
final class SandboxProbeIT extends ProgramTestCase {
    private static final List<String> COLLECTORS = List.of("-XX:+UseSerialGC", "-XX:-UseSerialGC -XX:+UseG1GC");

    /** What a call that is not for the daemon is answered: by seccomp, by Landlock, and where libc falls back to another. */
    private static final Set<Integer> REFUSALS = Set.of(Errno.EPERM, Errno.EACCES, Errno.ENOSYS);

    /** Some of what works as long as nothing is confined: if it did not, the probe would show nothing. */
    private static final Set<String> POSSIBLE = Set.of(
            "kill",
            "prlimit",
            "setpriority",
            "ioprio_set",
            "sched_setaffinity",
            "sched_setscheduler",
            "F_SETOWN",
            "FIOSETOWN",
            "shmat",
            "shmget",
            "semop",
            "msgsnd",
            "sendto-pair",
            "sendmsg-own-pair",
            "sendmsg-pair",
            "sendmmsg-unbound",
            "sendto-udp",
            "sendmsg-abstract",
            "connect-unbound",
            "socket-1",
            "open-read",
            "open-create",
            "utimensat",
            "futimens",
            "fchmod",
            "rename",
            "inotify_add_watch",
            "fork");

    /** And what the process outside notices of it. */
    private static final Set<String> NOTICED = Set.of(
            "file",
            "directory",
            "socket",
            "abstract",
            "udp",
            "shm",
            "sem",
            "msg",
            "limit",
            "ioprio",
            "policy",
            "signal");

    private static final Pattern VERSION = Pattern.compile("^JAVA_VERSION=\"(\\d+)", Pattern.MULTILINE);

    private Path outside;

    /** What the probe has tried: the name, and the errno or 0. */
    private record Report(Map<String, Integer> outside, Map<String, Integer> needed, Set<String> noticed) {}

    /** A Java and the options with which the daemon runs on it. */
    record Jvm(Path home, String options) {
        @Override
        public String toString() {
            return home.getFileName() + " " + options;
        }
    }

    static Stream<Jvm> jvms() throws IOException {
        Map<String, Path> homes = new TreeMap<>();
        addJava(homes, Path.of(System.getProperty("java.home")));
        Path installed = Path.of("/usr/lib/jvm");
        if (Files.isDirectory(installed)) {
            try (Stream<Path> directories = Files.list(installed)) {
                for (Path directory : directories.sorted().toList()) {
                    addJava(homes, directory);
                }
            }
        }
        return homes.values().stream().flatMap(home -> COLLECTORS.stream().map(options -> new Jvm(home, options)));
    }

    /** One for each version from 17 on. */
    private static void addJava(Map<String, Path> homes, Path home) throws IOException {
        Path release = home.resolve("release");
        if (!Files.isReadable(release) || !Files.isExecutable(home.resolve("bin/java"))) {
            return;
        }
        Matcher version = VERSION.matcher(Files.readString(release));
        if (version.find() && Integer.parseInt(version.group(1)) >= 17) {
            homes.putIfAbsent(version.group(1), home);
        }
    }

    @BeforeEach
    void demandSandbox() throws IOException {
        outside = Files.createDirectory(scratch.resolve("o"));
        assumeTrue(SandboxNative.landlock() >= 0, "this kernel has no Landlock");
        assumeTrue(SandboxNative.seccomp() >= 0, "this kernel has no seccomp filters");
    }

    private Program start(Jvm jvm, Map<String, String> more, String sandbox) throws IOException {
        Map<String, String> environment = new HashMap<>(more);
        environment.put("JAVA_HOME", jvm.home().toString());
        environment.merge("SENDFILED_JAVA_OPTS", jvm.options(), (a, b) -> a + " " + b);
        environment.putAll(Program.ALLOW_ROOT);
        List<String> command = new ArrayList<>(List.of(Program.LAUNCHER.toString()));
        command.addAll(List.of(arguments("--sandbox=" + sandbox)));
        Program program = Program.start(scratch, command, environment);
        program.awaitServing(socket());
        return program;
    }

    private Report probe(Jvm jvm, String sandbox) throws Exception {
        Process outsider = new ProcessBuilder(HelperProgram.command("outsider", outside))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader words = outsider.inputReader(StandardCharsets.UTF_8)) {
            assertEquals("ready", words.readLine());
            Path report = outside.resolve("report");
            Map<String, String> environment = Map.of(
                    "LD_PRELOAD", HelperProgram.preload("probe").toString(),
                    "SENDFILED_TEST_PROBE", outside.toString());
            try (Program program = start(jvm, environment, sandbox)) {
                assertTrue(Files.exists(report), "the probe is not in the daemon");
                assertEquals("the content", read());
                Files.writeString(outside.resolve("go"), "x");
                Await.until("the end of the probe", () -> lines(report).contains("end") || !program.isAlive());
                assertTrue(program.isAlive(), program.errors());
                assertEquals("the content", read());
                program.signal("TERM");
                assertEquals(0, program.awaitExit(), program.errors());
            }
            outsider.getOutputStream().close();
            Set<String> noticed = new TreeSet<>(List.of(words.readLine().split(" ")));
            assertEquals(0, outsider.waitFor());
            return parse(lines(report), noticed);
        } finally {
            outsider.destroy();
        }
    }

    private static List<String> lines(Path report) {
        try {
            return Files.readAllLines(report, StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Report parse(List<String> lines, Set<String> noticed) {
        Report report = new Report(new TreeMap<>(), new TreeMap<>(), noticed);
        for (String line : lines) {
            String[] words = line.split(" ");
            if (words.length == 3) {
                (words[0].equals("+") ? report.needed() : report.outside()).put(words[1], Integer.valueOf(words[2]));
            }
        }
        return report;
    }

    /** Those that worked. */
    private static Set<String> done(Map<String, Integer> tries) {
        Set<String> done = new TreeSet<>();
        tries.forEach((name, error) -> {
            if (error == 0) {
                done.add(name);
            }
        });
        return done;
    }

    @ParameterizedTest
    @MethodSource("jvms")
    void shouldReachAndChangeNothingOutsideFromWithin(Jvm jvm) throws Exception {
        Report report = probe(jvm, "on");
        Map<String, Integer> notRefused = new TreeMap<>(report.outside());
        notRefused.values().removeAll(REFUSALS);
        assertEquals(Map.of(), notRefused, "0 worked, others the kernel has looked at");
        assertEquals(Set.of("nothing"), report.noticed());
        assertTrue(report.outside().size() > 150, report.outside().size() + " tries");
        assertEquals(
                report.needed().keySet(), done(report.needed()), report.needed().toString());
    }

    /** The attempts above are ones that work. */
    @Test
    void shouldReachMuchWithoutTheSandbox() throws Exception {
        Report report = probe(new Jvm(Path.of(System.getProperty("java.home")), COLLECTORS.get(0)), "off");
        Set<String> missing = new TreeSet<>(POSSIBLE);
        missing.removeAll(done(report.outside()));
        assertEquals(Set.of(), missing, report.outside().toString());
        Set<String> unnoticed = new TreeSet<>(NOTICED);
        unnoticed.removeAll(report.noticed());
        assertEquals(Set.of(), unnoticed, report.noticed().toString());
        assertEquals(
                report.needed().keySet(), done(report.needed()), report.needed().toString());
    }

    /** The attach listener has to be there before the sandbox is, and what is written goes to the socket directory. */
    @Lengthy
    @ParameterizedTest
    @MethodSource("jvms")
    void shouldLeaveTheToolsOfTheJvmAtWork(Jvm jvm) throws Exception {
        String jcmd = jvm.home().resolve("bin/jcmd").toString();
        assumeTrue(Files.isExecutable(Path.of(jcmd)), "this Java has no jcmd");
        Map<String, String> environment = Map.of(
                "SENDFILED_JAVA_OPTS",
                "-XX:+StartAttachListener -XX:StartFlightRecording=name=r -XX:FlightRecorderOptions=repository="
                        + sockets);
        try (Program program = start(jvm, environment, "on")) {
            String pid = Long.toString(program.pid());
            assertEquals("the content", read());
            String threads = HelperProgram.output(jcmd, pid, "Thread.print");
            assertTrue(threads.contains("sendfiled-loop-0"), threads);
            Path recording = sockets.resolve("dump.jfr");
            HelperProgram.output(jcmd, pid, "JFR.dump", "name=r", "filename=" + recording);
            assertEquals("FLR\0", new String(Files.readAllBytes(recording), 0, 4, StandardCharsets.ISO_8859_1));
            Path heap = sockets.resolve("heap.hprof");
            HelperProgram.output(jcmd, pid, "GC.heap_dump", heap.toString());
            assertTrue(Files.size(heap) > 100_000, "a heap");
            HelperProgram.output(jcmd, pid, "GC.run");
            program.signal("QUIT");
            assertEquals("the content", read());
            program.signal("TERM");
            assertEquals(0, program.awaitExit(), program.errors());
            assertTrue(program.errors().contains("Full thread dump"), "SIGQUIT prints the threads");
            assertFalse(program.errors().contains("Exception"), program.errors());
        }
    }
}
