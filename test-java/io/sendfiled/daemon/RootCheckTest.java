package io.sendfiled.daemon;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.jni.ProcessNative;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The way to the root, as sshd demands it of a ChrootDirectory. */
final class RootCheckTest {
    private static final int OWN = ProcessNative.effectiveUid();
    private static final int STRANGER = 54321;

    private Path base;
    private Path middle;
    private Path root;

    @BeforeEach
    void makeDirectories(@TempDir Path directory) throws IOException {
        base = directory;
        middle = Files.createDirectory(directory.resolve("middle"));
        root = Files.createDirectory(middle.resolve("root"));
        setMode(middle, 0755);
        setMode(root, 0755);
    }

    private static void setMode(Path path, int mode) throws IOException {
        Files.setAttribute(path, "unix:mode", mode);
    }

    private static void give(Path path, int uid) throws IOException {
        assumeTrue(OWN == 0, "only root can give files away");
        Files.setAttribute(path, "unix:uid", uid, LinkOption.NOFOLLOW_LINKS);
    }

    private static String refusal(Path path, int uid) {
        StartException e = assertThrows(StartException.class, () -> RootCheck.demand("--root", path, uid));
        assertEquals(Errno.EPERM, e.errno());
        return String.valueOf(e.getMessage());
    }

    private static void assertServed(Path path) {
        assertDoesNotThrow(() -> RootCheck.demand("--root", path, OWN));
    }

    @Test
    void shouldTakeAWayThatBelongsToRootOrTheUser() throws IOException {
        assertServed(root);
        assertServed(Path.of("/"));
        assertServed(Path.of("/usr/lib"));
        give(middle, STRANGER);
        assertDoesNotThrow(() -> RootCheck.demand("--root", root, STRANGER), "the user that the daemon becomes");
    }

    @ParameterizedTest
    @ValueSource(ints = {0775, 0757, 0777, 02775, 0720})
    void shouldRefuseADirectoryOnTheWayThatOthersMayWrite(int mode) throws IOException {
        setMode(middle, mode);
        String message = refusal(root, OWN);
        assertTrue(
                message.startsWith("--root: " + root + ": " + middle + " may be written by others (owner uid "),
                message);
        assertTrue(message.contains(String.format("mode %04o", mode)), message);
        assertTrue(message.contains("chmod go-w " + middle), message);
        assertTrue(!message.contains("\n"), message);
    }

    @Test
    void shouldTakeAStickyDirectoryOnTheWay() throws IOException {
        setMode(middle, 01777);
        assertServed(root);
    }

    @Test
    void shouldLeaveTheRootItselfToItsOwner() throws IOException {
        setMode(root, 0777);
        assertServed(root);
        give(root, STRANGER);
        assertServed(root);
    }

    @Test
    void shouldRefuseADirectoryOfAStrangerOnTheWay() throws IOException {
        give(middle, STRANGER);
        String message = refusal(root, OWN);
        assertTrue(message.contains(middle + " belongs to another user (owner uid 54321, mode 0755)"), message);
        assertTrue(message.contains("chown root " + middle), message);
    }

    @Test
    void shouldRefuseARootThatAStrangerMadeInAStickyDirectory() throws IOException {
        setMode(middle, 01777);
        give(root, STRANGER);
        assertTrue(refusal(root, OWN).contains(root + " belongs to another user"));
    }

    @Test
    void shouldFollowLinksAndLookAtTheWayThatTheyName() throws IOException {
        Path link = Files.createSymbolicLink(base.resolve("link"), Path.of("middle/root"));
        Path absolute = Files.createSymbolicLink(base.resolve("absolute"), root);
        assertServed(link);
        assertServed(absolute);
        assertServed(link.resolve("../root/."));
        setMode(middle, 0777);
        refusal(link, OWN);
        refusal(absolute, OWN);
        refusal(Path.of(middle + "/../middle/root"), OWN);
    }

    @Test
    void shouldRefuseALinkThatAStrangerMade() throws IOException {
        Path shared = Files.createDirectory(base.resolve("shared"));
        setMode(shared, 01777);
        Path link = Files.createSymbolicLink(shared.resolve("link"), root);
        assertServed(link);
        give(link, STRANGER);
        assertTrue(refusal(link, OWN).contains(link + " belongs to another user"));
    }

    @Test
    void shouldEndWhereALinkLeadsToItself() throws IOException {
        Path link = base.resolve("round");
        Files.createSymbolicLink(link, link);
        assertServed(link);
    }

    @Test
    void shouldLeaveWhatIsMissingToTheOpen() {
        assertServed(root.resolve("missing/further"));
    }
}
