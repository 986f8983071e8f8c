package io.sendfiled.support;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A cgroup of its own with a limit of memory, of version 1 or 2; only root can make one. Closing it removes it. */
public final class MemoryCgroup implements AutoCloseable {
    private static final Path V1 = Path.of("/sys/fs/cgroup/memory");
    private static final Path V2 = Path.of("/sys/fs/cgroup");

    private static final String BECOME = """
            echo $$ > "$0" && exec "$@"
            """;

    private final Path directory;
    private final boolean unified;

    private MemoryCgroup(Path directory, boolean unified) {
        this.directory = directory;
        this.unified = unified;
    }

    /** Null where none can be made: no rights, or no controller of memory. */
    public static @Nullable MemoryCgroup make(long bytes) {
        boolean unified = !Files.exists(V1.resolve("memory.limit_in_bytes"));
        MemoryCgroup cgroup = new MemoryCgroup(
                (unified ? V2 : V1)
                        .resolve("sendfiled-test-" + ProcessHandle.current().pid()),
                unified);
        try {
            if (unified) {
                Files.writeString(V2.resolve("cgroup.subtree_control"), "+memory");
            }
            Files.createDirectory(cgroup.directory);
            Files.writeString(
                    cgroup.directory.resolve(unified ? "memory.max" : "memory.limit_in_bytes"), Long.toString(bytes));
            return cgroup;
        } catch (IOException e) {
            cgroup.close();
            return null;
        }
    }

    /** A program that moves itself there, and becomes the program that is appended to it. */
    public List<String> starter() {
        return List.of(
                "/bin/sh", "-c", BECOME, directory.resolve("cgroup.procs").toString());
    }

    /** How many of its processes the kernel has killed. */
    public long kills() throws IOException {
        for (String line : Files.readAllLines(directory.resolve(unified ? "memory.events" : "memory.oom_control"))) {
            if (line.startsWith("oom_kill ")) {
                return Long.parseLong(line.substring("oom_kill ".length()));
            }
        }
        return 0;
    }

    @Override
    public void close() {
        Await.until("the cgroup to be empty", this::isRemoved);
    }

    private boolean isRemoved() {
        try {
            Files.deleteIfExists(directory);
            return true;
        } catch (IOException e) { // a process of it has not ended yet
            return false;
        }
    }
}
