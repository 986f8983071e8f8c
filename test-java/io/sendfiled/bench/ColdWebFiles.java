package io.sendfiled.bench;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Files on a disk that takes 20 ms for each read, mounted inside the root of web servers, for downloads that go on while
 * something else is measured. Closing unmounts it.
 */
final class ColdWebFiles implements AutoCloseable {
    static final int DOWNLOADS = 16;
    private static final long READ_MS = 20;

    /** What a program without read-ahead of its own gets of that disk, which reads 128 KiB at a time. */
    static final ColdDownloads.Pace PACE = new ColdDownloads.Pace(128 << 10, READ_MS);

    /** The buffers on the way to the clients fill as fast as the disk reads. */
    private static final long SETTLING_MS = 500;

    /** So long that no download ends while it is needed, and none has to be made cold again. */
    private static final long SIZE = 64L << 20;

    private final Programs programs;
    private final SlowDisk disk;

    private ColdWebFiles(Programs programs, SlowDisk disk) {
        this.programs = programs;
        this.disk = disk;
    }

    /** Makes the files where they are missing, and mounts the disk. Blocks. */
    static ColdWebFiles mount(Scenario.Setting setting) throws IOException, InterruptedException {
        Path sources = Files.createDirectories(setting.files().resolveSibling("web-cold-sources"));
        for (int i = 0; i < DOWNLOADS; i++) {
            try (RandomAccessFile sparse =
                    new RandomAccessFile(sources.resolve(name(i)).toString(), "rw")) {
                sparse.setLength(SIZE);
            }
        }
        return new ColdWebFiles(
                setting.programs(),
                SlowDisk.mount(setting.programs(), setting.files().resolve("web-slow"), sources, READ_MS));
    }

    private static String name(int number) {
        return "cold-" + number;
    }

    /** Makes them cold, and asks a server for all of them. Blocks until it has asked. */
    ColdDownloads download(WebServer server, ColdDownloads.@Nullable Pace pace)
            throws IOException, InterruptedException {
        List<Path> files = new ArrayList<>();
        for (int i = 0; i < DOWNLOADS; i++) {
            files.add(disk.mountPoint().resolve(name(i)));
        }
        SlowDisk.makeCold(programs, files);
        return ColdDownloads.start(server, disk.mountPoint().getFileName().toString(), files, pace);
    }

    /**
     * Downloads all of them while something is measured, which begins when the buffers on the way are full. Blocks.
     *
     * @return MB/s of the downloads meanwhile
     */
    double measureBeside(WebServer server, ColdDownloads.@Nullable Pace pace, Scenario.Part part)
            throws IOException, InterruptedException {
        try (ColdDownloads downloads = download(server, pace)) {
            Thread.sleep(SETTLING_MS);
            long startNs = System.nanoTime();
            long before = downloads.received();
            part.measure();
            return (downloads.received() - before) * 1e3 / (System.nanoTime() - startNs);
        }
    }

    @Override
    public void close() {
        disk.close();
    }
}
