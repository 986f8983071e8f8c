package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.RawClient;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** R7: who is served, and what the daemon's own identity can be had for ({@code test-native/support/pretender.c}). */
@ParameterizedClass
@EnumSource(TestDaemon.Kind.class)
@Timeout(60)
final class IdentityIT {
    private static final String NOBODY = "65534";

    @TempDir
    @SuppressWarnings("UnusedVariable") // the daemon's
    private static Path directory;

    @Daemon(value = "loops=1", ownsFiles = true)
    private static TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        Content.write(daemon.root().resolve("small"), 1_000);
    }

    @Test
    void shouldRefuseItsOwnProcessAsAClient() throws Exception { // R7
        assumeTrue(Program.ROOT, "only root can have another process's id");

        assertEquals(
                "complete", pretend("as", Long.toString(ProcessHandle.current().pid())));
        String expected =
                kind == TestDaemon.Kind.FORKED ? "EACCES" : "complete"; // the host of an engine may be its client
        assertEquals(expected, pretend("as", Long.toString(daemon.pid())));
    }

    @Test
    void shouldRefuseAnotherUserAndWriteToNobodyElse() throws Exception { // D20, R7
        assumeTrue(Program.ROOT, "only root can become another user");
        try (RawClient client = daemon.rawClient();
                RawClient.Status victim = client.request(1, "small")) {
            assertEquals(1_000, victim.info().size());

            assertEquals("EACCES", pretend("user", NOBODY));

            try (RawClient.Status next = client.request(2, "small")) { // behind all that the other one has sent
                assertEquals(1_000, next.info().size());
            }
            victim.source().configureBlocking(false);
            assertEquals(0, victim.source().read(ByteBuffer.allocate(64)), "nothing was written there");
        }
    }

    /** R7: what the kernel stamps on the bytes vouches for the daemon's user, who is the client's own. */
    @Test
    void shouldVouchForNothingButItsOwnUser() throws Exception {
        String uid = Files.getAttribute(Path.of("/proc/self"), "unix:uid").toString();

        assertArrayEquals(
                new String[] {Long.toString(daemon.pid()), uid},
                pretend("receive").split(" "));
    }

    private static String pretend(String... arguments) throws Exception {
        String[] command = new String[arguments.length + 2];
        command[0] = HelperProgram.path("pretender").toString();
        command[1] = daemon.socket().toString();
        System.arraycopy(arguments, 0, command, 2, arguments.length);
        return HelperProgram.output(command);
    }
}
