package io.sendfiled.system.installed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.Scale;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What systemd finds of an installation: units that it understands, that forbid the daemon what it does not need, and the
 * user and the directory that they want. In {@code --all}, systemd itself runs them, as process 1 of a container.
 */
@Timeout(300)
final class ServiceUnitsIT {
    private static final Path DIST = Program.LAUNCHER.resolveSibling("..").normalize();
    private static final Path UNITS = DIST.resolve("lib/systemd/system");

    /** Of 100; a service without any such settings has 96. A take-over needs pidfd_getfd(2), and NotifyAccess=all: 3 of it. */
    private static final int EXPOSURE = 12;

    private static final int CANNOT = 77;

    @TempDir
    private Path directory;

    private static List<String> run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        List<String> lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                .lines()
                .toList();
        List<String> all = new ArrayList<>(lines);
        all.add("exit " + process.waitFor());
        return all;
    }

    private static void demand(String program) {
        assumeTrue(
                Stream.of("/usr/bin", "/bin").anyMatch(bin -> Files.isExecutable(Path.of(bin, program))),
                "this machine has no " + program);
    }

    /** All units, an instance of each template too, with the program where it is. */
    private List<Path> units() throws IOException {
        List<Path> copies = new ArrayList<>();
        for (String unit :
                List.of("sendfiled.service", "sendfiled.socket", "sendfiled@.service", "sendfiled@.socket")) {
            String text = Files.readString(UNITS.resolve(unit))
                    .replace("/usr/bin/sendfiled", Program.LAUNCHER.toString())
                    .replace("/usr/lib/sendfiled/", DIST + "/lib/sendfiled/");
            Files.writeString(directory.resolve(unit), text);
            copies.add(Files.writeString(directory.resolve(unit.replace("@", "@daemon")), text));
        }
        return copies;
    }

    @Test
    void shouldBeUnitsThatSystemdUnderstands() throws Exception {
        demand("systemd-analyze");
        List<String> command = new ArrayList<>(List.of("systemd-analyze", "verify", "--man=no"));
        units().forEach(unit -> command.add(unit.toString()));

        assertEquals(List.of("exit 0"), run(command.toArray(String[]::new)));

        Path wrong =
                Files.writeString(directory.resolve("wrong.service"), "[Service]\nExecStart=/bin/true\nProtect=1\n");
        assertTrue(
                run("systemd-analyze", "verify", "--man=no", wrong.toString()).size() > 1, "it says nothing at all");
    }

    @Test
    void shouldForbidWhatTheDaemonDoesNotNeed() throws Exception {
        demand("systemd-analyze");
        for (Path unit : units()) {
            if (unit.toString().endsWith(".service")) {
                List<String> said =
                        run("systemd-analyze", "security", "--offline=yes", "--threshold=" + EXPOSURE, unit.toString());
                assumeTrue(said.stream().noneMatch(line -> line.contains("unrecognized option")), "systemd is too old");
                assertEquals("exit 0", said.get(said.size() - 1), () -> String.join("\n", said));
            }
        }
    }

    @Test
    void shouldHaveTheUserAndTheDirectoryThatTheUnitsWant() throws Exception {
        demand("systemd-sysusers");
        demand("systemd-tmpfiles");
        assumeTrue(Program.ROOT, "only root can make users");
        Path root = Files.createDirectories(directory.resolve("root"));
        Files.createDirectory(root.resolve("etc"));

        assertEquals(
                "exit 0", last(run("systemd-sysusers", "--root=" + root, DIST + "/lib/sysusers.d/sendfiled.conf")));
        assertTrue(Files.readString(root.resolve("etc/passwd")).startsWith("sendfiled:"));

        assertEquals(
                "exit 0",
                last(run("systemd-tmpfiles", "--root=" + root, "--create", DIST + "/lib/tmpfiles.d/sendfiled.conf")));
        assertEquals(0755, (Integer) Files.getAttribute(root.resolve("run/sendfiled"), "unix:mode") & 07777);
    }

    private static String last(List<String> lines) {
        return lines.get(lines.size() - 1);
    }

    @Test
    void shouldRunUnderSystemd() throws Exception {
        assumeTrue(Scale.all(), "in --all: it boots a systemd");
        Path support = Path.of(System.getProperty("sendfiled.test.source", "."), "test-native/support")
                .toAbsolutePath();

        List<String> said = run(
                support.resolve("with_systemd.sh").toString(),
                DIST.toString(),
                support.resolve("under_systemd.sh").toString(),
                HelperProgram.path("client_driver").toString());

        assumeTrue(!last(said).equals("exit " + CANNOT), () -> String.join("; ", said));
        assertFalse(said.stream().anyMatch(line -> line.startsWith("not ok")), () -> String.join("\n", said));
        assertTrue(said.contains("done"), () -> String.join("\n", said));
    }
}
