package io.sendfiled.system;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Await;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The program {@code sendfiled} of the built tree, run as a process; killed at the end of a test if it still runs. */
public final class Program implements AutoCloseable {
    public static final Path LAUNCHER = Path.of(
                    System.getProperty("sendfiled.test.dist", "target/dist"), "bin", "sendfiled")
            .toAbsolutePath();

    public static final boolean ROOT = isRoot();

    /** For its environment: where the tests run as root, it may as well. */
    public static final Map<String, String> ALLOW_ROOT = ROOT ? Map.of("SENDFILED_ALLOW_ROOT", "1") : Map.of();

    /** What ignores no signal, whatever the tests have inherited: nohup and a shell's "&" ignore some. */
    private static final List<String> DEFAULT_SIGNALS = List.of("/usr/bin/env", "--default-signal", "--");

    private final Process process;
    private final Path errors;

    private Program(Process process, Path errors) {
        this.process = process;
        this.errors = errors;
    }

    /** Runs it with arguments, and with {@code --allow-root} in the environment where the tests run as root. */
    public static Program start(Path scratch, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(LAUNCHER.toString()));
        command.addAll(Arrays.asList(arguments));
        return start(scratch, command, ALLOW_ROOT);
    }

    /** As {@link #start}, with descriptor 3 on {@link #report()}'s pipe. */
    public static Program startReporting(Path scratch, String... arguments) throws IOException {
        return shell(scratch, "exec \"$@\" 3>&1 >/dev/null", arguments);
    }

    /** Runs a line of shell in which {@code "$@"} is the program and its arguments. */
    public static Program shell(Path scratch, String line, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", line, "sh", LAUNCHER.toString()));
        command.addAll(Arrays.asList(arguments));
        return start(scratch, command, ALLOW_ROOT);
    }

    /**
     * Runs a command with the default action of every signal, in an environment that holds nothing but what is given,
     * TMPDIR, for what a process in the background says, and JAVA_HOME where the tests have one.
     */
    public static Program start(Path scratch, List<String> command, Map<String, String> environment)
            throws IOException {
        Path errors = Files.createTempFile(scratch, "stderr", ".txt");
        List<String> whole = new ArrayList<>(DEFAULT_SIGNALS);
        whole.addAll(command);
        ProcessBuilder builder =
                new ProcessBuilder(whole).directory(scratch.toFile()).redirectError(errors.toFile());
        builder.environment().clear();
        builder.environment().put("TMPDIR", scratch.toString());
        builder.environment().putAll(environment);
        String home = System.getenv("JAVA_HOME");
        if (home != null) {
            builder.environment().putIfAbsent("JAVA_HOME", home);
        }
        return new Program(builder.start(), errors);
    }

    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** The exit status; 128 and more for a signal, as Java has it. */
    public int awaitExit() throws InterruptedException {
        assertTrue(process.waitFor(Await.LONG.toSeconds(), TimeUnit.SECONDS), "it did not end");
        return process.exitValue();
    }

    /** Waits for the first byte on standard output. */
    public void awaitOutput() {
        Await.until("output", () -> {
            try {
                return process.getInputStream().available() > 0;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    /** All that it has written to standard output, at its end or when it let go of it. */
    public String output() throws IOException {
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    /** The same as bytes. */
    public byte[] outputBytes() throws IOException {
        return process.getInputStream().readAllBytes();
    }

    /** All that was written to descriptor 3 until it was closed. */
    public byte[] report() throws IOException {
        return process.getInputStream().readAllBytes();
    }

    /** How much of standard output waits to be read. */
    public int available() {
        try {
            return process.getInputStream().available();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What it has written to standard error, while it may still run. */
    public String errorsSoFar() {
        return tryErrors();
    }

    public String errors() throws IOException {
        return Files.readString(errors);
    }

    public void awaitServing(Path socket) {
        Await.until("the socket " + socket, () -> Files.exists(socket) || !process.isAlive());
        Await.until("a word of its start", () -> contains("serving") || !process.isAlive());
        assertTrue(process.isAlive(), () -> "it ended: " + tryErrors());
    }

    public void signal(String name) throws IOException, InterruptedException {
        signal(process.pid(), name);
    }

    public static void signal(long pid, String name) throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("/bin/sh", "-c", "kill -" + name + " " + pid).start();
        assertTrue(kill.waitFor(Await.LONG.toSeconds(), TimeUnit.SECONDS), "kill did not end");
    }

    private boolean contains(String text) {
        return tryErrors().contains(text);
    }

    private String tryErrors() {
        try {
            return errors();
        } catch (IOException e) {
            return e.toString();
        }
    }

    private static boolean isRoot() {
        try {
            return ((Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid")) == 0;
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** What it has started ends with it, and before this returns: a daemon by unshare(1) makes no file any more. */
    @Override
    public void close() {
        List<ProcessHandle> all = Stream.concat(process.descendants(), Stream.of(process.toHandle()))
                .toList();
        all.forEach(ProcessHandle::destroyForcibly);
        for (ProcessHandle each : all) {
            each.onExit()
                    .completeOnTimeout(each, Await.LONG.toSeconds(), TimeUnit.SECONDS)
                    .join();
        }
    }
}
