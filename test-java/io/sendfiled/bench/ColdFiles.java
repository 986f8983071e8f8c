package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Files of 4 MiB on a disk that takes 20 ms for each read, mounted inside the servers' root. Closing unmounts it.
 *
 * <p>The disk keeps what was read in the page cache, file by file: who needs a cold one makes it cold before.
 */
final class ColdFiles implements AutoCloseable {
    static final int SIZE = 4 << 20;
    static final long READ_MS = 20;

    private static final String MOUNT = "slow";
    /** More names than contents: the page cache knows a file on the disk by its name's inode there. */
    private static final int CONTENTS = 16;

    private final Path root;
    private final SlowDisk disk;
    private final int count;

    private ColdFiles(Path root, SlowDisk disk, int count) {
        this.root = root;
        this.disk = disk;
        this.count = count;
    }

    /** Whether this machine can have that many; if not, the report says why. */
    static boolean available(Scenario.Setting setting, String scenario) {
        String missing = SlowDisk.unavailableBecause(setting.programs());
        if (missing.isEmpty()) {
            return true;
        }
        setting.leaveOut(scenario, "", missing);
        return false;
    }

    /** Makes them where they are missing, and mounts the disk. Blocks. */
    static ColdFiles mount(Scenario.Setting setting, int count) throws IOException, InterruptedException {
        Path sources = setting.files().resolveSibling("cold-sources");
        setting.screen().working("making cold files");
        for (int i = 0; i < count; i++) {
            Path file = sources.resolve(name(i));
            if (i < CONTENTS) {
                TestFiles.file(sources, name(i), SIZE);
            } else if (!Files.exists(file)) {
                Files.createLink(file, sources.resolve(name(i % CONTENTS)));
            }
        }
        return new ColdFiles(
                setting.files(),
                SlowDisk.mount(setting.programs(), setting.files().resolve(MOUNT), sources, READ_MS),
                count);
    }

    private static String name(int number) {
        return "cold-" + number;
    }

    /** The first so many, as local paths. */
    List<Path> paths(int files) {
        List<Path> paths = new ArrayList<>();
        for (int i = 0; i < Math.min(files, count); i++) {
            paths.add(disk.mountPoint().resolve(name(i)));
        }
        return paths;
    }

    /** What has load(1) ask for the first so many, each by a thread of its own that makes it cold before. */
    List<Object> loadOptions(int files) {
        List<Object> options = new ArrayList<>(List.of("--threads", files, "--cold", root));
        for (int i = 0; i < Math.min(files, count); i++) {
            options.add("--path");
            options.add(MOUNT + "/" + name(i));
        }
        return options;
    }

    @Override
    public void close() {
        disk.close();
        try {
            Files.deleteIfExists(disk.mountPoint());
        } catch (IOException e) {
            return; // Still busy: the next run unmounts and uses it again.
        }
    }
}
