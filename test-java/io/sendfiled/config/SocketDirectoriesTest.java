package io.sendfiled.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SocketDirectoriesTest {
    private Path base;
    private Path run;
    private Path tmp;
    private Path runtime;
    private int uid;

    @BeforeEach
    void makeDirectories(@TempDir Path directory) throws IOException {
        base = directory;
        run = base.resolve("no-run");
        tmp = Files.createDirectory(base.resolve("tmp"));
        runtime = Files.createDirectory(base.resolve("runtime"));
        uid = (Integer) Files.getAttribute(base, "unix:uid");
    }

    private SocketDirectories rule(Map<String, String> environment) {
        return new SocketDirectories(environment, run, tmp, uid);
    }

    private Path own() {
        return tmp.resolve("sendfiled-" + uid);
    }

    private Map<String, String> withRuntime() {
        return Map.of("XDG_RUNTIME_DIR", runtime.toString());
    }

    @Test
    void shouldPreferTheRuntimeDirectory() {
        assertEquals(runtime, rule(withRuntime()).choose());
    }

    @Test
    void shouldIgnoreARuntimeDirectoryThatIsRelativeMissingOrForeign() throws IOException {
        assertEquals(own(), rule(Map.of("XDG_RUNTIME_DIR", "runtime")).choose());
        assertEquals(own(), rule(Map.of("XDG_RUNTIME_DIR", base + "/nowhere")).choose());
        Path foreign = Path.of("/proc/1");
        SocketDirectories other =
                new SocketDirectories(Map.of("XDG_RUNTIME_DIR", foreign.toString()), run, tmp, uid + 1);
        assertEquals(List.of(run.resolve("sendfiled"), tmp.resolve("sendfiled-" + (uid + 1))), other.all());
    }

    @Test
    void shouldTakeTheSystemDirectoryWhenItCanBeMadeOrWritten() throws IOException {
        run = Files.createDirectory(base.resolve("run"));
        assertEquals(run.resolve("sendfiled"), rule(Map.of()).choose());
        Files.createDirectory(run.resolve("sendfiled"));
        assertEquals(run.resolve("sendfiled"), rule(Map.of()).choose());
    }

    @Test
    void shouldMakeAPrivateDirectoryWhenNothingElseIsThere() throws IOException {
        assertEquals(own(), rule(Map.of()).choose());
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(own())));
        assertEquals(own(), rule(Map.of()).choose(), "the second start finds it");
    }

    @Test
    void shouldRefuseAPrivateDirectoryThatIsOpenToOthers() throws IOException {
        Files.createDirectory(own());
        Files.setPosixFilePermissions(own(), PosixFilePermissions.fromString("rwxr-x---"));

        InvalidSettingException e =
                assertThrows(InvalidSettingException.class, () -> rule(Map.of()).choose());

        assertEquals(
                "socket-dir: " + own() + " is open to other users (mode 750); remove it or give another directory",
                e.getMessage());
    }

    @Test
    void shouldRefuseAPrivateDirectoryOfAnotherUser() throws IOException {
        int other = uid + 1;
        Path planted = Files.createDirectory(tmp.resolve("sendfiled-" + other));
        SocketDirectories rule = new SocketDirectories(Map.of(), run, tmp, other);

        InvalidSettingException e = assertThrows(InvalidSettingException.class, rule::choose);
        assertTrue(String.valueOf(e.getMessage()).contains("belongs to another user"), e.getMessage());

        Files.createFile(planted.resolve("sendfiled.default.socket"));
        assertNull(rule.holding("default"), "a client must not talk to whoever planted it");
    }

    @Test
    void shouldRefuseASymbolicLinkAsPrivateDirectory() throws IOException {
        Files.createSymbolicLink(own(), runtime);

        InvalidSettingException e =
                assertThrows(InvalidSettingException.class, () -> rule(Map.of()).choose());
        assertTrue(String.valueOf(e.getMessage()).contains("is not a directory"), e.getMessage());
    }

    @Test
    void shouldFindAnInstanceWhereverADaemonMayHavePutIt() throws IOException {
        SocketDirectories client = rule(withRuntime());
        assertNull(client.holding("web"));

        Path chosen = rule(Map.of()).choose();
        Files.createFile(chosen.resolve("sendfiled.web.socket"));
        assertEquals(chosen, client.holding("web"), "the daemon had no XDG_RUNTIME_DIR, the client has");

        Files.createFile(runtime.resolve("sendfiled.web.socket"));
        assertEquals(runtime, client.holding("web"), "the first candidate wins");
        assertNull(client.holding("other"));
    }

    @Test
    void shouldKnowTheUserOfThisProcess() {
        Path last = SocketDirectories.candidates()
                .get(SocketDirectories.candidates().size() - 1);
        assertEquals(Path.of("/tmp/sendfiled-" + uid), last);
    }
}
