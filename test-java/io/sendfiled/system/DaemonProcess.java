package io.sendfiled.system;

import io.sendfiled.support.Await;
import io.sendfiled.support.OpenDescriptors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A daemon of {@code target/dist} as a process of its own, taking requests.
 *
 * <p>Its standard error is the test's. Closing it sends SIGTERM and demands a clean end.
 */
public final class DaemonProcess implements AutoCloseable {
    private static final int STOP_SECONDS = 20;

    private final Process process;
    private final Path socket;

    private DaemonProcess(Process process, Path socket) {
        this.process = process;
        this.socket = socket;
    }

    /** Starts {@code sendfiled -S socketDirectory -s name -r root} with more options and waits for its socket. */
    public static DaemonProcess start(Path socketDirectory, String name, Path root, String... options)
            throws IOException {
        return start(Map.of(), socketDirectory, name, root, options);
    }

    /** The same with more in its environment. */
    public static DaemonProcess start(
            Map<String, String> environment, Path socketDirectory, String name, Path root, String... options)
            throws IOException {
        return start(List.of(), environment, socketDirectory, name, root, options);
    }

    /** The same, started by a program that becomes the daemon: the command to run is appended to {@code starter}. */
    public static DaemonProcess start(
            List<String> starter,
            Map<String, String> environment,
            Path socketDirectory,
            String name,
            Path root,
            String... options)
            throws IOException {
        List<String> command = new ArrayList<>(starter);
        command.addAll(
                List.of(program().toString(), "-S", socketDirectory.toString(), "-s", name, "-r", root.toString()));
        command.addAll(List.of(options));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("SENDFILED_ALLOW_ROOT", "1");
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().close();
        DaemonProcess daemon = new DaemonProcess(process, socketDirectory.resolve("sendfiled." + name + ".socket"));
        Await.until(
                "the socket of " + name + " or the end of its daemon",
                () -> Files.exists(daemon.socket) || !process.isAlive());
        if (!process.isAlive()) {
            throw new IOException("the daemon ended at start with status " + process.exitValue());
        }
        return daemon;
    }

    public static Path program() {
        return Path.of(System.getProperty("sendfiled.test.dist", "target/dist"), "bin/sendfiled")
                .toAbsolutePath();
    }

    public Path socket() {
        return socket;
    }

    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    public int openDescriptors() {
        return OpenDescriptors.count(process.pid());
    }

    /** The same when it has started, and is done with what was asked of it. */
    public int settledDescriptors() {
        return OpenDescriptors.settledCount(process.pid());
    }

    /** Sends SIGTERM. */
    public void terminate() {
        process.destroy();
    }

    /** Sends SIGKILL and waits for the end; there is nothing left to close then. */
    public void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    @Override
    public void close() {
        terminate();
        try {
            if (!process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("the daemon lives " + STOP_SECONDS + " s after SIGTERM");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while the daemon ended", e);
        } finally {
            process.destroyForcibly();
        }
        if (process.exitValue() != 0 || Files.exists(socket)) {
            throw new AssertionError("exit status " + process.exitValue() + ", socket left: " + Files.exists(socket));
        }
    }
}
