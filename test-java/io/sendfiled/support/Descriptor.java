package io.sendfiled.support;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the kernel tells of a descriptor of this process, {@code proc_pid_fdinfo(5)}. */
public final class Descriptor {
    private static final int O_NONBLOCK = 04000;

    private Descriptor() {}

    /** Its flags, as {@code F_GETFL} has them. */
    public static int flags(int fd) throws IOException {
        return (int) field(fd, "flags:", 8);
    }

    public static boolean isNonBlocking(int fd) throws IOException {
        return (flags(fd) & O_NONBLOCK) != 0;
    }

    /** The file position. */
    public static long position(int fd) throws IOException {
        return field(fd, "pos:", 10);
    }

    private static long field(int fd, String name, int radix) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/fdinfo/" + fd))) {
            if (line.startsWith(name)) {
                return Long.parseLong(line.substring(name.length()).trim(), radix);
            }
        }
        throw new IOException("no " + name + " of descriptor " + fd);
    }
}
