package io.sendfiled.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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

    private static final int WRITABLE_BY_OTHERS = 0022;

    static Programs fromSystemProperties() {
        return new Programs(
                Path.of(System.getProperty("sendfiled.test.bin", "target/cmake/bin")),
                Path.of(System.getProperty("sendfiled.test.dist", "target/dist")));
    }

    /**
     * Where files to serve are made: {@code target/NAME}; where the harness runs as root in somebody else's checkout, as in a
     * container, a new directory of root's own, because a daemon of root serves none that others can replace.
     */
    static Path workDirectory(String name) throws IOException {
        Path inTree = Path.of(System.getProperty("sendfiled.test.source", "."), "target", name)
                .toAbsolutePath()
                .normalize();
        int uid = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        for (Path on = inTree; on != null && uid == 0; on = on.getParent()) {
            boolean foreign = Files.exists(on)
                    && ((Integer) Files.getAttribute(on, "unix:uid") != 0
                            || ((Integer) Files.getAttribute(on, "unix:mode") & WRITABLE_BY_OTHERS) != 0);
            if (foreign) {
                return Files.createTempDirectory(Path.of("/var/tmp"), "sendfiled-" + name);
            }
        }
        return inTree;
    }

    Path helper(String name) throws IOException {
        return existing(helpers.resolve(name));
    }

    Path daemon() throws IOException {
        return existing(dist.resolve("bin/sendfiled"));
    }

    boolean hasHelper(String name) {
        return Files.isExecutable(helpers.resolve(name));
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
