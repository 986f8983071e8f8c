package io.sendfiled.technique;

import java.util.Collections;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The ways that the engine moves a file's bytes. The codes are on the wire, in masks of what fits (bit {@code code}), and
 * those of {@code enum sfd_technique} in {@code include/sendfiled/options.h}.
 */
public enum Technique {
    /** The daemon decides, by its rules. */
    AUTO(0),
    /** {@code sendfile(2)}: from the page cache without a copy through user space; to a file it is two splices. */
    SENDFILE(1),
    /** {@code splice(2)}: from the page cache to a pipe without a copy. */
    SPLICE(2),
    /** A mapping of the file, written from. Never chosen by {@link #AUTO}. */
    MMAP(3),
    /** {@code read(2)} and {@code write(2)} through a buffer: the cheapest for small files, and fit for everything. */
    READ_WRITE(4),
    /** {@code copy_file_range(2)}: between two files, shared blocks where the file system can. */
    COPY_FILE_RANGE(5);

    private static final Technique[] VALUES = values();

    private final int code;
    private final String label = name().toLowerCase(Locale.ROOT).replace('_', '-');

    Technique(int code) {
        this.code = code;
    }

    /** Its number on the wire. */
    public int code() {
        return code;
    }

    /** Its name for people: {@code sendfile}, {@code read-write}, ... */
    public String label() {
        return label;
    }

    /** The technique of a number on the wire; null for any other number. */
    public static @Nullable Technique of(int code) {
        return code >= 0 && code < VALUES.length ? VALUES[code] : null;
    }

    /** The technique that {@link #label} names; null when none does. */
    public static @Nullable Technique of(String label) {
        for (Technique technique : VALUES) {
            if (technique.label.equals(label)) {
                return technique;
            }
        }
        return null;
    }

    /** The techniques of a mask, in the order of their codes; other bits are ignored. Unmodifiable. */
    public static Set<Technique> setOf(int mask) {
        Set<Technique> set = EnumSet.noneOf(Technique.class);
        for (Technique technique : VALUES) {
            if (technique.isIn(mask)) {
                set.add(technique);
            }
        }
        return Collections.unmodifiableSet(set);
    }

    /** Whether a mask has this technique. */
    public boolean isIn(int mask) {
        return (mask & 1 << code) != 0;
    }
}
