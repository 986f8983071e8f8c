package io.sendfiled.jni;

import static io.sendfiled.names.Names.bytes;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.sys.Errno;
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
    void shouldLookUsersAndGroupsUp() {
        int[] ids = new int[2];
        assertEquals(0, ProcessNative.lookupUser(bytes("root"), ids));
        assertArrayEquals(new int[] {0, 0}, ids);
        assertEquals(0, ProcessNative.lookupUser(bytes("54321"), ids));
        assertArrayEquals(new int[] {54321, 54321}, ids);
        assertEquals(0, ProcessNative.lookupGroup(bytes("root"), ids));
        assertEquals(0, ids[0]);

        assertEquals(-Errno.ENOENT, ProcessNative.lookupUser(bytes("no-such-user-of-this-name"), ids));
        assertEquals(-Errno.ENOENT, ProcessNative.lookupGroup(bytes(""), ids));
    }

    @Test
    void shouldTellTheLimitOfOpenFiles() {
        assertTrue(ProcessNative.raiseOpenFiles() >= 256);
    }

    @Test
    void shouldSeeNoInstanceWhereThereIsNone(@TempDir Path directory) {
        assertEquals(0, ProcessNative.instanceHolder(bytes(directory.toString()), bytes("default")));
        assertEquals(0, ProcessNative.instanceHolder(bytes(directory + "/missing"), bytes("default")));
        assertEquals(-Errno.EINVAL, ProcessNative.instanceHolder(bytes(directory.toString()), bytes("a/b")));
    }

    @Test
    void shouldRefuseToReportWhereNobodyWaits() {
        assertEquals(-Errno.EBADF, ProcessNative.checkReport(1 << 20));
    }
}
