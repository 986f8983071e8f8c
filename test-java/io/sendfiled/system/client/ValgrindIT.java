package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.system.Installed;
import io.sendfiled.system.TestDaemon;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

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

    @ParameterizedTest
    @EnumSource(
            value = Installed.Linkage.class,
            names = {"SHARED", "ARCHIVE"})
    void shouldFindNothingInAProgramWithBuffersAndEvents(Installed.Linkage linkage) throws Exception {
        Path program = Installed.build(directory, Installed.C99, "test-native/installed/program.c", linkage);
        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, TestDaemon.Options.STANDARD)) {
            Content.write(daemon.root().resolve("small"), 4_000);

            String root = daemon.root().toString();
            expectClean(List.of(program.toString(), directory.toString(), TestDaemon.NAME, "small", root));
        }
    }

    private void expectClean(String... arguments) throws Exception {
        List<String> command = HelperProgram.command("client_driver", directory, TestDaemon.NAME);
        command.addAll(List.of(arguments));
        expectClean(command);
    }

    private static void expectClean(List<String> program) throws Exception {
        Path script = Installed.source("test-native/support/valgrind.sh");
        List<String> command = new ArrayList<>(List.of("sh", script.toString(), VALGRIND.toString()));
        command.addAll(program);
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), () -> String.join(" ", program) + ": " + said);
    }
}
