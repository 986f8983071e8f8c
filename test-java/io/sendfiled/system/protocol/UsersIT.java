package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import io.sendfiled.config.SocketDirectories;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** R25, R26: what one user does, with as many processes as it likes, costs another user nothing. */
@Timeout(120)
final class UsersIT {
    /* No user database has these. */
    private static final int DAEMON = 60_000;
    private static final int GREEDY = 60_001;
    private static final int POLITE = 60_002;

    @TempDir
    private Path directory;

    private Path root;

    @BeforeEach
    void makeFiles() throws Exception {
        assumeTrue(Program.ROOT, "only root can be several users");
        Files.setAttribute(directory, "unix:mode", 0755); // others find the socket in it
        root = Files.createDirectory(directory.resolve("root"));
        Content.write(root.resolve("small"), 4096);
        Files.setAttribute(directory, "unix:uid", DAEMON);
    }

    @Test
    void shouldGiveAllProcessesOfAUserOneUsersShare() throws Exception { // R25
        List<Tenant> tenants = new ArrayList<>();
        try (Program daemon = start("--max-transfers=16");
                Tenant polite = Tenant.as(POLITE, POLITE, socket())) {
            int opened = 0;
            for (int i = 0; i < 10; i++) {
                Tenant greedy = Tenant.as(GREEDY, GREEDY, socket());
                tenants.add(greedy);
                opened += greedy.opens() ? 1 : 0;
                opened += greedy.opens() ? 1 : 0;
            }
            assertEquals(16, opened, "alone it may have all");

            for (int i = 0; i < 3; i++) {
                assertTrue(polite.opens(), "a quarter is left");
            }
            Tenant another = Tenant.as(GREEDY, GREEDY, socket());
            tenants.add(another);
            assertEquals("EDQUOT", another.ask("open"), "a new process has no share of its own");
            assertTrue(polite.opens(), "nor has it taken the last one");
            assertTrue(daemon.isAlive());
        } finally {
            for (Tenant tenant : tenants) {
                tenant.close();
            }
        }
    }

    @Test
    void shouldServeAllRequestsOfOneUserBesideTheFloodsOfAnother() throws Exception { // R26
        List<Process> floods = new ArrayList<>();
        try (Program daemon = start()) {
            for (Path socket : List.of(lane(GREEDY), socket())) {
                floods.add(flood(socket, "--malformed", "--threads", 4));
                floods.add(flood(socket, "--malformed", "--threads", 2, "--rude"));
                floods.add(flood(socket, "--depth", 64, "--threads", 4));
            }
            for (Process each : floods) {
                assertEquals("started", each.inputReader().readLine());
            }

            JsonObject result = HelperProgram.json(load(lane(POLITE), POLITE, "--count", 2000, "--depth", 2));

            assertEquals(2000, result.get("requests").getAsInt());
            assertEquals(0, result.get("failures").getAsInt(), result.toString());
            assertTrue(floods.stream().allMatch(Process::isAlive), "they went on all the time");
            floods.forEach(Process::destroyForcibly);
            JsonObject again = HelperProgram.json(load(lane(GREEDY), GREEDY, "--count", 100));
            assertEquals(0, again.get("failures").getAsInt(), "a lane that has rested is served again: " + again);
            assertTrue(daemon.isAlive());
        } finally {
            floods.forEach(Process::destroyForcibly);
        }
    }

    @Test
    void shouldHaveALaneForEachUserAndLeaveNoneBehind() throws Exception { // R26
        try (Program daemon = start()) {
            assertEquals(Set.of("0", String.valueOf(DAEMON), String.valueOf(GREEDY), String.valueOf(POLITE)), lanes());
            daemon.signal("TERM");
            daemon.awaitExit();
        }
        assertEquals(Set.of(), lanes());
    }

    private Set<String> lanes() throws IOException {
        try (var files = Files.list(directory)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".lane"))
                    .map(name -> name.replaceAll("^sendfiled\\.default\\.|\\.lane$", ""))
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    private Process flood(Path socket, Object... options) throws IOException {
        List<Object> all = new ArrayList<>(List.of("--seconds", 60, "--announce"));
        all.addAll(List.of(options));
        return load(socket, GREEDY, all.toArray());
    }

    private Process load(Path socket, int user, Object... options) throws IOException {
        List<Object> all =
                new ArrayList<>(List.of("--socket", socket, "--user", user, "--path", "small", "--timeout", 100));
        all.addAll(List.of(options));
        return HelperProgram.start("load", all.toArray());
    }

    private Path socket() {
        return directory.resolve(SocketDirectories.socketFile("default"));
    }

    private Path lane(int user) {
        return directory.resolve("sendfiled.default." + user + ".lane");
    }

    private Program start(String... options) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Program.LAUNCHER.toString(),
                "-S",
                directory.toString(),
                "-r",
                root.toString(),
                "--user=" + DAEMON,
                "--allow-users=" + GREEDY + "," + POLITE));
        command.addAll(List.of(options));
        Program daemon = Program.start(directory, command, Map.of("PATH", System.getenv("PATH")));
        daemon.awaitServing(socket());
        return daemon;
    }
}
