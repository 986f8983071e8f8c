package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.config.SocketDirectories;
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

/**
 * R7: a client of another user gets the files below the root by the daemon's identity, and nothing else: the daemon is no
 * confused deputy ({@code test-native/support/deputy_client.c}).
 */
@Timeout(120)
final class DeputyIT {
    private static final int DAEMON = 60_000;
    private static final int FRIEND = 60_001;

    @TempDir
    private Path directory;

    private Path root;

    @BeforeEach
    void makeFiles() throws Exception {
        assumeTrue(Program.ROOT, "only root can be several users");
        Files.setAttribute(directory, "unix:mode", 0755); // others find the socket in it
        Files.setAttribute(directory, "unix:uid", DAEMON);
        root = Files.createDirectory(directory.resolve("root"));
        Content.write(root.resolve("small"), 1_000);
    }

    @Test
    void shouldSpeakInItsOwnNameForNoOtherUser() throws Exception { // R7, R9
        try (Program daemon = start()) {
            assertEquals("complete", ask(FRIEND, "own"));
            assertEquals("EPERM", ask(FRIEND, "lent"));
            assertEquals("EPERM", ask(FRIEND, "lent-later"));
            assertEquals("ENOTCONN", ask(FRIEND, "later"), "it could be connected to somebody else later");
            assertEquals("complete", ask(FRIEND, "pipe"), "a pipe tells nobody who writes");

            assertEquals("complete", ask(DAEMON, "lent"), "as the client it is the same user");
            assertEquals("complete lent", ask(0, "lent"), "root could say the same itself");
            assertTrue(daemon.isAlive());
        }
    }

    @Test
    void shouldReadNoFileWhoseContentDependsOnTheReader() throws Exception { // R7, R9
        Path plain = Files.writeString(directory.resolve("plain"), "text");
        try (Program daemon = start()) {
            String secret = "/proc/" + daemon.pid() + "/stat"; // it has addresses for who may trace the process
            assertEquals("EACCES", ask(FRIEND, "source", secret));
            assertEquals("EACCES", ask(FRIEND, "source", "/proc/keys"));
            assertEquals("EACCES", ask(FRIEND, "source", "/sys/kernel/notes"));
            assertEquals("complete", ask(FRIEND, "source", plain.toString()));

            assertEquals("complete", ask(DAEMON, "source", secret));
            assertTrue(daemon.isAlive());
        }
    }

    @Test
    void shouldWriteToNoFileThatObeysTheWriter() throws Exception { // R7, R9
        Path plain = file("plain", 0666);
        Path program = file("program", 04777); // a write by its client would take the bit away
        try (Program daemon = start()) {
            assertEquals("EACCES", ask(FRIEND, "file", "/proc/self/coredump_filter"));
            assertEquals("EPERM", ask(FRIEND, "file", program.toString()));
            assertEquals(0, Files.size(program));
            assertEquals("complete", ask(FRIEND, "file", plain.toString()));
            assertEquals(1_000, Files.size(plain));
            assertTrue(daemon.isAlive());
        }
    }

    /** Where the kernel cannot write to a pipe without waiting, up to Linux 6.3, and the pipe of another user cannot be reopened. */
    @Test
    void shouldServeOtherUsersOnOlderKernels() throws Exception { // R9, R22
        String older = HelperProgram.path("without").toString();
        try (Program daemon = start(older, "pwritev2", "ENOSYS");
                Tenant friend = Tenant.as(FRIEND, FRIEND, socket())) {
            String id = friend.ask("open");
            assertTrue(Tenant.isId(id), id);
            assertEquals("1000", friend.ask("send " + id));
            assertEquals("complete", ask(FRIEND, "pipe"));
            assertEquals("complete", ask(FRIEND, "own"));
            assertTrue(daemon.isAlive());
        }
    }

    private Path file(String name, int mode) throws Exception {
        Path file = Files.createFile(directory.resolve(name));
        Files.setAttribute(file, "unix:mode", mode);
        return file;
    }

    private String ask(int uid, Object... what) throws Exception {
        List<Object> arguments = new ArrayList<>(List.of(directory, "default", uid));
        arguments.addAll(List.of(what));
        return HelperProgram.output(
                HelperProgram.command("deputy_client", arguments.toArray()).toArray(String[]::new));
    }

    private Path socket() {
        return directory.resolve(SocketDirectories.socketFile("default"));
    }

    private Program start(String... before) throws Exception {
        List<String> command = new ArrayList<>(List.of(before));
        command.addAll(List.of(
                Program.LAUNCHER.toString(),
                "--socket-dir=" + directory,
                "--root=" + root,
                "--user=" + DAEMON,
                "--allow-users=" + FRIEND));
        Program daemon = Program.start(directory, command, Map.of("PATH", System.getenv("PATH")));
        daemon.awaitServing(socket());
        return daemon;
    }
}
