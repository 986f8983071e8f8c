package io.sendfiled.hot;

import io.sendfiled.jni.HotNative;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.time.Instant;

/**
 * An open file of a {@link HotRoot}. Its bytes are read and sent as far as they are in memory.
 *
 * <p>No method waits for a disk, and none for a destination. Not thread-safe: one thread at a time, and visible to the next
 * one by the usual means. Whoever got it closes it; one that is forgotten keeps a descriptor open for as long as the process lives.
 */
public final class HotFile implements AutoCloseable {
    /** What {@link #read(long, int, long)} gives when the first byte asked for is not in memory. */
    public static final int COLD = -1;

    private static final HotStep[] STEPS = {HotStep.DONE, HotStep.BLOCKED, HotStep.COLD}; // as HotNative numbers them
    private static final long NANOS = 1_000_000_000;

    private final HotRoot root;
    final long[] numbers = new long[HotNative.NUMBERS]; // as HotNative fills them in; no descriptor: closed

    /** No file yet: there is an object before there is a descriptor that it could lose. */
    HotFile(HotRoot root) {
        this.root = root;
        numbers[HotNative.FD] = -1;
    }

    /** Bytes, when it was opened; with a {@link HotCache}, when its path was checked last. */
    public long size() {
        return numbers[HotNative.SIZE];
    }

    /** When it was last modified, in nanoseconds since 1970; of the years from 1678 to 2262. */
    public long modifiedNanos() {
        return numbers[HotNative.MODIFIED_NANOS];
    }

    /** When it was last modified. */
    public Instant modified() {
        return instant(HotNative.MODIFIED_NANOS);
    }

    /** When it was last accessed, as its file system kept it when the file was opened. */
    public Instant accessed() {
        return instant(HotNative.ACCESSED_NANOS);
    }

    /** When it or its attributes were last changed. */
    public Instant changed() {
        return instant(HotNative.CHANGED_NANOS);
    }

    private Instant instant(int number) {
        long nanos = numbers[number];
        return Instant.ofEpochSecond(Math.floorDiv(nanos, NANOS), Math.floorMod(nanos, NANOS));
    }

    /** Its inode number ({@code st_ino}). */
    public long inode() {
        return numbers[HotNative.INODE];
    }

    /** Its device ({@code st_dev}). */
    public long device() {
        return numbers[HotNative.DEVICE];
    }

    /** Its type and permissions ({@code st_mode}). */
    public int mode() {
        return (int) numbers[HotNative.MODE];
    }

    /**
     * Reads into memory outside of the heap.
     *
     * @param address of at least {@code capacity} bytes that may be written to; nothing checks that
     * @param capacity bytes, from 0
     * @param offset in the file, bytes from 0
     * @return the bytes read: fewer than {@code capacity} at the end of the file, or where the next are not in memory; 0 at the
     *     end; {@link #COLD}
     * @throws NativeIoException {@code EIO}, ...
     * @throws IllegalStateException if it is closed
     * @throws IllegalArgumentException if a number is negative
     */
    public int read(long address, int capacity, long offset) throws IOException {
        demand(capacity >= 0 && offset >= 0, "a negative capacity or offset");
        try {
            return bytesOf(HotNative.read(root.handle(), fd(), address, capacity, offset));
        } finally {
            Reference.reachabilityFence(root);
        }
    }

    /**
     * Reads into a direct buffer, from its position to its limit, and moves its position behind the bytes read.
     *
     * @return as {@link #read(long, int, long)}
     * @throws IllegalArgumentException if the buffer is not direct, or the offset negative
     * @throws ReadOnlyBufferException if it is read-only
     */
    public int read(ByteBuffer buffer, long offset) throws IOException {
        demand(buffer.isDirect(), "the buffer is not direct");
        demand(offset >= 0, "a negative offset");
        if (buffer.isReadOnly()) {
            throw new ReadOnlyBufferException();
        }
        int position = buffer.position();
        try {
            int read = bytesOf(HotNative.readBuffer(root.handle(), fd(), buffer, position, buffer.remaining(), offset));
            buffer.position(position + Math.max(read, 0));
            return read;
        } finally {
            Reference.reachabilityFence(root);
        }
    }

    private static int bytesOf(int result) throws NativeIoException {
        return result == -Errno.EAGAIN ? COLD : Errno.check(result, "read a file");
    }

    /**
     * Sends memory, such as a response header, and behind it a part of the file, which is not copied if the destination is in
     * non-blocking mode. The first bytes of the file are looked at before the header is sent: cold with nothing moved leaves every
     * choice.
     *
     * <p>Sends until all is sent, the destination is full, or a part of the file is cold. The caller bounds {@code length} if
     * other connections wait for this thread.
     *
     * @param fd of a stream socket or a pipe; the caller guarantees that it is open during the call. One in blocking mode is not
     *     waited for either, and its mode is not changed.
     * @param headAddress of memory outside of the heap; nothing checks that there are so many bytes
     * @param headLength bytes of the head, from 0
     * @param offset in the file, bytes
     * @param length bytes of the file, from 0; the range is inside the file
     * @param moved gets the bytes that were sent, also when this throws: [0] of the head, [1] of the file
     * @return why it ended
     * @throws NativeIoException {@code EPIPE}, {@code ECONNRESET}: of the destination; {@code ENODATA}: the file has become
     *     shorter; {@code ERANGE}: the range is not inside the file, and nothing was sent; {@code EOPNOTSUPP}: the destination is
     *     neither a stream socket nor a pipe; {@code EBADF}, {@code EIO}, ...
     * @throws IllegalStateException if it is closed
     * @throws IllegalArgumentException if a number is negative, or {@code moved} too short
     */
    public HotStep send(int fd, long headAddress, int headLength, long offset, long length, long[] moved)
            throws IOException {
        return send(fd, false, headAddress, headLength, offset, length, moved);
    }

    /**
     * As {@link #send}, to a TCP socket in non-blocking mode: the caller knows that, as an event loop does of its channels, so that
     * nobody asks the socket. If it is in blocking mode, the call may wait for it.
     */
    public HotStep sendToTcp(int fd, long headAddress, int headLength, long offset, long length, long[] moved)
            throws IOException {
        return send(fd, true, headAddress, headLength, offset, length, moved);
    }

    private HotStep send(int fd, boolean tcp, long headAddress, int headLength, long offset, long length, long[] moved)
            throws IOException {
        demand(headLength >= 0 && offset >= 0 && length >= 0, "a negative length or offset");
        demand(moved.length >= 2, "no room for both counts");
        try {
            int step = HotNative.send(
                    root.handle(), fd(), size(), fd, tcp, headAddress, headLength, offset, length, moved);
            return STEPS[Errno.check(step, "send a file")];
        } finally {
            Reference.reachabilityFence(root);
        }
    }

    /**
     * A duplicate of its descriptor, for whoever goes on where this is cold. The caller closes it.
     *
     * @throws NativeIoException if there are no descriptors left ({@code EMFILE})
     * @throws IllegalStateException if it is closed
     */
    public OwnedFd duplicate() throws IOException {
        return Descriptors.duplicate(fd());
    }

    /** Closes it; idempotent. The last close of a large file that was removed, which may take long, is left to a thread. */
    @Override
    public void close() {
        int fd = (int) numbers[HotNative.FD];
        if (fd >= 0) {
            numbers[HotNative.FD] = -1;
            try {
                HotNative.close(root.handle(), fd, numbers[HotNative.ENTRY], size(), (int) numbers[HotNative.HOLD]);
            } finally {
                Reference.reachabilityFence(root);
            }
        }
    }

    private int fd() {
        int fd = (int) numbers[HotNative.FD];
        if (fd < 0) {
            throw new IllegalStateException("the file is closed");
        }
        return fd;
    }

    private static void demand(boolean holds, String fault) {
        if (!holds) {
            throw new IllegalArgumentException(fault);
        }
    }
}
