package io.sendfiled.buffer;

import io.sendfiled.jni.BufferNative;
import io.sendfiled.names.Names;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** How a buffer is to be allocated. Immutable. A class and not a record, so that a later option breaks no caller. */
public final class BufferOptions {
    /** The most bytes of a name. */
    public static final int MAX_NAME = BufferNative.MAX_NAME;

    /** Ordinary pages, each allocated at the first write to it. */
    public static final BufferOptions DEFAULT = new BufferOptions("sendfiled", false, false, null);

    private final String name;
    private final boolean hugePages;
    private final boolean prefault;
    private final @Nullable Path directory;

    private BufferOptions(String name, boolean hugePages, boolean prefault, @Nullable Path directory) {
        this.name = name;
        this.hugePages = hugePages;
        this.prefault = prefault;
        this.directory = directory;
    }

    /** Its name in {@code /proc/PID/maps} and {@code /proc/PID/fd}, behind {@code /memfd:}; need not be unique. */
    public String name() {
        return name;
    }

    /**
     * Whether it consists of huge pages of the machine's default size, out of those that its administrator has reserved
     * ({@code sysctl vm.nr_hugepages}): fewer page faults, and a seal that costs almost nothing. Ordinary pages never
     * replace them: without enough of them the allocation fails with {@code ENOMEM}.
     */
    public boolean hugePages() {
        return hugePages;
    }

    /** Whether all pages are allocated at once instead of each at the first access. */
    public boolean prefault() {
        return prefault;
    }

    /**
     * Where it is in a file without a name, on the disk of this directory, instead of in memory; null: nowhere. It may be
     * larger than the machine's memory and swap space: the kernel writes it out as it needs memory. Its room is taken at
     * once, and an access may wait for the disk. No kernel seals a file: it can be {@linkplain SharedBuffer#move moved}, and
     * neither sealed nor sent; its receiver asks for {@link BufferAccess#TRUSTED} or {@link BufferAccess#COPY}. It has no
     * name, and takes neither huge pages nor prefault.
     */
    public @Nullable Path directory() {
        return directory;
    }

    /**
     * With this name.
     *
     * @param value at most {@value #MAX_NAME} bytes of UTF-8 without a NUL
     * @throws IllegalArgumentException if the name is too long or holds a NUL
     */
    public BufferOptions withName(String value) {
        if (value.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("a buffer's name cannot hold a NUL");
        }
        int length = value.getBytes(StandardCharsets.UTF_8).length;
        if (length > MAX_NAME) {
            throw new IllegalArgumentException(
                    "a buffer's name of " + length + " bytes is longer than " + MAX_NAME + ": " + value);
        }
        return new BufferOptions(value, hugePages, prefault, directory);
    }

    /** With or without {@link #hugePages}. */
    public BufferOptions withHugePages(boolean value) {
        return new BufferOptions(name, value, prefault, directory);
    }

    /** With or without {@link #prefault}. */
    public BufferOptions withPrefault(boolean value) {
        return new BufferOptions(name, hugePages, value, directory);
    }

    /** In a file on the disk of this {@link #directory}, or in memory with null. */
    public BufferOptions withDirectory(@Nullable Path value) {
        return new BufferOptions(name, hugePages, prefault, value);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof BufferOptions that
                && name.equals(that.name)
                && hugePages == that.hugePages
                && prefault == that.prefault
                && Objects.equals(directory, that.directory);
    }

    @Override
    public int hashCode() {
        return Objects.hash(name, hugePages, prefault, directory);
    }

    @Override
    public String toString() {
        return "BufferOptions[name=" + name + ", hugePages=" + hugePages + ", prefault=" + prefault + ", directory="
                + directory + "]";
    }

    /** Allocates a buffer like this: 0 or -errno. */
    int allocate(ByteBuffer state, long size) {
        if (directory != null) {
            return BufferNative.allocateIn(state, withNul(Names.bytes(directory)), size);
        }
        return BufferNative.allocate(state, withNul(name.getBytes(StandardCharsets.UTF_8)), size, flags());
    }

    private static byte[] withNul(byte[] bytes) {
        return Arrays.copyOf(bytes, bytes.length + 1);
    }

    private int flags() {
        return (hugePages ? BufferNative.HUGE_PAGES : 0) | (prefault ? BufferNative.PREFAULT : 0);
    }
}
