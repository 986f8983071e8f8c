package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferException;
import io.sendfiled.jni.SandboxNative;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A root behind a symbolic link that changes while the daemon serves, in its sandbox where the kernel has one. */
@Timeout(120)
final class FollowRootIT extends ProgramTestCase {
    private static final int DEPLOYMENTS = 100;

    private Path link;

    @BeforeEach
    void makeReleases() throws IOException {
        Path app = Files.createDirectory(scratch.resolve("app"));
        for (String release : new String[] {"a", "b"}) {
            Files.createDirectories(app.resolve(release).resolve("public"));
            Files.writeString(app.resolve(release).resolve("public/file"), "of " + release);
        }
        link = app.resolve("current");
        lead(Path.of("a"));
        root = link.resolve("public");
    }

    /** As a deployment does: at no time is there no link. */
    private void lead(Path to) throws IOException {
        Path other = Files.createSymbolicLink(link.resolveSibling("new"), to);
        Files.move(other, link, StandardCopyOption.ATOMIC_MOVE);
    }

    private static String read(SendfiledClient client) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        client.readTo("file", Channels.newChannel(out)).result().get(20, TimeUnit.SECONDS);
        return out.toString(StandardCharsets.UTF_8);
    }

    private static int refusal(SendfiledClient client) {
        ExecutionException failure = assertThrows(ExecutionException.class, () -> read(client));
        return assertInstanceOf(TransferException.class, failure.getCause()).errno();
    }

    @Test
    void shouldServeWhatTheLinkLeadsToAtEachRequest() throws Exception {
        try (Program program = start("--follow-root");
                SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
            for (int i = 0; i < DEPLOYMENTS; i++) {
                String release = i % 2 == 0 ? "b" : "a";
                lead(Path.of(release));
                assertEquals("of " + release, read(client));
            }
            lead(Path.of("missing"));
            assertEquals(Errno.ENOENT, refusal(client));
            lead(Path.of("b"));
            assertEquals("of b", read(client));
            if (SandboxNative.landlock() >= 0) {
                Path elsewhere = Files.createDirectories(scratch.resolve("elsewhere/public"));
                Files.writeString(elsewhere.resolve("file"), "of elsewhere");
                lead(Path.of("../elsewhere"));
                assertEquals(Errno.EACCES, refusal(client));
            }
            assertTrue(program.isAlive(), program.errors());
        }
    }

    @Test
    void shouldStayWithTheFirstRootUnlessAskedToFollow() throws Exception {
        try (Program program = start();
                SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
            lead(Path.of("b"));
            assertEquals("of a", read(client));
            assertTrue(program.isAlive(), program.errors());
        }
    }

    @Test
    void shouldSayWhatItsSandboxCannotFollow() throws Exception {
        assumeTrue(SandboxNative.landlock() >= 0, "this kernel has no Landlock");
        Files.createDirectories(scratch.resolve("elsewhere/public"));
        lead(Path.of("../elsewhere"));
        try (Program program = Program.start(scratch, arguments("--follow-root"))) {
            assertEquals(1, program.awaitExit());
            assertTrue(
                    program.errors().contains("--follow-root: " + root + ": it leads out of " + link.getParent()),
                    program.errors());
            assertTrue(program.errors().contains("--sandbox=off"), program.errors());
        }
    }
}
