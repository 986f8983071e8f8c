package io.sendfiled.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A mounted slowfs: the files of a directory, with a wait before each read of up to 128 KiB. Closing unmounts it.
 *
 * <p>Owns the process and the mount. Files are cold until they are read, and again after {@link #makeCold}.
 */
final class SlowDisk implements AutoCloseable {
    private final Process process;
    private final Path mountPoint;

    private SlowDisk(Process process, Path mountPoint) {
        this.process = process;
        this.mountPoint = mountPoint;
    }

    /** Whether this machine can mount one, and if not, why. */
    static String unavailableBecause(Programs programs) {
        if (!programs.hasHelper("slowfs")) {
            return "slowfs was not built (libfuse3 missing)";
        }
        return Files.isWritable(Path.of("/dev/fuse")) ? "" : "/dev/fuse is not there or not writable";
    }

    /** Mounts; blocks until files can be opened. The mount point is created. */
    static SlowDisk mount(Programs programs, Path mountPoint, Path directory, long readMs)
            throws IOException, InterruptedException {
        return mount(programs, mountPoint, directory, "--read-ms", readMs);
    }

    /** One that answers no read of a file whose name contains this until {@link #release}; otherwise the same. */
    static SlowDisk mountHeld(Programs programs, Path mountPoint, Path directory, String held)
            throws IOException, InterruptedException {
        return mount(programs, mountPoint, directory, "--hold", held);
    }

    private static SlowDisk mount(Programs programs, Path mountPoint, Path directory, String option, Object value)
            throws IOException, InterruptedException {
        // One that was killed leaves its mount, which then answers ENOTCONN to everything.
        new ProcessBuilder("fusermount3", "-q", "-u", "-z", mountPoint.toString())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start()
                .waitFor();
        Files.createDirectories(mountPoint);
        Process process = Programs.startAttached(
                new ProcessBuilder(Programs.command(programs.helper("slowfs"), mountPoint, directory, option, value))
                        .redirectError(ProcessBuilder.Redirect.INHERIT));
        BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        if (!"ready".equals(out.readLine())) {
            process.destroy();
            throw new IOException("slowfs could not be mounted at " + mountPoint);
        }
        return new SlowDisk(process, mountPoint);
    }

    /**
     * Drops the pages of files from the page cache, until they are gone. Blocks.
     *
     * @throws IOException if they stay: the reason is on standard error
     */
    static void makeCold(Programs programs, List<Path> files) throws IOException, InterruptedException {
        List<String> command = Programs.command(programs.helper("evict"), files.toArray());
        if (!Programs.run(command, Programs.START_TIMEOUT_MS * files.size()).equals("cold")) {
            throw new IOException("files cannot be made cold");
        }
    }

    /** Lets the reads that are held, and all later ones, go on. */
    void release() throws IOException, InterruptedException {
        Programs.signal(process, "USR1");
    }

    /** Holds reads again. */
    void hold() throws IOException, InterruptedException {
        Programs.signal(process, "USR2");
    }

    Path mountPoint() {
        return mountPoint;
    }

    @Override
    public void close() {
        try {
            Programs.stop(process);
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
