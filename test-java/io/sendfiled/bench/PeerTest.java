package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the servers that are compared are set up with. */
final class PeerTest {
    @TempDir
    private Path directory;

    private void install(String name, String release) throws IOException {
        Path java = directory.resolve(name).resolve("bin/java");
        Files.createDirectories(java.getParent());
        Files.createFile(java);
        assertTrue(java.toFile().setExecutable(true));
        Files.writeString(directory.resolve(name).resolve("release"), release);
    }

    @Test
    void shouldFindTheNewestJava() throws IOException {
        install("seventeen", "IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.18\"\nOS_ARCH=\"x86_64\"\n");
        install("twenty-five", "JAVA_VERSION=\"25\"\n");
        install("twenty-one", "JAVA_VERSION=\"21.0.4\"\n");
        install("without-a-version", "OS_ARCH=\"x86_64\"\n");
        Files.createDirectory(directory.resolve("empty"));
        assertEquals(
                List.of(
                        new Jdk(directory.resolve("twenty-five"), "25"),
                        new Jdk(directory.resolve("twenty-one"), "21.0.4"),
                        new Jdk(directory.resolve("seventeen"), "17.0.18")),
                Jdk.in(directory));
        assertEquals(17, new Jdk(directory, "17.0.18").feature());
        assertEquals(List.of(), Jdk.in(directory.resolve("missing")));
    }

    @Test
    void shouldNotMeasureVirtualThreadsByAnOlderJava() throws IOException {
        assertTrue(Jdk.atLeast(17).isPresent());
        assertEquals(Jdk.running(), Jdk.atLeast(17).orElseThrow());
        assertTrue(Jdk.atLeast(1000).isEmpty());
    }

    @Test
    void shouldTellOfNginxWhatItsConfigurationHas() {
        for (Nginx nginx : Nginx.values()) {
            Peer peer = Arrays.stream(Peer.values())
                    .filter(one -> one.setup.endsWith(nginx.directives))
                    .findFirst()
                    .orElseThrow();
            String configuration = nginx.configuration(directory, Path.of("/srv"), 8080);
            for (String directive : peer.setup.split("; ?")) {
                assertTrue(configuration.contains(directive + ";"), directive);
            }
        }
    }

    @Test
    void shouldDrawABarForEachNumber() {
        assertEquals(" ▁▄█", Units.bars(0, 1, 50, 100), "no answer is no bar, few are a small one");
        assertEquals("  ", Units.bars(0, 0));
    }
}
