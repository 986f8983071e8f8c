package io.sendfiled.support;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** What the kernel keeps of a file in memory. */
public final class PageCache {
    private PageCache() {}

    /** Writes a file to its disk and drops its pages. Whether they are gone: not every file system has a disk. */
    public static boolean evict(Path file) throws IOException, InterruptedException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
        return HelperProgram.start("evict", file).waitFor() == 0;
    }

    /** Writes a file to its disk, and asks once for its pages from an offset on to be dropped. */
    public static void evictFrom(Path file, long offset) throws IOException, InterruptedException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
        HelperProgram.output(
                "dd", "if=" + file, "iflag=nocache,skip_bytes", "skip=" + offset, "count=0", "status=none");
    }

    /** The bytes of a file that are in memory, in whole pages. */
    public static long resident(Path file) throws IOException, InterruptedException {
        return Long.parseLong(
                HelperProgram.output("fincore", "--bytes", "--noheadings", "--output", "RES", file.toString()));
    }
}
