package io.sendfiled.support;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A disk that reads some files only when the test lets it: a mounted slowfs (FUSE).
 *
 * <p>Owns the process and the mount; closing releases what is held.
 */
public final class HeldDisk implements AutoCloseable {
    private final Path mountPoint;
    private final Process process;
    private final BufferedReader out;
    private final Process shell;
    private final BufferedWriter signals;
    private final BufferedReader answers;

    private HeldDisk(Path mountPoint, Process process, BufferedReader out, Process shell) {
        this.mountPoint = mountPoint;
        this.process = process;
        this.out = out;
        this.shell = shell;
        signals = shell.outputWriter(StandardCharsets.US_ASCII);
        answers = shell.inputReader(StandardCharsets.US_ASCII);
    }

    /** Why there can be none on this machine; empty if there can. */
    public static String unavailableBecause() {
        if (!HelperProgram.exists("slowfs")) {
            return "slowfs was not built: libfuse3 is missing";
        }
        return Files.isWritable(Path.of("/dev/fuse")) ? "" : "/dev/fuse is not there or not writable";
    }

    /**
     * Mounts a directory at another place.
     *
     * @param mountPoint is created
     * @param held reads of files whose name contains this wait for {@link #release}
     * @param options more options of slowfs
     */
    public static HeldDisk mount(Path mountPoint, Path directory, String held, String... options) throws IOException {
        Files.createDirectories(mountPoint);
        List<Object> arguments = new ArrayList<>(List.of(mountPoint, directory, "--hold", held));
        arguments.addAll(List.of(options));
        Process process = HelperProgram.start("slowfs", arguments.toArray());
        BufferedReader out = process.inputReader(StandardCharsets.US_ASCII);
        if (!"ready".equals(out.readLine())) {
            process.destroyForcibly();
            throw new IOException("slowfs could not be mounted at " + mountPoint);
        }
        /*
         * Started now: a process that is started while a file of the disk is open closes its copy of the descriptor, and
         * that waits for the disk.
         */
        Process shell = new ProcessBuilder(
                        "sh", "-c", "while read name; do kill -$name " + process.pid() + " && echo sent; done")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        return new HeldDisk(mountPoint, process, out, shell);
    }

    /** Where it is mounted. */
    public Path mountPoint() {
        return mountPoint;
    }

    /** Waits until one more call is held. */
    public void awaitHeld() throws IOException {
        String line = out.readLine();
        if (!"held".equals(line)) {
            throw new IOException("slowfs says: " + line);
        }
    }

    /** Lets the reads that are held, and all later ones, go on. */
    public void release() throws IOException {
        signal("USR1");
    }

    /** Holds reads again. */
    public void hold() throws IOException {
        signal("USR2");
    }

    private void signal(String name) throws IOException {
        signals.write(name + "\n");
        signals.flush();
        String answer = answers.readLine();
        if (!"sent".equals(answer)) {
            throw new IOException("no signal could be sent: " + answer);
        }
    }

    @Override
    public void close() {
        shell.destroy();
        process.destroy();
        try {
            Await.until("slowfs to end after SIGTERM", () -> !process.isAlive());
        } finally {
            process.destroyForcibly();
            unmount();
        }
    }

    /** What slowfs has left mounted: on a busy machine its own attempt fails now and then. */
    private void unmount() {
        try {
            new ProcessBuilder("fusermount3", "-u", "-z", "-q", mountPoint.toString())
                    .redirectError(ProcessBuilder.Redirect.DISCARD) // as a rule, nothing is mounted any more
                    .start()
                    .waitFor(20, TimeUnit.SECONDS);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
