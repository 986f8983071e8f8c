package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.system.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A daemon that is told no directory, and clients that find it: all of them started by hand, in one shell. What concerns
 * {@code /run} has one of its own, in a mount namespace.
 */
@Timeout(180)
final class FoundIT {
    /** No user of a machine that tests run on. */
    private static final String USER = "54377";

    private static final Path DIST =
            Path.of(System.getProperty("sendfiled.test.dist", "target/dist")).toAbsolutePath();

    /** {@code end LOCK}: ends the daemon that has it. {@code await COMMAND}: until it succeeds; the test has a time limit. */
    private static final String FUNCTIONS = """
            exec 2>&1
            end() {
                pid=$(cat "$1")
                kill "$pid"
                tail --pid="$pid" -s 0.02 -f /dev/null
            }
            await() {
                until "$@"; do :; done
            }
            """;

    private Path scratch;
    private Path dist = DIST;

    @BeforeEach
    void makeDirectories(@TempDir Path directory) throws Exception {
        scratch = directory;
        Files.setPosixFilePermissions(scratch, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(Files.createDirectory(scratch.resolve("root")).resolve("file"), "the content");
    }

    /** Runs lines of shell; gives what they print, with the scratch directory as SCRATCH. */
    private String run(Map<String, String> environment, List<String> before, String... lines) throws Exception {
        List<String> command = new ArrayList<>(before);
        command.addAll(List.of("/bin/sh", "-uc", FUNCTIONS + String.join("\n", lines), "sh"));
        command.addAll(List.of(dist + "/bin/sendfiled", dist + "/bin/sfd"));
        Map<String, String> all = new HashMap<>(environment);
        all.put("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        try (Program program = Program.start(scratch, command, all)) {
            String output = program.output();
            assertEquals(0, program.awaitExit(), output);
            return output.replace(scratch.toString(), "SCRATCH").replaceAll("pid \\d+", "pid N");
        }
    }

    /** In a mount namespace with a {@code /run} of its own, of these options; as root. */
    private String runWithOwnRun(String options, String... lines) throws Exception {
        assumeTrue(Program.ROOT, "only root can mount a /run, and start a daemon for another user");
        // The build may stand in a directory that the other user cannot enter.
        dist = scratch.resolve("dist");
        String[] all = new String[lines.length + 1];
        all[0] = "set -e; cp -r " + DIST + " " + dist + "; mount -t tmpfs -o " + options + " none /run; umask 077"
                + "; as_user() { setpriv --reuid=" + USER + " --regid=" + USER + " --clear-groups \"$@\"; }";
        System.arraycopy(lines, 0, all, 1, lines.length);
        return run(Map.of(), List.of("unshare", "--mount"), all);
    }

    @Test
    void shouldBeFoundByRootAndByItsUserWhenRootHasStartedIt() throws Exception {
        assertEquals(
                """
                sendfiled: serving SCRATCH/root as 'web' at /run/sendfiled/web/sendfiled.web.socket (pid N, messages in \
                SCRATCH/sendfiled.54377.web.log)
                the content
                the content
                the content
                755 0 /run/sendfiled
                755 54377 /run/sendfiled/web
                """,
                runWithOwnRun(
                        "mode=755",
                        "chmod 1777 .",
                        // as with su, the variable is another user's
                        "XDG_RUNTIME_DIR=" + scratch + " \"$1\" -d -u " + USER + " -s web -r root",
                        "\"$2\" read file -s web; echo",
                        "XDG_RUNTIME_DIR=" + scratch + " as_user \"$2\" read file -s web; echo",
                        "SENDFILED_SOCKET_DIR=/run/sendfiled/web \"$2\" read file -s web; echo",
                        "stat -c '%a %u %n' /run/sendfiled /run/sendfiled/web",
                        "end /run/sendfiled/web/sendfiled.web.lock",
                        "ls /run/sendfiled/web"));
    }

    @Test
    void shouldStartAgainAsAnotherUserWhereItWasKilled() throws Exception {
        assertEquals(
                """
                sendfiled: an instance named 'web' is already running as another user (pid N) in /run/sendfiled/web
                54378 /run/sendfiled/web
                the content
                """,
                runWithOwnRun(
                        "mode=755",
                        "chmod 1777 .",
                        "\"$1\" -dp -u " + USER + " -s web -r root 3>/dev/null",
                        "! \"$1\" -d -u 54378 -s web -r root",
                        "kill -9 $(cat /run/sendfiled/web/sendfiled.web.lock)",
                        "while ! flock -n /run/sendfiled/web/sendfiled.web.lock true; do :; done",
                        "\"$1\" -dp -u 54378 -s web -r root 3>/dev/null",
                        "stat -c '%u %n' /run/sendfiled/web",
                        "\"$2\" read file -s web; echo",
                        "end /run/sendfiled/web/sendfiled.web.lock"));
    }

    /** Each of these in a directory as it is installed: root's, with a directory for the instance. */
    @Test
    void shouldBeFoundAgainWhenSomebodyHasCleanedItsDirectory() throws Exception { // R24
        assertEquals(
                """
                the content
                the content
                """,
                runWithOwnRun(
                        "mode=755",
                        "chmod 1777 .",
                        "\"$1\" -dp -u " + USER + " -s web -r root 3>/dev/null",
                        "pid=$(cat /run/sendfiled/web/sendfiled.web.lock)",
                        "rm -f /run/sendfiled/web/*",
                        "await test -e /run/sendfiled/web/sendfiled.web.socket",
                        "\"$2\" read file -s web; echo",
                        // in another network namespace it does not know that the socket is in use
                        "if command -v systemd-tmpfiles >/dev/null; then",
                        "  echo 'd /run/sendfiled 0755 root root 1s' >clean.conf",
                        "  find /run/sendfiled -exec touch -h -d '1 day ago' {} + || true",
                        "  unshare --net systemd-tmpfiles --clean $PWD/clean.conf",
                        "fi",
                        "\"$2\" read file -s web; echo",
                        "kill $pid; tail --pid=$pid -s 0.02 -f /dev/null"));
    }

    @Test
    void shouldSayThatItCannotBeFoundWhenItsDirectoryWasRemoved() throws Exception {
        assertEquals(
                "",
                runWithOwnRun(
                        "mode=755",
                        "chmod 1777 .",
                        "\"$1\" -dp -u " + USER + " -s web -r root 3>/dev/null",
                        "pid=$(cat /run/sendfiled/web/sendfiled.web.lock)",
                        // the daemon makes the socket again as long as it can
                        "await rm -rf /run/sendfiled/web 2>/dev/null",
                        "await grep -q 'no client can connect until it is there again' sendfiled." + USER + ".web.log",
                        "kill $pid; tail --pid=$pid -s 0.02 -f /dev/null"));
    }

    @Test
    void shouldSayWhereItsSocketIsWhenRunCannotHaveIt() throws Exception {
        String own = "/tmp/sendfiled-" + USER;
        assertEquals(
                "sendfiled: /run/sendfiled/web: cannot be made: Read-only file system; the socket is in " + own
                        + " instead\n"
                        + "sendfiled: serving SCRATCH/root as 'web' at " + own
                        + "/sendfiled.web.socket (pid N, messages in SCRATCH/sendfiled.54377.web.log)\n"
                        + "the content\n",
                runWithOwnRun(
                        "mode=755,ro",
                        "chmod 1777 .; trap 'rm -rf " + own + "' EXIT",
                        "\"$1\" -d -u " + USER + " -s web -r root",
                        "as_user \"$2\" read file -s web; echo",
                        "end " + own + "/sendfiled.web.lock"));
    }

    @Test
    void shouldRefuseANameThatIsTooLongForItsDirectory() throws Exception {
        String name = "n".repeat(38);
        assertEquals(
                "sendfiled: --name: the socket in /run/sendfiled/" + name + " would have a path that is too long for a"
                        + " socket, 107 bytes: use a shorter name, or --socket-dir\n",
                runWithOwnRun("mode=755", "! \"$1\" -u " + USER + " -r root -s " + name));
    }

    @Test
    void shouldNotMakeADirectoryWhereOthersCouldReplaceIt() throws Exception {
        String output = runWithOwnRun(
                "mode=755",
                "chmod 1777 .; mkdir -m 777 /run/sendfiled; mkdir -m 700 own; chown " + USER + " own",
                "XDG_RUNTIME_DIR=" + scratch + "/own \"$1\" -d -u " + USER + " -s web -r root",
                "end own/sendfiled.web.lock");
        assertTrue(
                output.startsWith("sendfiled: /run/sendfiled/web: the directory above it: others may write to it (mode"
                        + " 0777); the socket is in SCRATCH/own instead\n"),
                output);
    }

    @ParameterizedTest
    @ValueSource(strings = {"SENDFILED_SOCKET_DIR", "XDG_RUNTIME_DIR"})
    void shouldBeFoundInTheDirectoryOfTheEnvironment(String variable) throws Exception {
        assumeTrue(!Program.ROOT || !variable.startsWith("XDG"), "a daemon that runs as root has another place");
        assertEquals(
                "the content\n",
                run(
                        Program.ALLOW_ROOT,
                        List.of(),
                        "set -e; mkdir -m 700 s; export " + variable + "=" + scratch + "/s",
                        "\"$1\" -dp -r root 3>/dev/null",
                        "\"$2\" read file; echo",
                        "end s/sendfiled.default.lock"));
    }

    @Test
    void shouldSayWhereItHasLookedAndWhatWasThere() throws Exception {
        String output = run(
                Map.of("XDG_RUNTIME_DIR", scratch.toString()),
                List.of(),
                "chmod 700 .",
                "\"$2\" stat file -s no-such-name; echo $?",
                "unset XDG_RUNTIME_DIR; SENDFILED_SOCKET_DIR=nowhere \"$2\" stat file; echo $?",
                "XDG_RUNTIME_DIR=$(printf 'r\\377') \"$2\" stat file -s no-such-name | cut -c1-200",
                "\"$2\" stat file -s a/b; echo $?");
        List<String> lines = output.lines().toList();
        String first = lines.get(0);
        assertTrue(
                first.startsWith("sfd: no daemon 'no-such-name' was found (SCRATCH/sendfiled.no-such-name.socket:"
                        + " no such socket; /run/sendfiled/no-such-name/sendfiled.no-such-name.socket: "),
                first);
        assertTrue(first.contains("; /run/sendfiled/sendfiled.no-such-name.socket: "), first);
        assertTrue(first.matches(".*; /tmp/sendfiled-\\d+/sendfiled.no-such-name.socket: .*"), first);
        assertTrue(first.endsWith("): start one, or say where it is (SENDFILED_SOCKET_DIR)"), first);
        assertEquals("3", lines.get(1));
        assertEquals(
                "sfd: no daemon 'default' was found (nowhere/sendfiled.default.socket: no such socket): start one, or say"
                        + " where it is (SENDFILED_SOCKET_DIR)",
                lines.get(2));
        assertEquals("3", lines.get(3));
        assertTrue(
                lines.get(4).contains("(r\\xFF/sendfiled.no-such-name.socket: XDG_RUNTIME_DIR is not an"),
                lines.get(4));
        assertEquals(
                "sfd: no daemon has the name 'a/b': it must not be empty, nor contain a slash or a NUL", lines.get(5));
        assertEquals("3", lines.get(6), output);
    }
}
