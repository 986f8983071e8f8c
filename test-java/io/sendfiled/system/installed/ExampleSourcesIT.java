package io.sendfiled.system.installed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.SystemProgram;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The examples as somebody finds them who has installed a package: short, by themselves, and ready to be built. */
@Timeout(120)
final class ExampleSourcesIT {
    private static final Path DIST =
            Path.of(System.getProperty("sendfiled.test.dist", "target/dist")).toAbsolutePath();
    private static final Path EXAMPLES = DIST.resolve("share/doc/sendfiled/examples");
    private static final int MOST_LINES = 200;

    @TempDir
    private Path directory;

    private static List<Path> sources() throws IOException {
        try (Stream<Path> files = Files.list(EXAMPLES)) {
            return files.filter(file -> file.toString().matches(".*\\.[ch]"))
                    .sorted()
                    .toList();
        }
    }

    @Test
    void shouldBeShortAndIncludeNothingThatIsNotInstalled() throws Exception {
        Pattern include = Pattern.compile("(?m)^#include [<\"](sendfiled/.*|.*[\"])[>]?");
        List<String> faults = new ArrayList<>();
        for (Path source : sources()) {
            String code = Files.readString(source);
            if (code.lines().count() >= MOST_LINES) {
                faults.add(source.getFileName() + " is too long");
            }
            for (Matcher m = include.matcher(code); m.find(); ) {
                String header = m.group(1).replace("\"", "");
                if (!Files.exists(EXAMPLES.resolve(header)) && !Files.exists(DIST.resolve("include/" + header))) {
                    faults.add(source.getFileName() + " includes " + header);
                }
            }
        }
        assertEquals(List.of(), faults);
        assertFalse(sources().isEmpty());
    }

    private static List<Path> javaSources() throws IOException {
        return javaSources("java");
    }

    private static List<Path> javaSources(String directory) throws IOException {
        try (Stream<Path> files = Files.list(EXAMPLES.resolve(directory))) {
            return files.filter(Files::isRegularFile).sorted().toList();
        }
    }

    @Test
    void shouldBeShortInJavaAndImportNothingThatIsNotInstalled() throws Exception {
        assertEquals(List.of(), faults(javaSources(), ""));
        assertTrue(javaSources().size() > 2);
    }

    @Test
    void shouldNeedNothingButTheServerInThoseOfServers() throws Exception {
        List<Path> sources = javaSources("java/netty");
        assertEquals(List.of(), faults(sources, "|io\\.netty\\.|io\\.vertx\\.|reactor\\.|org\\.reactivestreams\\."));
        assertTrue(sources.size() > 2);
    }

    /** @param more packages that may be imported, as the tail of an expression */
    private static List<String> faults(List<Path> sources, String more) throws IOException {
        Pattern imported =
                Pattern.compile("(?m)^import (?!java\\.|io\\.sendfiled\\.|org\\.jspecify\\." + more + ")(.*);");
        List<String> faults = new ArrayList<>();
        for (Path source : sources) {
            String code = Files.readString(source);
            if (code.lines().count() >= MOST_LINES) {
                faults.add(source.getFileName() + " is too long");
            }
            for (Matcher m = imported.matcher(code); m.find(); ) {
                faults.add(source.getFileName() + " imports " + m.group(1));
            }
        }
        return faults;
    }

    @Test
    void shouldCompileInJavaAndRunFromTheDistribution() throws Exception {
        Path classes = Files.createDirectory(directory.resolve("classes"));
        String jar = DIST.resolve("lib/sendfiled/sendfiled.jar").toString();
        List<String> arguments =
                new ArrayList<>(List.of("-Xlint:all", "-Werror", "-cp", jar, "-d", classes.toString()));
        javaSources().forEach(source -> arguments.add(source.toString()));
        JavaCompiler javac = Objects.requireNonNull(ToolProvider.getSystemJavaCompiler(), "this is no JDK");
        assertEquals(0, javac.run(null, null, null, arguments.toArray(new String[0])));

        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, TestDaemon.Options.STANDARD)) {
            Content content = Content.write(daemon.root().resolve("file"), 100_000);
            List<String> command = List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-cp",
                    classes + ":" + jar,
                    "io.sendfiled.examples.ReadBuffer",
                    directory.toString(),
                    TestDaemon.NAME,
                    "file");
            try (Program program = Program.start(directory, command, Map.of())) {
                assertEquals(content, Content.of(program.report()));
                assertEquals(0, program.awaitExit(), program.errors());
            }
        }
    }

    @Test
    void shouldBuildAndRunFromTheDistribution() throws Exception {
        SystemProgram.require("make");
        Path build = Files.createDirectory(directory.resolve("build"));
        Files.copy(EXAMPLES.resolve("Makefile"), build.resolve("Makefile"));
        for (Path source : sources()) {
            Files.copy(source, build.resolve(source.getFileName()));
        }
        Map<String, String> environment = Map.of(
                "PATH",
                System.getenv("PATH"),
                "PKG_CONFIG_PATH",
                DIST.resolve("lib/pkgconfig").toString());
        List<String> make = List.of("make", "-s", "-C", build.toString(), "CFLAGS=-O1 -Wall -Wextra -Werror");
        try (Program program = Program.start(directory, make, environment)) {
            assertEquals("", program.output(), program.errors());
            assertEquals(0, program.awaitExit(), program.errors());
        }

        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, TestDaemon.Options.STANDARD)) {
            Content content = Content.write(daemon.root().resolve("file"), 100_000);
            List<String> command =
                    List.of(build.resolve("read_buffer").toString(), directory.toString(), TestDaemon.NAME, "file");
            try (Program program = Program.start(directory, command, Map.of())) {
                assertEquals(content, Content.of(program.report()));
                assertEquals(0, program.awaitExit(), program.errors());
            }
        }
    }
}
