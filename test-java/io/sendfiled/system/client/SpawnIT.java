package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Installed;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * {@code sfd_spawn()} and {@code sfd_shutdown()} with the real daemon, by a program in a bad way:
 * {@code test-native/support/spawner.c}. Its environment is what a test says and nothing else, but for the word that makes
 * root acceptable where the tests run as root.
 */
@Timeout(120)
final class SpawnIT {
    private static final int SIZE = 300_000;

    private static final String ON_PATH = Installed.TREE.resolve("bin").toString();

    /** Where a program is looked for without PATH: confstr(3), _CS_PATH. */
    private static final List<Path> DEFAULT_PATH = List.of(Path.of("/bin/sendfiled"), Path.of("/usr/bin/sendfiled"));

    @TempDir
    private Path directory;

    private Path report;

    @BeforeEach
    void skipWithoutAJavaThatIsFound() throws Exception {
        assumeTrue(
                execute(directory, Map.of(), List.of(Program.LAUNCHER.toString(), "--version")) == 0,
                "no Java is found without JAVA_HOME here");
        report = directory.resolve("report");
        Content.write(directory.resolve("file"), SIZE);
    }

    @AfterEach
    void shouldLeaveNoSocket() {
        assertFalse(Files.exists(directory.resolve("sendfiled.spawner.socket")));
    }

    @Test
    void shouldNeedNothingButPath() throws Exception {
        assertEquals("ok " + SIZE, spawn(directory, Map.of("PATH", ON_PATH)));
    }

    @Test
    void shouldNotFindTheProgramWithoutPath() throws Exception {
        for (Path program : DEFAULT_PATH) {
            assumeFalse(Files.exists(program), program + " is installed");
        }
        assertEquals("spawn: " + Errno.ENOENT, spawn(directory, Map.of()));
    }

    /** In a mount namespace of its own, in which the system has a link to the program. */
    @Test
    void shouldFindTheProgramInTheDefaultPathWithoutPath() throws Exception {
        Path layer = Files.createDirectory(directory.resolve("layer"));
        Files.createSymbolicLink(layer.resolve("sendfiled"), Program.LAUNCHER);
        String mount = "mount -t overlay overlay -o lowerdir=" + layer + ":/usr/bin /usr/bin";
        List<String> namespace = List.of("/usr/bin/unshare", "-m", "/bin/sh", "-c");

        assumeTrue(Program.ROOT, "only root can mount");
        assumeTrue(
                execute(directory, Map.of(), with(namespace, mount + " 2>/dev/null")) == 0,
                "an overlay cannot be mounted here");
        List<String> command = with(namespace, mount + " && unset PATH && exec \"$@\"", "sh");
        command.addAll(spawner());
        assertEquals(0, execute(directory, Map.of(), command));
        assertEquals("ok " + SIZE, Files.readString(report).strip());
    }

    @Test
    void shouldStartFromTheRootDirectory() throws Exception {
        assertEquals("ok " + SIZE, spawn(Path.of("/"), Map.of("PATH", ON_PATH)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"gone", "closed", "blocked", "ignored", "gone closed blocked ignored"})
    void shouldSpareTheDaemonWhatTheCallerSuffers(String how) throws Exception {
        assertEquals("ok " + SIZE, spawn(directory, Map.of("PATH", ON_PATH), how.split(" ")));
    }

    /** wait(2): the kernel keeps no status for who ignores SIGCHLD. */
    @Test
    void shouldEndTheDaemonAlsoWhereNobodyCanWaitForIt() throws Exception {
        assertEquals("shutdown: " + Errno.ECHILD, spawn(directory, Map.of("PATH", ON_PATH), "childless"));
    }

    private String spawn(Path from, Map<String, String> environment, String... how)
            throws IOException, InterruptedException {
        assertEquals(0, execute(from, environment, spawner(how)));
        return Files.readString(report).strip();
    }

    private List<String> spawner(String... how) {
        List<String> command = HelperProgram.command("spawner", report, directory, directory, "file");
        Collections.addAll(command, how);
        return command;
    }

    private static List<String> with(List<String> command, String... more) {
        List<String> all = new ArrayList<>(command);
        Collections.addAll(all, more);
        return all;
    }

    private static int execute(Path from, Map<String, String> environment, List<String> command)
            throws IOException, InterruptedException {
        Map<String, String> all = new TreeMap<>(environment);
        if (Program.ROOT) {
            all.put("SENDFILED_ALLOW_ROOT", "1");
        }
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(from.toFile())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().clear();
        builder.environment().putAll(all);
        return builder.start().waitFor();
    }
}
