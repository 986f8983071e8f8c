package io.sendfiled.support;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A disk that reads some files only when the test lets it: a mounted slowfs (FUSE).
 *
 * <p>Owns the process and the mount; closing releases what is held.
 */
public final class HeldDisk implements AutoCloseable {
    private final Process process;

    private HeldDisk(Process process) {
        this.process = process;
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
     */
    public static HeldDisk mount(Path mountPoint, Path directory, String held) throws IOException {
        Files.createDirectories(mountPoint);
        Process process = HelperProgram.start("slowfs", mountPoint, directory, "--hold", held);
        BufferedReader out = process.inputReader(StandardCharsets.US_ASCII);
        if (!"ready".equals(out.readLine())) {
            process.destroyForcibly();
            throw new IOException("slowfs could not be mounted at " + mountPoint);
        }
        return new HeldDisk(process);
    }

    /** Lets the reads that are held, and all later ones, go on. */
    public void release() throws IOException, InterruptedException {
        signal("USR1");
    }

    /** Holds reads again. */
    public void hold() throws IOException, InterruptedException {
        signal("USR2");
    }

    private void signal(String name) throws IOException, InterruptedException {
        int status = new ProcessBuilder(List.of("kill", "-" + name, Long.toString(process.pid())))
                .inheritIO()
                .start()
                .waitFor();
        if (status != 0) {
            throw new IOException("kill: exit status " + status);
        }
    }

    @Override
    public void close() {
        process.destroy();
        try {
            Await.until("slowfs to end after SIGTERM", () -> !process.isAlive());
        } finally {
            process.destroyForcibly();
        }
    }
}
