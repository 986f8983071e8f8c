package io.sendfiled.jni;

import java.util.HashMap;
import java.util.Map;

/**
 * The layout of a C structure, given member by member with the names that they have in C. Each member follows the one
 * before, without padding. {@link #check} compares it with the library's.
 *
 * <p>For the static fields of one class.
 */
final class Layout {
    private final String structure;
    private final Map<String, Integer> members = new HashMap<>();
    private int size;

    /** Of {@code struct sfd_STRUCTURE}. */
    Layout(String structure) {
        this.structure = structure;
    }

    /** The offset of a member of 8 bits. */
    int i8(String name) {
        return array(name, 1, Byte.BYTES);
    }

    /** The offset of a member of 16 bits. */
    int i16(String name) {
        return array(name, 1, Short.BYTES);
    }

    /** The offset of a member of 32 bits. */
    int i32(String name) {
        return array(name, 1, Integer.BYTES);
    }

    /** The offset of a member of 64 bits. */
    int i64(String name) {
        return array(name, 1, Long.BYTES);
    }

    /** The offset of an array's first element. */
    int array(String name, int count, int elementSize) {
        int offset = size;
        members.put(name, offset);
        size += count * elementSize;
        return offset;
    }

    /** Skips bytes that only C has a name for. */
    Layout skip(int bytes) {
        size += bytes;
        return this;
    }

    /** Bytes of all members given so far. */
    int size() {
        return size;
    }

    /**
     * Returns when the library has the same members at the same places, and the same size.
     *
     * @throws UnsatisfiedLinkError naming the member that differs
     */
    void check() {
        Map<String, Integer> numbers = new HashMap<>(members);
        numbers.put("sizeof", size);
        NativeConstants.check(structure, numbers);
    }
}
