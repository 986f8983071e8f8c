package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The daemon as a container has it, in real namespaces: process 1, in the foreground, a user without a name or a home, a
 * root file system that is read-only but for one tmpfs.
 */
@Timeout(120)
final class ContainerIT extends ProgramTestCase {
    /** In no file of users. */
    private static final String USER = "54391";

    private static final int BIG = 20_000_000; // more than any receiver's buffers hold

    @BeforeEach
    void demandNamespaces() throws Exception {
        assumeTrue(
                new ProcessBuilder("unshare", "--user", "--map-current-user", "--pid", "--mount", "--fork", "true")
                                .start()
                                .waitFor()
                        == 0,
                "this machine makes no namespaces");
    }

    /** Process 1 of namespaces of its own, of which the shell runs {@code line} first. */
    private Program container(String line, String... more) throws IOException {
        List<String> command = new ArrayList<>(List.of("unshare", "--fork", "--pid", "--mount", "--mount-proc"));
        if (!Program.ROOT) {
            command.addAll(List.of("--user", "--map-current-user"));
        }
        command.addAll(List.of("/bin/sh", "-c", line, "sh", Program.LAUNCHER.toString()));
        command.addAll(List.of(arguments(more)));
        return Program.start(scratch, command, Map.of("SENDFILED_ALLOW_ROOT", "1"));
    }

    private static long child(long pid) {
        return ProcessHandle.of(pid)
                .orElseThrow()
                .children()
                .findFirst()
                .orElseThrow()
                .pid();
    }

    @ParameterizedTest
    @ValueSource(strings = {"TERM", "INT"})
    void shouldFinishItsTransfersAndEndWellWhenAContainerIsStopped(String signal) throws Exception {
        Content content = Content.write(root.resolve("big"), BIG);
        try (Program program = container("exec \"$@\"", "--stop-timeout=1h");
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, scratch)) {
            program.awaitServing(socket());
            long init = child(program.pid());
            Program.signal(init, "HUP"); // the terminal that has started it is gone
            try (SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
                Transfer transfer = client.send(FileRequest.of("big"), destination.destination());
                assertEquals(BIG, transfer.info().get(20, TimeUnit.SECONDS).size());

                Program.signal(init, signal);

                Await.until("the socket to go", () -> !Files.exists(socket()));
                CompletableFuture<Content> received = destination.receive();
                transfer.result().get(20, TimeUnit.SECONDS);
                destination.finishSending();
                assertEquals(content, received.get(20, TimeUnit.SECONDS));
            }
            assertEquals(0, program.awaitExit(), program.errors());
        }
    }

    /** Each process 1 inherits what others leave behind: here a shell's child, which ends a moment after the shell. */
    @Test
    void shouldLeaveNoZombiesOfProcessesThatItInherits() throws Exception {
        Path go = scratch.resolve("go");
        String early = "(sh -c 'exec true' & exec sh -c 'exit 0') ; ";
        try (Program program = container(early + "exec \"$@\"")) {
            program.awaitServing(socket());
            long init = child(program.pid());
            Process orphans = new ProcessBuilder(
                            "nsenter",
                            "--target=" + init,
                            "--pid",
                            "--mount",
                            "sh",
                            "-c",
                            "(while [ ! -e " + go + " ]; do :; done; exit 3) & exit 0")
                    .inheritIO()
                    .start();
            assumeTrue(orphans.waitFor() == 0, "this user may not enter the namespaces");
            Await.until("the orphan", () -> children(init) == 1);

            Files.createFile(go);

            Await.until("the end of the orphan", () -> children(init) == 0);
            assertEquals("the content", read());
            Program.signal(init, "TERM");
            assertEquals(0, program.awaitExit(), program.errors());
        }
    }

    /** Zombies are children as well. */
    private static int children(long pid) {
        try {
            String children = Files.readString(Path.of("/proc/" + pid + "/task/" + pid + "/children"))
                    .strip();
            return children.isEmpty() ? 0 : children.split(" ", -1).length;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/run", "/tmp"})
    void shouldServeAsANumberWithoutAHomeOnARootThatIsReadOnly(String writable) throws Exception {
        assumeTrue(Program.ROOT, "only root can become another user");
        Files.setAttribute(scratch, "unix:mode", 0755);
        Files.setAttribute(root, "unix:mode", 0755);
        // Where the tests' own directory, or the programs, are below /tmp, they are bound to where they were.
        Path dist = Program.LAUNCHER.resolve("../..").normalize();
        String line = "exec 8<" + dist + "; mkdir -p /run/keep && mount --bind " + scratch + " /run/keep; cd /run/keep;"
                + " mount -o remount,bind,ro / ; mount -t tmpfs -o mode=1777 tmpfs " + writable
                + "; mkdir -p " + scratch + " && mount --bind . " + scratch
                + "; mkdir -p " + dist + " && mount --bind /proc/self/fd/8 " + dist
                + "; exec 8<&-; unset HOME USER LOGNAME TMPDIR;"
                + " touch /etc/x 2>/dev/null && exit 9; shift; exec setpriv --reuid=" + USER + " --regid=" + USER
                + " --clear-groups --no-new-privs " + Program.LAUNCHER + " -s a -r " + root;
        try (Program program = container(line)) {
            Await.until("a word", () -> program.errorsSoFar().contains("serving") || !program.isAlive());
            assertTrue(program.isAlive(), program.errors());
            String said = program.errors();
            assertTrue(said.contains("serving " + root + " as 'a' at " + writable), said);
            long init = child(program.pid());
            Process read = new ProcessBuilder(
                            "nsenter",
                            "--target=" + init,
                            "--pid",
                            "--mount",
                            "env",
                            "--unset=SENDFILED_JAVA_OPTS", // a log that this user may not write to
                            "setpriv",
                            "--reuid=" + USER,
                            "--regid=" + USER,
                            "--clear-groups",
                            Program.LAUNCHER.resolveSibling("sfd").toString(),
                            "read",
                            "file",
                            "-s",
                            "a")
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            assertEquals("the content", new String(read.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
            assertEquals(0, read.waitFor());
            Program.signal(init, "TERM");
            assertEquals(0, program.awaitExit(), program.errors());
        }
    }
}
