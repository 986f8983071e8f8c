package io.sendfiled.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** The C library as it is installed in {@code target/dist}, and what its users' programs are compiled with. */
public final class Installed {
    public static final Path TREE =
            Path.of(System.getProperty("sendfiled.test.dist", "target/dist")).toAbsolutePath();
    public static final Path LIBRARY = TREE.resolve("lib/libsendfiled.so");
    public static final Path ARCHIVE = TREE.resolve("lib/libsendfiled.a");

    public static final List<String> C99 = List.of("cc", "-std=c99");
    public static final List<String> CXX11 = List.of("c++", "-std=c++11");

    private static final List<String> WARNINGS = List.of("-Wall", "-Wextra", "-Wpedantic", "-Werror");

    private static final Path SOURCE =
            Path.of(System.getProperty("sendfiled.test.source", ".")).toAbsolutePath();

    private Installed() {}

    /** How a program is linked with the library. */
    public enum Linkage {
        SHARED,
        /** The library's archive, and the system's shared libraries. */
        ARCHIVE,
        /** Without any shared library. */
        STATIC
    }

    /** A file of the source tree. */
    public static Path source(String name) {
        return SOURCE.resolve(name);
    }

    /** The symbols that the library has to have, each with its version, in the order in which they came. */
    public static Map<String, String> expectedSymbols() throws IOException {
        Map<String, String> versions = new LinkedHashMap<>();
        for (String line : Files.readAllLines(source("test-native/golden/libsendfiled.symbols"))) {
            if (!line.startsWith("#")) {
                int space = line.indexOf(' ');
                versions.put(line.substring(space + 1), line.substring(0, space));
            }
        }
        return versions;
    }

    /** What pkg-config says of the installed library. */
    public static List<String> flags(String... options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("pkg-config"));
        Collections.addAll(command, options);
        command.add("sendfiled");
        return List.of(output(command).strip().split("\\s+"));
    }

    /**
     * All that a command prints, its errors, too.
     *
     * @throws IOException if it ends with another status than 0
     */
    public static String output(List<String> command) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment()
                .put("PKG_CONFIG_PATH", TREE.resolve("lib/pkgconfig").toString());
        Process process = builder.start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + " failed: " + output);
        }
        return output;
    }

    public static String output(String... command) throws IOException, InterruptedException {
        return output(List.of(command));
    }

    /** Compiles a program of the source tree by what pkg-config says, with every warning an error, and links it. */
    public static Path build(Path directory, List<String> compiler, String source, Linkage linkage)
            throws IOException, InterruptedException {
        Path program = directory.resolve("program");
        List<String> command = new ArrayList<>(compiler);
        command.addAll(WARNINGS);
        command.addAll(flags("--cflags"));
        Collections.addAll(command, source(source).toString(), "-o", program.toString());
        switch (linkage) {
            case SHARED -> {
                command.addAll(flags("--libs"));
                command.add("-Wl,-rpath," + TREE.resolve("lib"));
            }
            case ARCHIVE -> {
                command.add("-Wl,-Bstatic");
                command.addAll(flags("--libs", "--static"));
                command.add("-Wl,-Bdynamic");
            }
            case STATIC -> {
                assumeTrue(
                        Path.of(output("cc", "-print-file-name=libc.a").strip()).isAbsolute(),
                        "the system's C library has no archive here");
                command.add("-static");
                command.addAll(flags("--libs", "--static"));
            }
        }
        output(command);
        boolean needed = Pattern.compile("NEEDED.*libsendfiled\\.so\\.1")
                .matcher(output("readelf", "-d", program.toString()))
                .find();
        assertEquals(linkage == Linkage.SHARED, needed, "linked with the shared library");
        return program;
    }
}
