package io.sendfiled.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** R2: the C client library leaves no memory and no descriptor behind, and reads none that it may not, says Valgrind. */
@Timeout(300)
final class ValgrindIT {
    private static final Path VALGRIND = Path.of("/usr/bin/valgrind");

    @TempDir
    private Path directory;

    @BeforeEach
    void skipWithoutValgrind() {
        assumeFalse(Boolean.getBoolean("sendfiled.test.skipSanitizers"), "-DskipSanitizers");
        assumeTrue(Files.isExecutable(VALGRIND), "valgrind is not installed");
    }

    @Test
    void shouldFindNothingInTheClientLibraryAtWork() throws Exception {
        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, TestDaemon.Options.STANDARD)) {
            Content.write(daemon.root().resolve("small"), 10_000);
            Content.write(daemon.root().resolve("big"), 300_000);
            String local = daemon.root().resolve("big").toString();

            expectClean("many", "24", "4", daemon.root().toString(), "small", "big");
            expectClean("send-fd", local, "pipe", "--technique=splice", "--extended");
            expectClean("read", "big", "--deadline=60000");
            expectClean("cancel", "small");
            expectClean("cancel-send", "big");
        }
    }

    private void expectClean(String... arguments) throws Exception {
        Path script = Path.of(System.getProperty("sendfiled.test.source", "."), "test-native/support/valgrind.sh");
        List<String> command = new ArrayList<>(List.of("sh", script.toString(), VALGRIND.toString()));
        command.addAll(HelperProgram.command("client_driver", directory, TestDaemon.NAME));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), () -> String.join(" ", arguments) + ": " + said);
    }
}
