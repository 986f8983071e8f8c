package io.sendfiled.system.installed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.Scale;
import io.sendfiled.system.Installed;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The packages for aarch64 that an x86_64 machine makes ({@code packaging/aarch64}): what is in them is for that machine, and
 * runs there, as far as qemu-user can show it: a program of the library's users, against a daemon of this machine's.
 */
@Timeout(600)
final class ForeignPackagesIT {
    private static final int SIZE = 4_000;

    private static final String ROOT = "/usr/aarch64-linux-gnu";

    @TempDir
    private Path directory;

    @Test
    void shouldMakePackagesWhoseProgramsRunThere() throws Exception {
        assumeTrue(Scale.all(), "builds for aarch64: ./dev test --all");
        for (String tool : List.of("aarch64-linux-gnu-gcc", "dpkg-gensymbols", "rpmbuild")) {
            assumeTrue(isInstalled(tool), tool + " is not here");
        }
        String qemu = isInstalled("qemu-aarch64-static") ? "qemu-aarch64-static" : "qemu-aarch64";
        assumeTrue(isInstalled(qemu), qemu + " is not here");
        Path packages = directory.resolve("packages");
        ProcessBuilder build = new ProcessBuilder(
                        "sh",
                        Installed.source("packaging/package/build.sh").toString(),
                        "--arch",
                        "aarch64",
                        packages.toString(),
                        "DEB",
                        "RPM")
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("log").toFile());
        build.environment().put("JAVA_HOME", System.getProperty("java.home"));
        Process building = build.start();
        assertEquals(0, building.waitFor(), () -> read(directory.resolve("log")));

        Path tree = directory.resolve("tree");
        int unpacked = 0;
        for (Path file : files(packages)) {
            if (file.toString().endsWith(".deb")) {
                unpacked++;
                assertEquals(
                        "arm64",
                        HelperProgram.output("dpkg-deb", "-f", file.toString(), "Architecture")
                                .strip());
                HelperProgram.output("dpkg-deb", "-x", file.toString(), tree.toString());
            } else {
                assertTrue(file.toString().endsWith(".aarch64.rpm"), file.toString());
            }
        }
        assertEquals(3, unpacked);
        expectObjectsOfAarch64(tree);
        expectToServe(qemu, tree);
    }

    private void expectObjectsOfAarch64(Path tree) throws Exception {
        int objects = 0;
        try (Stream<Path> found = Files.walk(tree)) {
            for (Path file : found.filter(Files::isRegularFile).toList()) {
                byte[] start = Files.readAllBytes(file);
                if (start.length > 20 && start[0] == 0x7f && start[1] == 'E' && start[2] == 'L' && start[3] == 'F') {
                    objects++;
                    assertEquals(183, (start[18] & 0xff) | (start[19] & 0xff) << 8, file + ": e_machine, elf(5)");
                }
            }
        }
        assertTrue(objects >= 3, "libsendfiled.so, libsendfiled-jni.so and sendfiled-start");
    }

    private void expectToServe(String qemu, Path tree) throws Exception {
        String libraries = tree.resolve("usr/lib/aarch64-linux-gnu").toString();
        Path program = directory.resolve("program");
        HelperProgram.output(
                "aarch64-linux-gnu-gcc",
                "-std=c99",
                "-D_POSIX_C_SOURCE=200809L",
                "-I" + tree.resolve("usr/include"),
                Installed.source("test-native/installed/program.c").toString(),
                "-L" + libraries,
                "-lsendfiled",
                "-o",
                program.toString());
        assertEquals(
                "started",
                HelperProgram.output(
                        "timeout",
                        "60",
                        qemu,
                        "-L",
                        ROOT,
                        tree.resolve("usr/lib/sendfiled/sendfiled-start").toString(),
                        "/bin/echo",
                        "started"));
        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, TestDaemon.Options.STANDARD)) {
            Content.write(daemon.root().resolve("file"), SIZE);
            assertEquals(
                    Integer.toString(SIZE),
                    HelperProgram.output(
                            "timeout",
                            "60",
                            qemu,
                            "-L",
                            ROOT,
                            "-E",
                            "LD_LIBRARY_PATH=" + libraries,
                            program.toString(),
                            directory.toString(),
                            TestDaemon.NAME,
                            "file",
                            daemon.root().toString()));
            daemon.expectNoLeak();
        }
    }

    private static List<Path> files(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.toList();
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    private static boolean isInstalled(String program) {
        return Stream.of(System.getenv("PATH").split(":"))
                .anyMatch(place -> Files.isExecutable(Path.of(place, program)));
    }
}
