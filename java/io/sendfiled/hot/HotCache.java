package io.sendfiled.hot;

import java.time.Duration;

/**
 * A cache of open files, for a {@link HotRoot} whose few files are asked for often: a file that was opened lately is opened again
 * without a system call, or by one that <em>looks</em> at the open file.
 *
 * <p>A path is checked when its entry is older than {@code age}, by the kernel's caches alone. So a file that was replaced, removed,
 * renamed (or a directory above it), cut, touched or made unreadable is seen as it was for at most {@code age}; its bytes are always
 * those that the file has now. With an age of 0 each open checks, and saves little.
 *
 * <p>A cache that looks sees at once that a file was replaced, removed, renamed, cut, touched or made unreadable, by the time of its
 * last change (ctime): what is told of a file is true of the very bytes that it has then. Only what is above a file (a directory or a
 * symbolic link on its path) is seen as it was for at most {@code age}, and a change that its file system does not note: within the
 * same tick of its clock, a few milliseconds, or through a mapping that was not synchronized yet.
 *
 * <p>An entry keeps a descriptor open, and so the disk's space of a file that was removed. The one that was used least lately makes
 * room (in groups of eight, by a hash). One that was not checked for {@code age}, and for a second, is closed, at the latest when twice
 * that is over, by later calls or by the thread of the root.
 *
 * @param entries the most files that the cache keeps open, from 1
 * @param age how long a file is served without a look at its path, from 0
 * @param looks whether the open file is looked at each time
 */
public record HotCache(int entries, Duration age, boolean looks) {
    /** The most entries: more than a process may have descriptors. */
    private static final int ENTRIES_MAX = 1 << 20;

    private static final Duration AGE_MAX = Duration.ofDays(1);

    /**
     * @throws IllegalArgumentException if there are no entries, or more than 1,048,576; or if the age is negative or longer than a
     *     day
     */
    public HotCache {
        if (entries < 1 || entries > ENTRIES_MAX) {
            throw new IllegalArgumentException(entries + " entries: from 1 to " + ENTRIES_MAX);
        }
        if (age.isNegative() || age.compareTo(AGE_MAX) > 0) {
            throw new IllegalArgumentException("an age of " + age + ": from 0 to " + AGE_MAX);
        }
    }

    /**
     * A cache that does not look.
     *
     * @throws IllegalArgumentException as the other one
     */
    public HotCache(int entries, Duration age) {
        this(entries, age, false);
    }
}
