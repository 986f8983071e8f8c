package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.util.Map;

/**
 * Natives of the hot path. Results are 0 or more, or {@code -errno}; {@code -EAGAIN} means cold. Thread-safe, for a file
 * one thread at a time; only {@link #openRoot} and {@link #closeRoot} block.
 *
 * <p>A root is a handle, which is valid until {@link #freeRoot}. A file is a descriptor, the entry of the cache that it is of, and how it holds its root; all are
 * given back by {@link #close}.
 */
public final class HotNative {
    /** Of {@link #send}: all was moved. */
    public static final int DONE = 0;

    /** Of {@link #send}: the destination is full. */
    public static final int BLOCKED = 1;

    /** Of {@link #send}: the next bytes need somebody who may wait. */
    public static final int COLD = 2;

    /* What open and adopt fill in: positions in their array. */
    public static final int FD = 0;
    public static final int ENTRY = 1;
    public static final int HOLD = 2;
    public static final int SIZE = 3;
    public static final int MODIFIED_NANOS = 4;
    public static final int INODE = 5;
    public static final int DEVICE = 6;
    public static final int ACCESSED_NANOS = 7;
    public static final int CHANGED_NANOS = 8;
    public static final int MODE = 9;
    public static final int NUMBERS = 10;

    private HotNative() {}

    /**
     * Returns when the library has the codes of this class.
     *
     * @throws UnsatisfiedLinkError naming the one that differs
     */
    static void checkCodes() {
        NativeConstants.check(
                "hot",
                Map.ofEntries(
                        Map.entry("done", DONE),
                        Map.entry("blocked", BLOCKED),
                        Map.entry("cold", COLD),
                        Map.entry("fd", FD),
                        Map.entry("entry", ENTRY),
                        Map.entry("hold", HOLD),
                        Map.entry("size", SIZE),
                        Map.entry("modified", MODIFIED_NANOS),
                        Map.entry("inode", INODE),
                        Map.entry("device", DEVICE),
                        Map.entry("accessed", ACCESSED_NANOS),
                        Map.entry("changed", CHANGED_NANOS),
                        Map.entry("mode", MODE),
                        Map.entry("numbers", NUMBERS)));
    }

    /**
     * Opens a root: a handle, or -errno. Blocks.
     *
     * @param cacheEntries the most open files that its cache keeps; 0: it has none
     * @param cacheLooks whether the open file itself is looked at each time
     */
    public static long openRoot(byte[] path, int cacheEntries, long cacheAgeNanos, boolean cacheLooks) {
        NativeLibrary.ensureAvailable();
        return openRoot0(path, cacheEntries, cacheAgeNanos, cacheLooks);
    }

    private static native long openRoot0(byte[] path, int cacheEntries, long cacheAgeNanos, boolean cacheLooks);

    /** Nothing is opened there any more; what is open stays so. Idempotent. */
    public static native void closeRoot(long root);

    /** Frees a root. No file is open there, and no call on its way. */
    public static native void freeRoot(long root);

    /**
     * Closes some of what the cache of a root keeps and nobody has asked for: in how many nanoseconds that is due again; 0: nothing is
     * kept; -EBADF: the root is closed.
     */
    public static native long sweep(long root);

    /** Opens a file; -EBADF when the root is closed. */
    public static native int open(long root, byte[] path, long[] out);

    /** Takes a descriptor, on success only. */
    public static native int adopt(long root, int fd, long[] out);

    /** Closes a file. */
    public static native void close(long root, int fd, long entry, long size, int hold);

    /** Reads into memory: bytes. */
    public static native int read(long root, int fd, long address, int capacity, long offset);

    /** Reads into a direct buffer from {@code position}: bytes. */
    public static native int readBuffer(long root, int fd, ByteBuffer buffer, int position, int capacity, long offset);

    /**
     * Sends memory and then a part of a file: {@link #DONE}, {@link #BLOCKED} or {@link #COLD}.
     *
     * @param tcp the destination is known to be a TCP socket in non-blocking mode; else it is asked what it is
     * @param moved gets the bytes of the head and those of the file that were sent, also on failure
     */
    public static native int send(
            long root,
            int fd,
            long size,
            int destination,
            boolean tcp,
            long head,
            int headLength,
            long offset,
            long length,
            long[] moved);
}
