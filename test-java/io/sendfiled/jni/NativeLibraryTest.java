package io.sendfiled.jni;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.HelperProgram;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.io.TempDir;

/** A JVM loads the library once, so what can go otherwise is tried in JVMs of their own. */
final class NativeLibraryTest {
    private static final Path JNI_DIRECTORY = Path.of(System.getProperty(NativeLibrary.PATH_PROPERTY, ""));

    @TempDir
    Path directory;

    @Test
    void shouldLoadTheLibraryOfTheSameVersion() {
        assertNull(NativeLibrary.unavailabilityCause());
        assertTrue(NativeLibrary.isAvailable());
        NativeLibrary.ensureAvailable();
    }

    @Test
    void shouldKnowItsVersion() {
        assertTrue(NativeLibrary.version().matches("\\d+\\.\\d+\\.\\d+.*"), NativeLibrary.version());
    }

    @Test
    void shouldLoadFromTheExplicitDirectory() throws Exception {
        assertEquals("available", probe("-Dsendfiled.library.path=" + JNI_DIRECTORY));
    }

    @Test
    void shouldLookNowhereElseWhenTheDirectoryIsExplicit() throws Exception {
        String answer = probe("-Dsendfiled.library.path=" + directory, "-Djava.library.path=" + JNI_DIRECTORY);
        assertTrue(
                answer.startsWith("java.lang.UnsatisfiedLinkError") && answer.contains(directory.toString()), answer);
    }

    @Test
    void shouldLoadFromTheJavaLibraryPath() throws Exception {
        assertEquals("available", probe("-Djava.library.path=" + JNI_DIRECTORY));
    }

    @Test
    void shouldLoadFromTheClassPathAndLeaveNoFileBehind() throws Exception {
        assertEquals("available", probe("-Djava.library.path=" + directory));
        assertArrayEquals(new String[0], directory.toFile().list());
    }

    @Test
    void shouldSayWhatIsMissingOnAnotherArchitecture() throws Exception {
        String answer = probe("-Djava.library.path=" + directory, "-Dos.arch=riscv64");
        assertTrue(answer.contains("riscv64") && answer.contains("no native library"), answer);
    }

    @Test
    void shouldRefuseALibraryOfAnotherVersion() throws Exception {
        HelperProgram.output(
                "cp", "-r", Path.of(origin(NativeLibrary.class), "io").toString(), directory.toString());
        Files.writeString(directory.resolve("io/sendfiled/jni/version.txt"), "9.9.9\n"); // of the classes beside it

        String answer = probe("-Dsendfiled.library.path=" + JNI_DIRECTORY);
        assertTrue(answer.contains("9.9.9") && answer.contains(NativeLibrary.version()), answer);
    }

    @Test
    @EnabledForJreRange(min = JRE.JAVA_24, disabledReason = "older ones allow native access to everyone")
    void shouldNameTheFlagWhenNativeAccessIsDenied() throws Exception {
        String answer = probe("--illegal-native-access=deny", "-Dsendfiled.library.path=" + JNI_DIRECTORY);
        assertTrue(answer.contains("--enable-native-access=ALL-UNNAMED"), answer);
    }

    /** What {@link LibraryProbe} says in a fresh JVM whose class path and temporary files begin in the directory. */
    private String probe(String... options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"));
        command.add("-Djava.io.tmpdir=" + directory);
        command.addAll(List.of(options));
        command.add("-cp");
        command.add(String.join(
                File.pathSeparator, directory.toString(), origin(NativeLibrary.class), origin(LibraryProbe.class)));
        command.add(LibraryProbe.class.getName());
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), answer);
        return answer;
    }

    private static String origin(Class<?> type) {
        return Path.of(type.getProtectionDomain().getCodeSource().getLocation().getPath())
                .toString();
    }
}
