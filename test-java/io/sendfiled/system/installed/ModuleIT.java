package io.sendfiled.system.installed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.system.Program;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The jar as a program's only library, on the class path and on the module path: what an embedder needs can be imported, the
 * rest cannot, and the native library comes out of the jar. On the JDK of the tests, and on each other release that is
 * installed here.
 */
@Timeout(120)
final class ModuleIT {
    private static final Path JAR = Path.of(
                    System.getProperty("sendfiled.test.dist", "target/dist"),
                    "lib/sendfiled",
                    "sendfiled-" + NativeLibrary.version() + ".jar")
            .toAbsolutePath();
    private static final Path INSTALLED = Path.of("/usr/lib/jvm");
    private static final int OLDEST = 17;

    /** The first that warns about native access which nobody has allowed. */
    private static final int WARNS = 24;

    private static final String MODULE_INFO = "module app { requires io.sendfiled; }";

    /** Embeds an engine, and reads a file from it through a client of its own. */
    private static final String MAIN = """
            package app;

            import io.sendfiled.Sendfiled;
            import io.sendfiled.client.SendfiledClient;
            import io.sendfiled.client.TransferOptions;
            import io.sendfiled.client.FileRequest;
            import io.sendfiled.config.SendfiledConfig;
            import io.sendfiled.counters.Counter;
            import io.sendfiled.sys.NativeIoException;
            import io.sendfiled.technique.Technique;
            import java.nio.channels.Channels;
            import java.nio.file.Path;

            public final class Main {
                public static void main(String[] args) throws Exception {
                    Path root = Path.of(args[0]);
                    SendfiledConfig config =
                            SendfiledConfig.builder().name("app").root(root).socketDirectory(root).build();
                    System.out.println(Sendfiled.class.getModule());
                    try (Sendfiled server = Sendfiled.launch(config, (size, type, blocking) -> Technique.AUTO);
                            SendfiledClient client = SendfiledClient.connect(root, "app")) {
                        FileRequest request =
                                FileRequest.of("file").with(TransferOptions.DEFAULT.withDetails(true));
                        client.readTo(request, Channels.newChannel(System.out)).await();
                        System.out.println(server.counters().get(Counter.REQUESTS));
                        Sendfiled.launch(config);
                    } catch (NativeIoException e) {
                        System.out.println(e.errno());
                    }
                }
            }
            """;

    @TempDir
    private Path directory;

    /** One home of each release, the tests' own first. */
    static Stream<Path> homes() throws IOException {
        Map<Integer, Path> homes = new TreeMap<>();
        homes.put(Runtime.version().feature(), Path.of(System.getProperty("java.home")));
        if (Files.isDirectory(INSTALLED)) {
            try (Stream<Path> directories = Files.list(INSTALLED)) {
                for (Path home : directories.sorted().toList()) {
                    if (Files.isExecutable(home.resolve("bin/java")) && releaseOf(home) >= OLDEST) {
                        homes.putIfAbsent(releaseOf(home), home);
                    }
                }
            }
        }
        return homes.values().stream();
    }

    private static int releaseOf(Path home) throws IOException {
        Properties release = new Properties();
        Path file = home.resolve("release");
        if (Files.exists(file)) {
            try (Reader in = Files.newBufferedReader(file)) {
                release.load(in);
            }
        }
        String version = release.getProperty("JAVA_VERSION", "0").replace("\"", "");
        return Integer.parseInt(version.split("[.+-]", -1)[0]);
    }

    @ParameterizedTest
    @MethodSource("homes")
    void shouldServeAnEmbedderOnTheModulePath(Path home) throws Exception {
        Path classes = compile("-p", JAR.toString(), write("module-info.java", MODULE_INFO), write("Main.java", MAIN));

        assertEquals(
                "module io.sendfiled\ncontent\n1\n98\n",
                run(home, "io.sendfiled", "-p", JAR + ":" + classes, "-m", "app/app.Main"));
    }

    @ParameterizedTest
    @MethodSource("homes")
    void shouldServeAnEmbedderOnTheClassPath(Path home) throws Exception {
        Path classes = compile("-cp", JAR.toString(), write("Main.java", MAIN));

        String output = run(home, "ALL-UNNAMED", "-cp", JAR + ":" + classes, "app.Main");

        assertTrue(output.startsWith("unnamed module") && output.endsWith("\ncontent\n1\n98\n"), output);
    }

    @Test
    void shouldHideTheInternalPackages() throws Exception {
        String module = write("module-info.java", MODULE_INFO);
        String modules = JAR.toString();
        String classPath = directory.toString(); // not that of the tests
        for (String internal : List.of("jni.NativeLibrary", "engine.Engine", "protocol.Wire", "daemon.Main")) {
            String source = write("Main.java", "package app; interface Main extends io.sendfiled." + internal + " {}");
            ByteArrayOutputStream errors = new ByteArrayOutputStream();
            int status = javac().run(
                            null, null, errors, "-XDrawDiagnostics", "-cp", classPath, "-p", modules, module, source);
            String text = errors.toString(StandardCharsets.UTF_8);
            assertNotEquals(0, status);
            assertTrue(text.contains("not.def.access.not.exported: io.sendfiled."), text);
        }
    }

    private String write(String name, String text) throws IOException {
        return Files.writeString(directory.resolve(name), text).toString();
    }

    private static JavaCompiler javac() {
        return Objects.requireNonNull(ToolProvider.getSystemJavaCompiler(), "this is no JDK");
    }

    /** Compiles with the jar and nothing else, not even its annotations. */
    private Path compile(String... arguments) throws IOException {
        Path classes = Files.createDirectory(directory.resolve("classes"));
        List<String> all = new ArrayList<>(List.of("--release", "17", "-d", classes.toString()));
        all.addAll(Arrays.asList(arguments));
        assertEquals(0, javac().run(null, null, null, all.toArray(new String[0])));
        return classes;
    }

    private String run(Path home, String nativeAccess, String... arguments) throws Exception {
        Path root = Files.createDirectory(directory.resolve("root"));
        Files.writeString(root.resolve("file"), "content\n");
        List<String> command = new ArrayList<>(List.of(home.resolve("bin/java").toString(), "-XX:+UseSerialGC"));
        if (releaseOf(home) >= WARNS) {
            command.add("--illegal-native-access=deny");
            command.add("--enable-native-access=" + nativeAccess);
        }
        command.addAll(Arrays.asList(arguments));
        command.add(root.toString());
        try (Program program = Program.start(directory, command, Map.of())) {
            String output = program.output();
            assertEquals(0, program.awaitExit(), program.errors());
            assertEquals("", program.errors());
            return output;
        }
    }
}
