package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.config.SocketDirectories;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.system.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * R9, R19: one daemon a node, in a pod of its own, and pods beside it with pid, user and mount namespaces of their own, as
 * {@code packaging/kubernetes} has them. All that they share is the directory of the socket, which they may not write to.
 */
@Timeout(120)
final class PodIT {
    private static final int SIZE = 1_000;
    private static final String LOST = "cannot be told apart";

    private static final int DAEMON = 60_000;

    /* Whom root of a pod is outside of it: a container runtime gives each pod a range of its own. */
    private static final int FIRST = 131_072;
    private static final int SECOND = 196_608;
    private static final int STRANGER = 262_144;

    /** Where a pod sees the directory of the socket; each machine has it. */
    private static final Path MOUNTED = Path.of("/mnt");

    @TempDir
    private Path directory;

    private Path sockets;
    private Path root;

    @BeforeEach
    void makeFiles() throws Exception {
        assumeTrue(Program.ROOT, "only root can be several users");
        Files.setAttribute(directory, "unix:mode", 0755); // others find the socket in it
        sockets = Files.createDirectory(directory.resolve("sockets"));
        Files.setAttribute(sockets, "unix:mode", 0755);
        Files.setAttribute(sockets, "unix:uid", DAEMON);
        root = Files.createDirectory(directory.resolve("root"));
        Content.write(root.resolve("small"), SIZE);
        Content.write(root.resolve("big"), 1_000_000);
        assumeTrue(
                new ProcessBuilder(podOptions(FIRST, "true")).start().waitFor() == 0,
                "this machine makes no namespaces for ordinary users");
    }

    @Test
    void shouldTellPodsApart() throws Exception { // R9, R19
        try (Program daemon = start();
                Tenant first = pod(FIRST);
                Tenant second = pod(SECOND)) {
            assumeTrue(!daemon.errors().contains(LOST), "this kernel cannot name them");
            String id = first.ask("open");
            assertTrue(Tenant.isId(id), id);

            assertEquals("sent", second.ask("cancel " + id));
            assertEquals("0", second.ask("send " + id), "it is not its file");

            assertEquals(Integer.toString(SIZE), first.ask("send " + id), "it is still there");
        }
    }

    @Test
    void shouldTellContainersOfOneUserApart() throws Exception { // R19
        try (Program daemon = start("--client-transfers=2");
                Tenant one = pod(FIRST);
                Tenant other = pod(FIRST)) {
            assumeTrue(!daemon.errors().contains(LOST), "this kernel cannot name them");
            assertTrue(one.opens());
            assertTrue(one.opens());
            assertEquals("EDQUOT", one.ask("open"));

            assertTrue(other.opens(), "it has an account of its own");
        }
    }

    @Test
    void shouldEndTheTransfersOfOnePodWithIt() throws Exception { // R19
        try (Program daemon = start("--max-transfers=4");
                Tenant ending = pod(FIRST);
                Tenant staying = pod(SECOND)) {
            assumeTrue(!daemon.errors().contains(LOST), "this kernel cannot name them");
            String id = staying.ask("open");
            assertTrue(Tenant.isId(id), id);
            assertEquals("hidden", ending.ask("hide big")); // two transfers, and it ends

            Await.until("the last that there is room for", staying::opens);
            Await.until("the room of the one that is gone", staying::opens);
            assertEquals(Integer.toString(SIZE), staying.ask("send " + id), "its own has not ended");
        }
    }

    /** Inside it is root, like the superuser, who is always served, and like root of the pods that are. */
    @Test
    void shouldRefuseRootOfAPodThatIsNotAllowed() throws Exception { // R9
        try (Program daemon = start();
                Tenant stranger = pod(STRANGER)) {
            assertEquals("EACCES", stranger.ask("open"));
            Await.until("a line in the log", () -> daemon.errorsSoFar().contains("refused: uid " + STRANGER));
        }
    }

    /** A client that is root of its own user namespace, as far as that goes. */
    private Tenant pod(int uid) throws Exception {
        String mount = "mount --bind '" + sockets + "' " + MOUNTED + " && mount -o remount,bind,ro " + MOUNTED
                + " && exec \"$@\"";
        return Tenant.as(
                uid,
                uid,
                MOUNTED.resolve(SocketDirectories.socketFile("default")),
                "--user",
                "--map-root-user",
                "--pid",
                "--mount",
                "sh",
                "-c",
                mount,
                "sh");
    }

    private static List<String> podOptions(int uid, String command) {
        return List.of(
                "setpriv",
                "--reuid=" + uid,
                "--regid=" + uid,
                "--clear-groups",
                "unshare",
                "--user",
                "--map-root-user",
                "--pid",
                "--mount",
                "--fork",
                command);
    }

    /** A daemon that sees the users of the node, but not its processes. */
    private Program start(String... options) throws Exception {
        List<String> command = new ArrayList<>(List.of("unshare", "--pid", "--mount-proc", "--fork", "--kill-child"));
        command.addAll(List.of(Program.LAUNCHER.toString(), "-S", sockets.toString(), "-r", root.toString()));
        command.addAll(List.of("--user=" + DAEMON, "--allow-users=" + FIRST + "," + SECOND));
        command.addAll(List.of(options));
        Program daemon = Program.start(directory, command, Map.of("PATH", System.getenv("PATH")));
        daemon.awaitServing(sockets.resolve(SocketDirectories.socketFile("default")));
        return daemon;
    }
}
