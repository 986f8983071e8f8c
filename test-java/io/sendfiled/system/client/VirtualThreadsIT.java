package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.JavaProgram;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Virtual threads wait for transfers in Java: on a JDK that has them, this one or another that is installed. */
final class VirtualThreadsIT {
    private static final int FIRST = 21;
    private static final Pattern VERSION = Pattern.compile("JAVA_VERSION=\"(\\d+)");

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    private static Optional<Path> javaHome() throws IOException {
        if (Runtime.version().feature() >= FIRST) {
            return Optional.of(Path.of(System.getProperty("java.home")));
        }
        Path installed = Path.of("/usr/lib/jvm");
        if (!Files.isDirectory(installed)) {
            return Optional.empty();
        }
        try (Stream<Path> homes = Files.list(installed)) {
            return homes.filter(home -> version(home) >= FIRST).findFirst();
        }
    }

    private static int version(Path home) {
        try {
            Matcher version = VERSION.matcher(Files.readString(home.resolve("release")));
            return Files.isExecutable(home.resolve("bin/java")) && version.find()
                    ? Integer.parseInt(version.group(1))
                    : 0;
        } catch (IOException e) { // no JDK
            return 0;
        }
    }

    @Test
    void shouldKeepNoCarrierWhileTheyWait() throws Exception {
        Optional<Path> home = javaHome();
        assumeTrue(home.isPresent(), "no JDK " + FIRST + " or later is installed");
        Content.write(daemon.root().resolve("file"), 8_000_000); // more than any socket takes
        List<String> command = new ArrayList<>(JavaProgram.command(VirtualThreadsProbe.class));
        command.set(0, home.get().resolve("bin/java").toString());
        command.addAll(
                1,
                List.of(
                        "-Djdk.virtualThreadScheduler.parallelism=1",
                        "-Djdk.virtualThreadScheduler.maxPoolSize=1",
                        "--enable-native-access=ALL-UNNAMED"));
        command.addAll(List.of(daemon.directory().toString(), TestDaemon.NAME));
        try (Program program = Program.start(directory, command, Map.of())) {
            String output = new String(program.report(), StandardCharsets.UTF_8);
            assertEquals(0, program.awaitExit(), output + program.errors());
            assertEquals("pinned 0\n", output);
        }
    }
}
