package io.sendfiled.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Where the programs are that the harness starts, and how one is started and waited for.
 *
 * <p>{@code sendfiled.test.bin} holds the native helpers, {@code sendfiled.test.dist} the runnable tree.
 */
record Programs(Path helpers, Path dist) {
    /** How long a server may take until it answers; a JVM on a busy machine is the slowest. */
    static final long START_TIMEOUT_MS = 15_000;

    private static final int FIRST_TO_WARN_OF_NATIVE_ACCESS = 24;
    private static final int WRITABLE_BY_OTHERS = 0022;
    private static final int OPEN_TO_OTHERS = 0001;

    static Programs fromSystemProperties() {
        return new Programs(
                Path.of(System.getProperty("sendfiled.test.bin", "target/cmake/bin")),
                Path.of(System.getProperty("sendfiled.test.dist", "target/dist")));
    }

    /**
     * Where files to serve are made: {@code target/NAME}; where the harness runs as root in somebody else's checkout, as in a
     * container, or in one that is closed to others, a new directory of root's own, because a daemon that root starts serves
     * none that others can replace, and as a user of its own.
     */
    static Path workDirectory(String name) throws IOException {
        Path inTree = Path.of(System.getProperty("sendfiled.test.source", "."), "target", name)
                .toAbsolutePath()
                .normalize();
        for (Path on = inTree; on != null && isRoot(); on = on.getParent()) {
            if (Files.exists(on) && isUnfit(on)) {
                Path made = Files.createTempDirectory(Path.of("/var/tmp"), "sendfiled-" + name);
                Files.setAttribute(made, "unix:mode", 0755);
                return made;
            }
        }
        return inTree;
    }

    private static boolean isUnfit(Path directory) throws IOException {
        int mode = (Integer) Files.getAttribute(directory, "unix:mode");
        return (Integer) Files.getAttribute(directory, "unix:uid") != 0
                || (mode & WRITABLE_BY_OTHERS) != 0
                || (mode & OPEN_TO_OTHERS) == 0;
    }

    static boolean isRoot() throws IOException {
        return (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
    }

    Path helper(String name) throws IOException {
        return existing(helpers.resolve(name));
    }

    Path daemon() throws IOException {
        return existing(dist.resolve("bin/sendfiled"));
    }

    Path sfd() throws IOException {
        return existing(dist.resolve("bin/sfd"));
    }

    boolean hasHelper(String name) {
        return Files.isExecutable(helpers.resolve(name));
    }

    /** Whether the search path has a program. */
    static boolean isInstalled(String name) {
        return Arrays.stream(System.getenv().getOrDefault("PATH", "").split(":"))
                .anyMatch(directory -> Files.isExecutable(Path.of(directory, name)));
    }

    private static Path existing(Path program) throws IOException {
        if (!Files.isExecutable(program)) {
            throw new IOException(program + " is missing: run ./dev build");
        }
        return program.toAbsolutePath();
    }

    /** Runs a program to its end. Blocks. Its standard output is returned, its standard error is the caller's. */
    static String run(List<String> command, long timeoutMs) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            process.getOutputStream().close();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (!process.waitFor(timeoutMs, TimeUnit.MILLISECONDS)) {
                throw new IOException(command.get(0) + " did not end within " + timeoutMs + " ms");
            }
            return output.strip();
        } finally {
            process.destroyForcibly();
        }
    }

    static List<String> command(Path program, Object... args) {
        List<String> command = new ArrayList<>();
        command.add(program.toString());
        for (Object arg : args) {
            command.add(arg.toString());
        }
        return command;
    }

    /** How a class is started, with the options of a usual server. */
    static List<String> java(Jdk jdk, Path library, String classPath, Class<?> main, Object... args) {
        List<String> command = command(
                jdk.java(), "-Xmx256m", "-Dsendfiled.library.path=" + library, "-cp", classPath, main.getName());
        if (jdk.feature() >= FIRST_TO_WARN_OF_NATIVE_ACCESS) {
            command.add(1, "--enable-native-access=ALL-UNNAMED");
        }
        for (Object arg : args) {
            command.add(arg.toString());
        }
        return command;
    }

    /** Starts a process that ends with this one at the latest, however this one ends (but for SIGKILL). */
    static Process startAttached(ProcessBuilder builder) throws IOException {
        Process process = builder.start();
        Thread end = new Thread(process::destroy, "end of " + builder.command().get(0));
        Runtime.getRuntime().addShutdownHook(end);
        return process;
    }

    /** SIGTERM, and after five seconds SIGKILL. Returns the exit status. */
    static int stop(Process process) throws InterruptedException {
        process.destroy();
        if (!process.waitFor(5, TimeUnit.SECONDS)) {
            process.destroyForcibly();
        }
        return process.waitFor();
    }

    static void signal(Process process, String signal) throws IOException, InterruptedException {
        run(List.of("kill", "-" + signal, Long.toString(process.pid())), START_TIMEOUT_MS);
    }
}
