package io.sendfiled.buffer;

import io.sendfiled.jni.BufferNative;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * How a buffer is to be allocated. Immutable.
 *
 * @param name what {@code /proc/PID/maps} and {@code /proc/PID/fd} call it, behind {@code /memfd:}; at most
 *     {@value #MAX_NAME} bytes of UTF-8 without a NUL, need not be unique
 * @param hugePages whether it consists of huge pages of the machine's default size, out of those that its administrator has
 *     set aside ({@code sysctl vm.nr_hugepages}): fewer page faults, and a seal that costs next to nothing. There are no
 *     ordinary pages instead: without enough of them the allocation fails with {@code ENOMEM}
 * @param prefault whether all pages are taken at once instead of each at the first access
 */
public record BufferOptions(String name, boolean hugePages, boolean prefault) {
    /** The most bytes of a name. */
    public static final int MAX_NAME = BufferNative.MAX_NAME;

    /** Ordinary pages, taken when they are first written to. */
    public static final BufferOptions DEFAULT = new BufferOptions("sendfiled", false, false);

    /**
     * All of them; {@link #DEFAULT} and the methods below read better.
     *
     * @throws IllegalArgumentException if the name is too long or holds a NUL
     */
    public BufferOptions {
        if (name.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("a buffer's name cannot hold a NUL");
        }
        int length = name.getBytes(StandardCharsets.UTF_8).length;
        if (length > MAX_NAME) {
            throw new IllegalArgumentException(
                    "a buffer's name of " + length + " bytes is longer than " + MAX_NAME + ": " + name);
        }
    }

    /** With this name. */
    public BufferOptions withName(String value) {
        return new BufferOptions(value, hugePages, prefault);
    }

    /** With or without {@link #hugePages}. */
    public BufferOptions withHugePages(boolean value) {
        return new BufferOptions(name, value, prefault);
    }

    /** With or without {@link #prefault}. */
    public BufferOptions withPrefault(boolean value) {
        return new BufferOptions(name, hugePages, value);
    }

    byte[] nameAndNul() {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        return Arrays.copyOf(bytes, bytes.length + 1);
    }

    int flags() {
        return (hugePages ? BufferNative.HUGE_PAGES : 0) | (prefault ? BufferNative.PREFAULT : 0);
    }
}
