package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Natives of memory that is handed between processes. C defines the layout of a buffer's state, a direct buffer of
 * {@link #STATE_SIZE} bytes that {@link #newState} makes. One thread at a time may use a state; {@link #free} ends it.
 * {@code <sendfiled/buffer.h>} describes the C functions behind these methods.
 */
public final class BufferNative {
    /** {@code SFD_BUFFER_HUGE_PAGES}, for {@link #allocate}. */
    public static final int HUGE_PAGES = 1;

    /** {@code SFD_BUFFER_PREFAULT}, for {@link #allocate}. */
    public static final int PREFAULT = 2;

    /** {@code SFD_BUFFER_WRITABLE}, for {@link #receive} and {@link #map}. */
    public static final int WRITABLE = 16;

    /** {@code SFD_BUFFER_FUTURE_WRITE}, for {@link #receive} and {@link #map}. */
    public static final int FUTURE_WRITE = 32;

    /** {@code SFD_BUFFER_COPY}, for {@link #receive} and {@link #map}. */
    public static final int COPY = 64;

    /** {@code SFD_BUFFER_TRUST}, for {@link #receive} and {@link #map}, with {@link #WRITABLE}. */
    public static final int TRUST = 128;

    /** {@code SFD_BUFFER_UNSEALED}, of {@link #seal(ByteBuffer)}. */
    public static final int UNSEALED = 0;

    /** {@code SFD_BUFFER_SEALED}: no write is possible. */
    public static final int SEALED = 2;

    /** The most bytes of a name, without the NUL. */
    public static final int MAX_NAME = 249;

    /* struct sfd_buffer */
    private static final Layout STATE = new Layout("buffer");
    private static final int AT_DATA = STATE.i64("data");
    private static final int AT_SIZE = STATE.i64("size");
    private static final int AT_FD = STATE.i32("fd");
    private static final int AT_SEAL = STATE.i32("seal");
    private static final int AT_MAPPED = STATE.i64("mapped");
    private static final int STATE_SIZE = STATE.skip(3 * Long.BYTES).size();

    private BufferNative() {}

    /**
     * Returns when the library lays a state out as this class does.
     *
     * @throws UnsatisfiedLinkError naming the member that differs
     */
    static void checkLayout() {
        STATE.check();
    }

    /** The state of no buffer. */
    public static ByteBuffer newState() {
        NativeLibrary.ensureAvailable(); // the others need a state first, except openFile
        ByteBuffer state = ByteBuffer.allocateDirect(STATE_SIZE).order(ByteOrder.nativeOrder());
        init0(state);
        return state;
    }

    /** Where it is mapped; 0: nowhere. */
    public static long address(ByteBuffer state) {
        return state.getLong(AT_DATA);
    }

    /** Bytes. */
    public static long size(ByteBuffer state) {
        return state.getLong(AT_SIZE);
    }

    /** The memory file, borrowed; -1: there is no buffer. */
    public static int fd(ByteBuffer state) {
        return state.getInt(AT_FD);
    }

    /** How it is sealed: {@link #UNSEALED}, 1 (only old mappings can write), {@link #SEALED}. */
    public static int sealOf(ByteBuffer state) {
        return state.getInt(AT_SEAL);
    }

    /** Bytes of the mapping, whole pages. */
    public static long mapped(ByteBuffer state) {
        return state.getLong(AT_MAPPED);
    }

    /** Allocates; {@code nameAndNul} ends with a NUL. 0 or -errno. */
    public static int allocate(ByteBuffer state, byte[] nameAndNul, long size, int flags) {
        return allocate0(state, nameAndNul, size, flags);
    }

    /** The same in a file without a name on the disk of a directory, whose path ends with a NUL. 0 or -errno. */
    public static int allocateIn(ByteBuffer state, byte[] directoryAndNul, long size) {
        return allocateIn0(state, directoryAndNul, size);
    }

    /** An empty memory file, which another process fills: a descriptor for the caller, or -errno. */
    public static int openFile(byte[] nameAndNul) {
        NativeLibrary.ensureAvailable();
        return openFile0(nameAndNul);
    }

    /** Maps a descriptor. On success the buffer owns it; on failure the caller keeps it. 0 or -errno. */
    public static int map(ByteBuffer state, int fd, int flags) {
        return map0(state, fd, flags);
    }

    /** Seals the buffer. Its mapping keeps its address. 0 or -errno. */
    public static int seal(ByteBuffer state) {
        return seal0(state);
    }

    /**
     * Moves the mapping to other addresses. An access to an old one is an {@link InternalError}, until {@link
     * #release}. 0 or -errno.
     */
    public static int revoke(ByteBuffer state) {
        return revoke0(state);
    }

    /** Frees addresses that were {@linkplain #revoke revoked}. They must not be accessed any more. */
    public static void release(long address, long length) {
        release0(address, length);
    }

    /** Hands over, sealed. Never blocks but as {@link #seal}. 0 or -errno. */
    public static int send(ByteBuffer state, int socket) {
        return send0(state, socket);
    }

    /** Hands over, unsealed, and frees. Never blocks. 0 or -errno. */
    public static int move(ByteBuffer state, int socket) {
        return move0(state, socket);
    }

    /** Receives: 1, 0 at the end of the connection, or -errno. Never blocks. */
    public static int receive(ByteBuffer state, int socket, int flags) {
        return receive0(state, socket, flags);
    }

    /** Forgets the mapping without unmapping it: another object owns its addresses, and will {@link #release} them. */
    public static void forgetMapping(ByteBuffer state) {
        state.putLong(AT_DATA, 0).putLong(AT_MAPPED, 0);
    }

    /** Unmaps and closes; idempotent. */
    public static void free(ByteBuffer state) {
        free0(state);
    }

    /** A view of memory, which has to stay mapped, or revoked, for as long as the view or one made from it is reachable. */
    public static ByteBuffer view(long address, int length) {
        return view0(address, length);
    }

    private static native void init0(ByteBuffer state);

    private static native int allocate0(ByteBuffer state, byte[] nameAndNul, long size, int flags);

    private static native int allocateIn0(ByteBuffer state, byte[] directoryAndNul, long size);

    private static native int openFile0(byte[] nameAndNul);

    private static native int map0(ByteBuffer state, int fd, int flags);

    private static native int seal0(ByteBuffer state);

    private static native int revoke0(ByteBuffer state);

    private static native void release0(long address, long length);

    private static native int send0(ByteBuffer state, int socket);

    private static native int move0(ByteBuffer state, int socket);

    private static native int receive0(ByteBuffer state, int socket, int flags);

    private static native void free0(ByteBuffer state);

    private static native ByteBuffer view0(long address, int length);
}
