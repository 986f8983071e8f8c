package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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

/** R19: a daemon and its clients in containers side by side: none of them sees the processes or the users of another. */
@Timeout(120)
final class NamespaceIT {
    private static final int SIZE = 1_000;
    private static final String LOST = "cannot be told apart";

    @TempDir
    private Path directory;

    private Path root;

    @BeforeEach
    void makeFiles() throws Exception {
        assumeTrue(Program.ROOT, "only root can make pid namespaces");
        assumeTrue(
                new ProcessBuilder("unshare", "--pid", "--user", "--fork", "true")
                                .start()
                                .waitFor()
                        == 0,
                "this machine makes no namespaces");
        root = Files.createDirectory(directory.resolve("root"));
        Content.write(root.resolve("small"), SIZE);
        Content.write(root.resolve("big"), 1_000_000);
    }

    @Test
    void shouldTellClientsOfOtherPidNamespacesApart() throws Exception { // R19
        try (Program daemon = startIn("--pid", "--mount-proc");
                Tenant one = new Tenant(socket(), "--pid");
                Tenant other = new Tenant(socket(), "--pid")) {
            assumeTrue(!daemon.errors().contains(LOST), "this kernel cannot name them");
            String id = one.ask("open");
            assertTrue(Tenant.isId(id), id);

            assertEquals("sent", other.ask("cancel " + id));
            assertEquals("0", other.ask("send " + id), "it is not its file");

            assertEquals(Integer.toString(SIZE), one.ask("send " + id), "it is still there");
        }
    }

    @Test
    void shouldCountEachClientOfAnotherPidNamespaceAlone() throws Exception { // R19, R10
        try (Program daemon = startIn("--pid", "--mount-proc", "--client-transfers=2");
                Tenant one = new Tenant(socket(), "--pid");
                Tenant other = new Tenant(socket(), "--pid")) {
            assumeTrue(!daemon.errors().contains(LOST), "this kernel cannot name them");
            assertTrue(one.opens());
            assertTrue(one.opens());
            assertEquals("EDQUOT", one.ask("open"));

            assertTrue(other.opens(), "it has an account of its own");
        }
    }

    @Test
    void shouldEndTheTransfersOfAClientOfAnotherPidNamespaceWithItsProcess() throws Exception { // R19
        try (Program daemon = startIn("--pid", "--mount-proc", "--max-transfers=2");
                Tenant one = new Tenant(socket(), "--pid");
                Tenant other = new Tenant(socket())) {
            assumeTrue(!daemon.errors().contains(LOST), "this kernel cannot name them");
            assertEquals("hidden", one.ask("hide big"));

            // It has both transfers, and there is room for one of a second client.
            Await.until("the first transfer", other::opens);
            Await.until("the end of the one that is gone", other::opens);
        }
    }

    /** A user that the daemon's user namespace does not know appears there as the overflow user: this one's own, by chance. */
    @Test
    void shouldServeNobodyWhoMerelyLooksLikeItsOwnUser() throws Exception { // R19
        try (Program daemon = startIn("--user", "--pid", "--mount-proc");
                Tenant stranger = new Tenant(socket())) {
            assertEquals("EACCES", stranger.ask("open"));
            assertTrue(daemon.errors().contains("only root is served"), daemon.errors());
        }
    }

    @Test
    void shouldSayNothingWhereItKnowsEveryClient() throws Exception {
        try (Program daemon = startIn();
                Tenant stranger = new Tenant(socket(), "--pid")) {
            assertFalse(daemon.errors().contains(LOST), daemon.errors());
            assertTrue(stranger.opens(), "from here its processes are seen");
        }
    }

    private Path socket() {
        return directory.resolve(SocketDirectories.socketFile("default"));
    }

    /** Starts a daemon in namespaces of its own, up to the first option that is its own. */
    private Program startIn(String... options) throws Exception {
        List<String> command = new ArrayList<>(List.of("unshare", "--fork", "--kill-child"));
        List<String> own = new ArrayList<>();
        for (String option : options) {
            (option.contains("=") ? own : command).add(option);
        }
        command.addAll(List.of(Program.LAUNCHER.toString(), "-S", directory.toString(), "-r", root.toString()));
        command.addAll(own);
        Program daemon =
                Program.start(directory, command, Map.of("SENDFILED_ALLOW_ROOT", "1", "PATH", System.getenv("PATH")));
        daemon.awaitServing(socket());
        return daemon;
    }
}
