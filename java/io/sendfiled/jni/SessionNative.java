package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Map;

/**
 * The natives of a session with a daemon, {@code <sendfiled/session.h>}. Results are 0 or more, or {@code -errno}.
 *
 * <p>A session is a handle, which is valid until {@link #close}, and is used by one thread at a time. Requests and completions
 * are the C library's structures in direct buffers: one call for as many as there are. Only {@link #open} and {@link #await}
 * block.
 */
public final class SessionNative {
    /* Operations. */
    public static final int OPEN = 1;
    public static final int SEND = 2;
    public static final int READ = 3;
    public static final int LOAD = 4;
    public static final int RELEASE = 5;
    public static final int WITHDRAW = 6;

    /* Kinds of what is registered. */
    public static final int FILE = 1;
    public static final int DESTINATION = 2;
    public static final int BUFFER = 3;

    /* struct sfd_options */
    private static final Layout OPTIONS = new Layout("options");
    private static final int AT_RATE = OPTIONS.i64("rate");
    private static final int AT_IDLE_MS = OPTIONS.i32("idle_ms");
    private static final int AT_DEADLINE_MS = OPTIONS.i32("deadline_ms");
    private static final int AT_TECHNIQUE = OPTIONS.i8("technique");
    private static final int AT_FLAGS = OPTIONS.i8("flags");

    /** Bytes of the options of a request. */
    public static final int OPTIONS_SIZE = OPTIONS.skip(6).size();

    /* struct sfd_session_request */
    private static final Layout REQUEST = new Layout("session_request");
    private static final int AT_OPERATION = REQUEST.i32("operation");
    private static final int AT_REQUEST_FLAGS = REQUEST.i32("flags");
    private static final int AT_FILE = REQUEST.i32("file");
    private static final int AT_DESTINATION = REQUEST.i32("destination");
    private static final int AT_USER_DATA = REQUEST.i64("user_data");
    private static final int AT_PATH = REQUEST.i64("path");
    private static final int AT_HEAD = REQUEST.i64("head");
    private static final int AT_HEAD_LENGTH = REQUEST.i64("head_length");
    private static final int AT_OFFSET = REQUEST.i64("offset");
    private static final int AT_LENGTH = REQUEST.i64("length");
    private static final int AT_TARGET = REQUEST.i64("target");
    private static final int AT_OPTIONS = REQUEST.i64("options");

    /** Bytes of a request. */
    public static final int REQUEST_SIZE = REQUEST.skip(2 * Long.BYTES).size();

    /* struct sfd_session_completion */
    private static final Layout COMPLETION = new Layout("session_completion");
    private static final int AT_COMPLETED = COMPLETION.i64("user_data");
    private static final int AT_ERROR = COMPLETION.i32("error");
    private static final int AT_COMPLETED_OPERATION = COMPLETION.i8("operation");
    private static final int AT_COMPLETED_TECHNIQUE = COMPLETION.i8("technique");
    private static final int AT_MOVED = COMPLETION.skip(Short.BYTES).i64("moved");
    private static final int AT_HANDLE = COMPLETION.i32("handle");
    private static final int AT_MODE = COMPLETION.i32("mode");
    private static final int AT_SIZE = COMPLETION.i64("size");
    private static final int AT_MODIFIED_NANOS = COMPLETION.i64("mtime_ns");
    private static final int AT_INODE = COMPLETION.i64("inode");
    private static final int AT_DEVICE = COMPLETION.i64("device");
    private static final int COMPLETION_SIZE = COMPLETION.size();

    private SessionNative() {}

    /**
     * Returns when the library has the layouts of this class.
     *
     * @throws UnsatisfiedLinkError naming the member that differs
     */
    static void checkLayout() {
        OPTIONS.check();
        REQUEST.check();
        COMPLETION.check();
    }

    /**
     * Returns when the library has the codes of this class.
     *
     * @throws UnsatisfiedLinkError naming the one that differs
     */
    static void checkCodes() {
        NativeConstants.check(
                "session",
                Map.of(
                        "open",
                        OPEN,
                        "send",
                        SEND,
                        "read",
                        READ,
                        "load",
                        LOAD,
                        "release",
                        RELEASE,
                        "withdraw",
                        WITHDRAW,
                        "file",
                        FILE,
                        "destination",
                        DESTINATION,
                        "buffer",
                        BUFFER));
    }

    // ---- requests ----

    /** A buffer for so many bytes that C reads or writes. */
    public static ByteBuffer newBuffer(int size) {
        NativeLibrary.ensureAvailable();
        return ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
    }

    /** Where a buffer is. Valid while the buffer is reachable. */
    public static long address(ByteBuffer buffer) {
        return address0(buffer);
    }

    /**
     * Writes a request.
     *
     * @param at where, in {@code requests}
     * @param path the address of a path that ends with a NUL; 0: none
     * @param head the address of the bytes before the file's; 0: none
     * @param options the address of what {@link #putOptions} has written; 0: none
     */
    public static void putRequest(
            ByteBuffer requests,
            int at,
            int operation,
            int file,
            int destination,
            long userData,
            long path,
            long head,
            int headLength,
            long offset,
            long length,
            long target,
            long options) {
        requests.putInt(at + AT_OPERATION, operation)
                .putInt(at + AT_REQUEST_FLAGS, 0)
                .putInt(at + AT_FILE, file)
                .putInt(at + AT_DESTINATION, destination)
                .putLong(at + AT_USER_DATA, userData)
                .putLong(at + AT_PATH, path)
                .putLong(at + AT_HEAD, head)
                .putLong(at + AT_HEAD_LENGTH, headLength)
                .putLong(at + AT_OFFSET, offset)
                .putLong(at + AT_LENGTH, length)
                .putLong(at + AT_TARGET, target)
                .putLong(at + AT_OPTIONS, options);
    }

    /** The user data of a request that was written. */
    public static long userDataOf(ByteBuffer requests, int at) {
        return requests.getLong(at + AT_USER_DATA);
    }

    /** Writes the options of a request. */
    public static void putOptions(
            ByteBuffer buffer, int at, long rate, int idleMs, int deadlineMs, int technique, int flags) {
        buffer.putLong(at + AT_RATE, rate)
                .putInt(at + AT_IDLE_MS, idleMs)
                .putInt(at + AT_DEADLINE_MS, deadlineMs)
                .put(at + AT_TECHNIQUE, (byte) technique)
                .put(at + AT_FLAGS, (byte) flags);
    }

    // ---- completions ----

    /** Completions that {@link #reap} has given, one at a time. One thread. */
    public static final class Completions {
        private final ByteBuffer buffer;
        private final long address;
        private final int capacity;
        private int count;
        private int next;
        private int at;

        /** Room for so many. */
        public Completions(int capacity) {
            this.capacity = capacity;
            buffer = newBuffer(capacity * COMPLETION_SIZE);
            address = address0(buffer);
        }

        /** Goes to the next one; false behind the last. */
        public boolean next() {
            if (next == count) {
                return false;
            }
            at = next++ * COMPLETION_SIZE;
            return true;
        }

        /** Of the request. */
        public long userData() {
            return buffer.getLong(at + AT_COMPLETED);
        }

        /** 0, or an errno. */
        public int error() {
            return buffer.getInt(at + AT_ERROR);
        }

        /** What was asked for. */
        public int operation() {
            return buffer.get(at + AT_COMPLETED_OPERATION);
        }

        /** By which the bytes were moved. */
        public int technique() {
            return buffer.get(at + AT_COMPLETED_TECHNIQUE);
        }

        /** The bytes that the destination has accepted, also beside an error. */
        public long moved() {
            return buffer.getLong(at + AT_MOVED);
        }

        /** What was opened, or registered. */
        public int handle() {
            return buffer.getInt(at + AT_HANDLE);
        }

        /** {@code st_mode} of what was opened. */
        public int mode() {
            return buffer.getInt(at + AT_MODE);
        }

        /** Its bytes. */
        public long size() {
            return buffer.getLong(at + AT_SIZE);
        }

        /** When it was modified, in nanoseconds since 1970. */
        public long modifiedNanos() {
            return buffer.getLong(at + AT_MODIFIED_NANOS);
        }

        /** Its inode. */
        public long inode() {
            return buffer.getLong(at + AT_INODE);
        }

        /** Its device. */
        public long device() {
            return buffer.getLong(at + AT_DEVICE);
        }
    }

    // ---- the calls ----

    /**
     * Opens a session: a handle, or -errno, as {@code sfd_session_open(3)} has them. Blocks until the daemon has answered.
     *
     * @param directory the bytes of the directory of the daemon's socket
     * @param name of the instance
     * @param submissions requests that wait for the daemon, a power of two
     * @param completions requests that are not reaped, a power of two
     * @param arena bytes for the paths and heads of those that wait
     */
    public static long open(byte[] directory, byte[] name, int submissions, int completions, int arena) {
        return open0(
                Arrays.copyOf(directory, directory.length + 1),
                Arrays.copyOf(name, name.length + 1),
                submissions,
                completions,
                arena);
    }

    private static native long open0(
            byte[] directoryAndNul, byte[] nameAndNul, int submissions, int completions, int arena);

    /** Closes it: what is in flight is cancelled. */
    public static native void close(long session);

    /** The descriptor to {@link #await}; borrowed. */
    public static native int fd(long session);

    /** Registers a descriptor, which is borrowed: 0, or -errno: EAGAIN (reap first), ENOTCONN (the session has ended). */
    public static native int register(long session, int kind, int fd, long userData);

    /**
     * Submits requests in order, as many as there is room for: how many, or what is wrong with the first one: -ENOTCONN: the
     * session has ended.
     *
     * @param requests the {@link #address} of the first
     */
    public static int submit(long session, long requests, int count) {
        return submit0(session, requests, count);
    }

    private static native int submit0(long session, long requests, int count);

    /**
     * Takes completions: how many; 0: from now on the daemon wakes this side; -ENOTCONN: the session has ended, and all were
     * given.
     */
    public static int reap(long session, Completions completions) {
        int count = reap0(session, completions.address, completions.capacity);
        completions.next = 0;
        completions.count = Math.max(count, 0);
        return count;
    }

    private static native int reap0(long session, long completions, int most);

    private static native long address0(ByteBuffer buffer);

    /** Something to wake a thread by that waits for a session: a descriptor for the caller, or -errno. */
    public static int openEvent() {
        NativeLibrary.ensureAvailable();
        return openEvent0();
    }

    private static native int openEvent0();

    /** Wakes it, now or when it waits the next time. */
    public static native void signal(int event);

    /**
     * Waits until there is something to reap, or for a signal, which ends with that.
     *
     * @param fd of the session; -1: there is none
     * @param timeoutMs milliseconds; negative: no limit
     */
    public static native int await(int fd, int event, int timeoutMs);
}
