package io.sendfiled.system.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import io.sendfiled.support.Content;
import io.sendfiled.support.Faults;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.system.TestDaemon;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * R13, D15: system calls of the C client library fail, and those that describe its child. Each function says -1 and an errno or
 * does its work; nothing is left open. {@code test-native/support/faulty_client.c} has the cases and is the judge.
 */
@Timeout(120)
final class ClientFaultIT {
    private static final int SIZE = 20_000;
    private static final int HITS = 300;

    @TempDir
    private Path directory;

    @Test
    void shouldSayThatACallFailedOrDoItsWork() throws Exception {
        assumeTrue(Files.exists(Faults.shim()), "the fault shim was not built");
        Faults faults = Faults.of(directory, Faults.CLIENT);
        Path programs = Files.createDirectories(directory.resolve("bin"));
        Files.copy(
                HelperProgram.path("fake_daemon"), programs.resolve("sendfiled"), StandardCopyOption.COPY_ATTRIBUTES);
        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, TestDaemon.Options.STANDARD)) {
            Path file = daemon.root().resolve("file");
            Content.write(file, SIZE);
            ProcessBuilder builder = new ProcessBuilder(
                            HelperProgram.command("faulty_client", directory, TestDaemon.NAME, "file", file))
                    .redirectError(ProcessBuilder.Redirect.INHERIT);
            builder.environment().putAll(faults.environment());
            builder.environment()
                    .putAll(Map.of(
                            "PATH", programs.toString(), "FAKE_DAEMON", "ready", "FAKE_DAEMON_LOG", "/dev/null"));

            Process process = builder.start();
            process.getOutputStream().close();
            JsonObject outcome = HelperProgram.json(process);

            assertEquals(0, outcome.get("wrong").getAsInt(), outcome.toString());
            assertTrue(outcome.get("hits").getAsInt() >= HITS, outcome.toString());
            assertEquals(0, process.waitFor());
            daemon.expectNoLeak();
        }
    }
}
