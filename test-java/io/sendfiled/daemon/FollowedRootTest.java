package io.sendfiled.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the sandbox lets a daemon read that follows its root. */
final class FollowedRootTest {
    private Path directory;

    @BeforeEach
    void makeReleases(@TempDir Path temporary) throws IOException {
        directory = temporary.toRealPath();
        Files.createDirectories(directory.resolve("app/a/public"));
        Files.createSymbolicLink(directory.resolve("app/current"), Path.of("a"));
        Files.createSymbolicLink(directory.resolve("alias"), Path.of("app"));
    }

    private static void expectRefused(Path root, String why) {
        StartException refusal = assertThrows(StartException.class, () -> FollowedRoot.demandConfinable(root));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertTrue(String.valueOf(refusal.getMessage()).contains(why), refusal.getMessage());
    }

    @Test
    void shouldBeTheDirectoryThatHoldsTheLastLink() throws Exception {
        Path app = directory.resolve("app");
        assertEquals(app, FollowedRoot.demandConfinable(app.resolve("current")));
        assertEquals(app, FollowedRoot.demandConfinable(app.resolve("current/public")));
        assertEquals(app, FollowedRoot.demandConfinable(directory.resolve("alias/current/public")));
        assertEquals(directory, FollowedRoot.demandConfinable(directory.resolve("alias/a")));
    }

    @Test
    void shouldBeTheDirectoryAroundARootThatNoLinkLeadsTo() throws Exception {
        assertEquals(directory.resolve("app/a"), FollowedRoot.demandConfinable(directory.resolve("app/a/public")));
    }

    @Test
    void shouldRefuseWhatWouldBeEverythingOrIsElsewhere() throws Exception {
        expectRefused(Path.of("/proc"), "is in /");
        expectRefused(Path.of("/"), "is in /");
        Files.createSymbolicLink(directory.resolve("app/out"), directory);
        expectRefused(directory.resolve("app/out"), "it leads out of " + directory.resolve("app"));
    }

    @Test
    void shouldLeaveARootThatIsMissingToItsOpen() throws Exception {
        Path missing = directory.resolve("app/missing");
        assertEquals(directory.resolve("app"), FollowedRoot.demandConfinable(missing));
    }
}
