package io.sendfiled.jni;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.Relocated;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
    void shouldTakeTheJarsOwnWhenOneOfAnotherVersionIsFoundFirst() throws Exception {
        Path other = directory.resolve("libsendfiled-jni.so");
        byte[] library = Files.readAllBytes(JNI_DIRECTORY.resolve("libsendfiled-jni.so"));
        String text = new String(library, ISO_8859_1);
        String version = NativeLibrary.version();
        Files.writeString(
                other, text.replace("\0" + version + "\0", "\0" + "9".repeat(version.length()) + "\0"), ISO_8859_1);

        assertEquals("available", probe("-Djava.library.path=" + directory));

        String answer = probe("-Dsendfiled.library.path=" + directory);
        assertTrue(answer.contains("of version 9") && answer.contains("sendfiled.library.path"), answer);
    }

    @Test
    void shouldLoadForClassesThatHaveBeenRelocated() throws Exception {
        Path relocated = directory.resolve("relocated");
        for (String origin : List.of(origin(NativeLibrary.class), origin(LibraryProbe.class))) {
            Relocated.copy(Path.of(origin), relocated, "io/sendfiled", "org/example/sendfiled");
        }
        String probe = LibraryProbe.class.getName().replace("io.sendfiled", "org.example.sendfiled");

        assertEquals(
                "available", run(relocated.toString(), probe, List.of("-Dsendfiled.library.path=" + JNI_DIRECTORY)));
        assertEquals("available", run(relocated.toString(), probe, List.of("-Djava.library.path=" + relocated)));
        // Beside classes of the original name, which must not get the natives.
        String both = relocated + File.pathSeparator + origin(NativeLibrary.class);
        assertEquals("available", run(both, probe, List.of("-Djava.library.path=" + JNI_DIRECTORY)));
    }

    /** A JVM that runs on musl has its loader mapped; this one has a file of that name. */
    @Test
    void shouldRefuseTheJarsLibraryOnMuslButNotOneThatIsNamed() throws Exception {
        Path loader =
                Files.copy(JNI_DIRECTORY.resolve("libsendfiled-jni.so"), directory.resolve("ld-musl-x86_64.so.1"));
        List<String> preload = List.of("env", "LD_PRELOAD=" + loader);

        List<String> jar = new ArrayList<>(preload);
        jar.addAll(java(classPath(), LibraryProbe.class.getName(), List.of("-Djava.library.path=" + directory)));
        String answer = output(jar);
        assertTrue(answer.contains("musl") && answer.contains("-Dsendfiled.library.path"), answer);

        List<String> named = new ArrayList<>(preload);
        named.addAll(
                java(classPath(), LibraryProbe.class.getName(), List.of("-Dsendfiled.library.path=" + JNI_DIRECTORY)));
        assertEquals("available", output(named));
    }

    @Test
    void shouldSayWhatIsWrongWithTheTemporaryDirectoryAndWhichPropertyIsTheWayOut() throws Exception {
        String mount = "set -e; cd \"$1\"; shift; mkdir noexec full readonly forbidden; chmod 0 forbidden;"
                + " mount -t tmpfs -o noexec none noexec; mount -t tmpfs -o size=64k none full;"
                + " mount -t tmpfs -o ro none readonly; exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";
        List<String> command = new ArrayList<>(List.of("unshare", "--mount", "--map-root-user"));
        command.addAll(List.of("sh", "-c", mount, "sh", directory.toString()));
        assumeTrue(
                new ProcessBuilder("unshare", "--mount", "--map-root-user", "true")
                                .start()
                                .waitFor()
                        == 0,
                "no user namespaces here, to mount in");
        Map<String, String> reasons = new LinkedHashMap<>();
        reasons.put("noexec", "failed to map segment");
        reasons.put("full", "No space left on device");
        reasons.put("readonly", "Read-only file system");
        reasons.put("absent", "NoSuchFileException");
        reasons.put("forbidden", "AccessDeniedException");
        List<String> places = reasons.keySet().stream()
                .map(name -> directory.resolve(name).toString())
                .toList();
        command.addAll(java(classPath(), LibraryProbe.class.getName(), List.of("-Djava.library.path=" + directory)));
        command.addAll(places);

        List<String> answers = output(command).lines().toList();

        assertEquals(places.size(), answers.size(), answers::toString);
        int i = 0;
        for (String reason : reasons.values()) {
            String answer = answers.get(i);
            for (String part : List.of(
                    reason, places.get(i), "java.io.tmpdir", "noexec", "-Dsendfiled.library.path", "META-INF/native")) {
                assertTrue(answer.contains(part), part + " is missing: " + answer);
            }
            i++;
        }
    }

    @Test
    @EnabledForJreRange(min = JRE.JAVA_24, disabledReason = "older ones allow native access to everyone")
    void shouldNameTheFlagWhenNativeAccessIsDenied() throws Exception {
        String answer = probe("--illegal-native-access=deny", "-Dsendfiled.library.path=" + JNI_DIRECTORY);
        assertTrue(answer.contains("--enable-native-access=ALL-UNNAMED"), answer);
    }

    /** What {@link LibraryProbe} says in a fresh JVM whose class path and temporary files begin in the directory. */
    private String probe(String... options) throws IOException, InterruptedException {
        return run(classPath(), LibraryProbe.class.getName(), List.of(options));
    }

    private String classPath() {
        return String.join(
                File.pathSeparator, directory.toString(), origin(NativeLibrary.class), origin(LibraryProbe.class));
    }

    private String run(String classPath, String main, List<String> options) throws IOException, InterruptedException {
        return output(java(classPath, main, options));
    }

    private List<String> java(String classPath, String main, List<String> options) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-Xcheck:jni", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"));
        command.add("-Djava.io.tmpdir=" + directory);
        command.addAll(options);
        command.addAll(List.of("-cp", classPath, main));
        return command;
    }

    private static String output(List<String> command) throws IOException, InterruptedException {
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
