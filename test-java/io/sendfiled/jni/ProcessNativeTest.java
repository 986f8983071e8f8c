package io.sendfiled.jni;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What can be tried inside the JVM of the tests; what changes a process for good is tried in processes of its own. */
final class ProcessNativeTest {
    @Test
    void shouldKnowTheUser(@TempDir Path directory) throws IOException {
        assertEquals(Files.getAttribute(directory, "unix:uid"), ProcessNative.effectiveUid());
    }

    @Test
    void shouldLookUsersAndGroupsUp() throws IOException {
        assertEquals(new ProcessNative.UserIds(0, 0), ProcessNative.lookupUser("root"));
        assertEquals(new ProcessNative.UserIds(54321, 54321), ProcessNative.lookupUser("54321"));
        assertEquals(0, ProcessNative.lookupGroup("root"));

        NativeIoException e =
                assertThrows(NativeIoException.class, () -> ProcessNative.lookupUser("no-such-user-of-this-name"));
        assertEquals(Errno.ENOENT, e.errno());
        assertEquals(
                Errno.ENOENT,
                assertThrows(NativeIoException.class, () -> ProcessNative.lookupGroup(""))
                        .errno());
    }

    @Test
    void shouldTellTheLimitOfOpenFiles() {
        assertTrue(ProcessNative.raiseOpenFiles() >= 256);
    }

    @Test
    void shouldSeeNoInstanceWhereThereIsNone(@TempDir Path directory) {
        assertEquals(0, ProcessNative.instanceHolder(directory.toString(), "default"));
        assertEquals(0, ProcessNative.instanceHolder(directory + "/missing", "default"));
        assertEquals(-Errno.EINVAL, ProcessNative.instanceHolder(directory.toString(), "a/b"));
    }

    @Test
    void shouldRefuseToReportWhereNobodyWaits() {
        assertEquals(-Errno.EBADF, ProcessNative.checkReport(1 << 20));
    }
}
