package io.sendfiled.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.SplittableRandom;

/** Files of random bytes, made once and kept: the same bytes for the same name and size. */
final class TestFiles {
    private static final int BLOCK = 1024 * 1024;

    private TestFiles() {}

    /** The file `name` of `size` bytes in `directory`, made when it is missing or of another size. Blocks. */
    static Path file(Path directory, String name, long size) throws IOException {
        Path file = directory.resolve(name);
        Files.createDirectories(directory);
        if (!Files.exists(file) || Files.size(file) != size) {
            Path unfinished = directory.resolve(name + ".part");
            write(unfinished, size, name.hashCode());
            Files.move(unfinished, file, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        }
        return file;
    }

    private static void write(Path file, long size, long seed) throws IOException {
        SplittableRandom random = new SplittableRandom(seed);
        byte[] block = new byte[(int) Math.min(BLOCK, Math.max(size, 1))];
        try (FileChannel out = FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            for (long left = size; left > 0; ) {
                random.nextBytes(block);
                ByteBuffer bytes = ByteBuffer.wrap(block, 0, (int) Math.min(block.length, left));
                while (bytes.hasRemaining()) {
                    left -= out.write(bytes);
                }
            }
        }
    }

    /** Writes a file's pages to the disk: only clean ones can be dropped from the page cache. Blocks. */
    static void flush(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.force(false);
        }
    }

    /** Reads a file once, so that its pages are in the page cache. Blocks. */
    static void warm(Path file) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(BLOCK);
        try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
            while (in.read(buffer) >= 0) {
                buffer.clear();
            }
        }
    }
}
