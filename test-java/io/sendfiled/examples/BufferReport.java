package io.sendfiled.examples;

import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.util.zip.Adler32;

/** What the examples of buffers have in common: saying what one holds, and trying to change it. */
final class BufferReport {
    /** A view has at most 2 GiB; so much at a time is as good. */
    static final int PIECE = 1 << 30;

    private interface Attempt {
        void run() throws IOException;
    }

    private BufferReport() {}

    /**
     * Prints size and checksum of a buffer, and what becomes of each way to write to it.
     *
     * @param view a view of its bytes
     * @return whether it is as it should be: nothing can be written
     */
    static boolean show(SharedBuffer buffer, ByteBuffer view) throws IOException {
        System.out.printf("%d bytes, adler32 %08x%n", buffer.size(), checksumOf(buffer));
        boolean safe = true;
        // The kernel knows each descriptor as a file: here it is opened anew, for writing.
        try (OwnedFd duplicate = buffer.duplicate();
                RandomAccessFile file = new RandomAccessFile("/proc/self/fd/" + duplicate.fd(), "rw")) {
            if (buffer.size() > 0) {
                FileChannel channel = file.getChannel();
                safe &= isRefused("a store", () -> store(view));
                safe &= isRefused("write(2)", () -> channel.write(ByteBuffer.wrap(new byte[1]), 0));
                safe &= isRefused("mmap(2)", () -> channel.map(MapMode.READ_WRITE, 0, 1));
            }
            safe &= isRefused("ftruncate(2)", () -> file.setLength(buffer.size() + 1));
        }
        return safe && !System.out.checkError();
    }

    private static long checksumOf(SharedBuffer buffer) {
        Adler32 checksum = new Adler32();
        for (long at = 0; at < buffer.size(); at += PIECE) {
            checksum.update(buffer.view(at, (int) Math.min(PIECE, buffer.size() - at)));
        }
        return checksum.getValue();
    }

    /**
     * A plain {@code view.put(0, 0)} of a view from before the buffer was sealed is an InternalError, when the JVM gets to
     * know; a system call that stores there says EFAULT. A view from afterwards is read-only.
     */
    private static void store(ByteBuffer view) throws IOException {
        if (view.isReadOnly()) {
            view.put(0, (byte) 0);
        } else {
            try (FileChannel zeros = FileChannel.open(Path.of("/dev/zero"))) {
                zeros.read(view.duplicate().clear().limit(1));
            }
        }
    }

    private static boolean isRefused(String name, Attempt attempt) {
        try {
            attempt.run();
            System.out.println(name + ": it worked");
            return false;
        } catch (ReadOnlyBufferException e) {
            System.out.println(name + ": read-only");
            return true;
        } catch (IOException e) {
            System.out.println(name + ": " + e.getMessage());
            return true;
        }
    }
}
