package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.Sendfiled;
import io.sendfiled.config.InvalidSettingException;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.SocketDirectories;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
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

/** R9: other users are served as {@code allow-users} and {@code allow-groups} say, and nobody else is. */
@Timeout(120)
final class AccessIT {
    private static final int SIZE = 1_000;

    /* No user database has these. */
    private static final int DAEMON = 60_000;
    private static final int FRIEND = 60_001;
    private static final int MATE = 60_002;
    private static final int STRANGER = 60_003;
    private static final int GROUP = 60_010;

    @TempDir
    private Path directory;

    private Path root;

    @BeforeEach
    void makeFiles() throws Exception {
        assumeTrue(Program.ROOT, "only root can be several users");
        Files.setAttribute(directory, "unix:mode", 0755); // others find the socket in it
        root = Files.createDirectory(directory.resolve("root"));
        Content.write(root.resolve("small"), SIZE);
    }

    @Test
    void shouldServeThoseWhoAreAllowedAndRefuseTheThird() throws Exception { // R9
        try (Program daemon = start("--allow-users=" + FRIEND, "--allow-groups=" + GROUP);
                Tenant friend = Tenant.as(FRIEND, FRIEND, socket());
                Tenant mate = Tenant.as(MATE, GROUP, socket());
                Tenant stranger = Tenant.as(STRANGER, STRANGER, socket());
                Tenant self = Tenant.as(DAEMON, DAEMON, socket());
                Tenant superuser = new Tenant(socket())) {
            assertTrue(friend.opens());
            assertTrue(mate.opens());
            assertTrue(self.opens());
            assertTrue(superuser.opens());

            assertEquals("EACCES", stranger.ask("open"));

            Await.until("a line in the log", () -> daemon.errorsSoFar().contains("refused: uid " + STRANGER));
            String line = daemon.errors()
                    .lines()
                    .filter(text -> text.contains("refused: uid"))
                    .findFirst()
                    .orElseThrow();
            assertEquals(
                    "sendfiled: refused: uid " + STRANGER + ", pid " + stranger.pid()
                            + ": not in allow-users or allow-groups (EACCES)",
                    line);
        }
    }

    @Test
    void shouldServeOthersFromAnEngineInsideAnotherProgram() throws Exception { // R9
        SendfiledConfig.Builder config =
                SendfiledConfig.builder().root(root).socketDirectory(directory).allowUsers(Integer.toString(FRIEND));
        try (Sendfiled engine = Sendfiled.launch(config.build());
                Tenant friend = Tenant.as(FRIEND, FRIEND, socket());
                Tenant stranger = Tenant.as(STRANGER, STRANGER, socket())) {
            assertTrue(friend.opens());
            assertEquals("EACCES", stranger.ask("open"));
            assertNull(engine.failure());
        }
        InvalidSettingException refusal = assertThrows(
                InvalidSettingException.class,
                () -> Sendfiled.launch(config.allowGroups("no-such-group").build()));
        assertEquals("allow-groups: 'no-such-group': no such group", refusal.getMessage());
        assertFalse(Files.exists(socket()));
    }

    @Test
    void shouldTakeOverTheListsOfAReloadInTheSandbox() throws Exception { // R9
        Path file = directory.resolve("access.conf");
        Files.writeString(file, "allow-users = [daemon, " + FRIEND + "]\n");
        Files.setAttribute(directory, "unix:uid", 0); // whose file root would else not obey
        Path sockets = Files.createDirectory(directory.resolve("sockets"));
        Files.setAttribute(sockets, "unix:uid", DAEMON);
        Path socket = sockets.resolve(SocketDirectories.socketFile("default"));
        try (Program daemon = run(List.of(), "--config=" + file, "--socket-dir=" + sockets, "--user=" + DAEMON);
                Tenant friend = awaitTenant(daemon, FRIEND, socket);
                Tenant stranger = Tenant.as(STRANGER, STRANGER, socket)) {
            assertTrue(friend.opens());
            assertEquals("EACCES", stranger.ask("open"));

            Files.writeString(file, "allow-users = [daemon, " + STRANGER + "]\n");
            daemon.signal("HUP");
            Await.until("the reload", () -> daemon.errorsSoFar().contains("reloaded: allow-users"));
            assertEquals("EACCES", friend.ask("open"));
            assertTrue(stranger.opens());

            Files.writeString(file, "allow-users = [bin, " + FRIEND + "]\n");
            daemon.signal("HUP");
            Await.until("the refusal", () -> daemon.errorsSoFar().contains("not reloaded"));
            assertTrue(daemon.errors().contains("'bin': names cannot be looked up in the sandbox"), daemon.errors());
            assertTrue(stranger.opens(), "the old list holds on");
            assertEquals("EACCES", friend.ask("open"));
        }
    }

    private static Tenant awaitTenant(Program daemon, int uid, Path socket) throws Exception {
        daemon.awaitServing(socket);
        return Tenant.as(uid, uid, socket);
    }

    @Test
    void shouldLogAFloodInFewLines() throws Exception { // R9
        try (Program daemon = start("--allow-users=" + FRIEND);
                Tenant stranger = Tenant.as(STRANGER, STRANGER, socket())) {
            for (int i = 0; i < 200; i++) {
                assertEquals("EACCES", stranger.ask("open"));
            }
            Await.until("a line in the log", () -> daemon.errorsSoFar().contains("refused"));
            assertEquals(
                    1,
                    daemon.errors()
                            .lines()
                            .filter(line -> line.contains("refused"))
                            .count(),
                    daemon.errors());
        }
    }

    @Test
    void shouldBindTransfersToTheUserWhoOpenedThem() throws Exception { // R9, R11
        try (Program daemon = start("--allow-users=" + FRIEND + "," + MATE);
                Tenant friend = Tenant.as(FRIEND, FRIEND, socket());
                Tenant mate = Tenant.as(MATE, MATE, socket());
                Tenant self = Tenant.as(DAEMON, DAEMON, socket())) {
            String id = friend.ask("open");
            assertTrue(Tenant.isId(id), id);

            for (Tenant other : List.of(mate, self)) {
                assertEquals("sent", other.ask("cancel " + id));
                assertEquals("0", other.ask("send " + id), "it is not its file");
            }
            assertEquals(Integer.toString(SIZE), friend.ask("send " + id), "it is still there");
            assertTrue(daemon.isAlive());
        }
    }

    @Test
    void shouldLetNobodyElseConnectByDefault() throws Exception { // R9, D22
        try (Program daemon = start()) {
            assertEquals(0600, mode(socket()));
            try (Program sfd = sfdAs(STRANGER, daemon)) {
                assertEquals(4, sfd.awaitExit(), sfd.errors());
            }
        }
    }

    @Test
    void shouldGiveTheSocketToTheOnlyGroup() throws Exception { // R9
        try (Program daemon = startIn(List.of("setpriv", "--groups=" + GROUP, "--"), "--allow-groups=" + GROUP);
                Tenant mate = Tenant.as(MATE, GROUP, socket())) {
            // The daemon's user has no other groups than its own when it has become that user.
            assertEquals(0666, mode(socket()), daemon.errors());
            assertTrue(mate.opens());
        }
        Files.setAttribute(directory, "unix:gid", 0);
        try (Program daemon = startAs(DAEMON, GROUP, "--allow-groups=" + GROUP);
                Tenant mate = Tenant.as(MATE, GROUP, socket())) {
            assertEquals(0660, mode(socket()), daemon.errors());
            assertEquals(GROUP, (Integer) Files.getAttribute(socket(), "unix:gid"));
            assertTrue(mate.opens());
        }
    }

    @Test
    void shouldServeTheMembersOfAGroup() throws Exception { // R9
        String users = "root:x:0:0::/:/bin/sh\nfriend:x:" + FRIEND + ":" + FRIEND + "::/:/bin/sh\nmate:x:" + MATE + ":"
                + GROUP + "::/:/bin/sh\n42:x:" + STRANGER + ":" + STRANGER + "::/:/bin/sh\n";
        StringBuilder group = new StringBuilder("root:x:0:\nbig:x:" + GROUP + ":missing,friend");
        for (int i = 0; i < 20_000; i++) { // an entry of more than 64 KiB
            group.append(",user").append(i);
        }
        Path passwd = Files.writeString(directory.resolve("passwd"), users);
        Path groups = Files.writeString(directory.resolve("group"), group.append('\n'));
        List<String> mounted = List.of(
                "unshare",
                "--mount",
                "sh",
                "-c",
                "mount --bind '" + passwd + "' /etc/passwd && mount --bind '" + groups + "' /etc/group && exec \"$@\"",
                "sh");
        try (Program daemon = startIn(mounted, "--allow-groups=big");
                Tenant friend = Tenant.as(FRIEND, FRIEND, socket());
                Tenant mate = Tenant.as(MATE, MATE, socket());
                Tenant stranger = Tenant.as(STRANGER, STRANGER, socket())) {
            assertTrue(friend.opens(), "the group's entry lists it");
            assertTrue(mate.opens(), "it is this user's own group, also of a process that runs with another one");
            assertEquals("EACCES", stranger.ask("open"));
            assertTrue(daemon.isAlive());
        }
        try (Program daemon = startIn(mounted, "--allow-users=friend, 42");
                Tenant friend = Tenant.as(FRIEND, FRIEND, socket());
                Tenant stranger = Tenant.as(STRANGER, STRANGER, socket());
                Tenant number = Tenant.as(42, 42, socket())) {
            assertTrue(friend.opens());
            assertTrue(stranger.opens(), "a name comes before a number");
            assertEquals("EACCES", number.ask("open"), daemon.errors());
        }
    }

    @Test
    void shouldRefuseToStartForWhoDoesNotExist() throws Exception { // R9
        for (String[] wrong : new String[][] {
            {"--allow-users=no-such-user", "--allow-users: 'no-such-user': no such user"},
            {"--allow-groups=root,no-such-group", "--allow-groups: 'no-such-group': no such group"},
            {"--allow-users=4294967295", "--allow-users: '4294967295': no such user"},
            {"--allow-users=root,", "--allow-users: must not be empty"},
        }) {
            try (Program daemon = run(List.of(), "--user=" + DAEMON, wrong[0])) {
                assertNotEquals(0, daemon.awaitExit());
                assertTrue(daemon.errors().contains(wrong[1]), daemon.errors());
            }
        }
    }

    @Test
    void shouldSayWhereOthersCannotReachTheSocket() throws Exception { // R9
        Files.setAttribute(directory, "unix:mode", 0700);
        try (Program daemon = start("--allow-users=" + FRIEND)) {
            Await.until("a word about the directory", () -> daemon.errorsSoFar().contains("cannot reach the socket"));
            assertTrue(daemon.errors().contains("may not search " + directory), daemon.errors());
        }
    }

    @Test
    void shouldTellPodsApart() throws Exception { // R9, R19
        try (Program daemon = start("--allow-users=" + FRIEND + "," + MATE);
                Tenant one = Tenant.as(FRIEND, FRIEND, socket(), "--user", "--map-root-user", "--pid", "--mount");
                Tenant twin = Tenant.as(FRIEND, FRIEND, socket(), "--user", "--map-root-user", "--pid", "--mount");
                Tenant other = Tenant.as(MATE, MATE, socket(), "--user", "--map-root-user", "--pid", "--mount");
                Tenant third = Tenant.as(STRANGER, STRANGER, socket(), "--user", "--map-root-user", "--pid")) {
            String id = one.ask("open");
            assertTrue(Tenant.isId(id), id);
            for (Tenant neighbour : List.of(twin, other)) {
                assertTrue(neighbour.opens());
                assertEquals("sent", neighbour.ask("cancel " + id));
                assertEquals("0", neighbour.ask("send " + id), "it is not its file");
            }
            assertEquals("EACCES", third.ask("open"), "root of its pod is not root here");

            assertEquals(Integer.toString(SIZE), one.ask("send " + id), "it is still there");
            assertTrue(daemon.isAlive());
        }
    }

    /** In a user namespace that does not map all users, those that it does not map look like one, who is nobody. */
    @Test
    void shouldServeNoPodWhoseUserItDoesNotKnow() throws Exception { // R9, R19
        String overflow = HelperProgram.output("cat", "/proc/sys/kernel/overflowuid"); // to be read in one go
        List<String> pod = List.of("unshare", "--user", "--map-root-user", "--");
        try (Program daemon = run(pod, "--allow-root", "--allow-users=" + overflow)) {
            assertNotEquals(0, daemon.awaitExit());
            assertTrue(
                    daemon.errors().contains("in this user namespace each user that it does not map"), daemon.errors());
        }
        try (Program daemon = serving(run(pod, "--allow-root", "--allow-users=1"));
                Tenant stranger = Tenant.as(STRANGER, STRANGER, socket())) {
            assertEquals("EACCES", stranger.ask("open"));
            Await.until("a line in the log", () -> daemon.errorsSoFar()
                    .contains("a user of whom nothing is known in this user namespace"));
        }
    }

    private static int mode(Path file) throws Exception {
        return (Integer) Files.getAttribute(file, "unix:mode") & 0777;
    }

    private Path socket() {
        return directory.resolve(SocketDirectories.socketFile("default"));
    }

    private Program sfdAs(int uid, Program daemon) throws Exception {
        assertTrue(daemon.isAlive());
        return Program.start(
                directory,
                List.of(
                        "setpriv",
                        "--reuid=" + uid,
                        "--regid=" + uid,
                        "--clear-groups",
                        "--",
                        Program.LAUNCHER.resolveSibling("sfd").toString(),
                        "stat",
                        "small",
                        "--socket-dir",
                        directory.toString()),
                Map.of("PATH", System.getenv("PATH")));
    }

    /** A daemon that root has started, and that has become somebody else. */
    private Program start(String... options) throws Exception {
        return startIn(List.of(), options);
    }

    private Program startIn(List<String> before, String... options) throws Exception {
        Files.setAttribute(directory, "unix:uid", DAEMON);
        List<String> all = new ArrayList<>(List.of("--user=" + DAEMON));
        all.addAll(List.of(options));
        return serving(run(before, all.toArray(String[]::new)));
    }

    /** A daemon that somebody else has started. */
    private Program startAs(int uid, int group, String... options) throws Exception {
        Files.setAttribute(directory, "unix:uid", uid);
        return serving(run(List.of("setpriv", "--reuid=" + uid, "--regid=" + uid, "--groups=" + group, "--"), options));
    }

    private Program run(List<String> before, String... options) throws Exception {
        List<String> command = new ArrayList<>(before);
        command.addAll(List.of(Program.LAUNCHER.toString(), "-S", directory.toString(), "-r", root.toString()));
        command.addAll(List.of(options));
        return Program.start(directory, command, Map.of("PATH", System.getenv("PATH")));
    }

    private Program serving(Program daemon) {
        daemon.awaitServing(socket());
        return daemon;
    }
}
