package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One process of an instance follows another: what native/core/engine.h and native/core/protocol/trial.h say of it, and the
 * calls by which the two talk. What gives an {@code int} gives a value from 0 up, or a negated errno.
 *
 * <p>Engine handles are those of {@link EngineNative}. Any thread but a loop's; {@link #receive} and {@link #endTrial} wait.
 */
public final class SuccessionNative {
    private static final int NUMBERS_MAX = 9 + 2 * 8 + 4 * 64;

    /** The longest message. */
    private static final int MESSAGE_MAX = 4096;

    static {
        NativeLibrary.ensureAvailable();
    }

    private SuccessionNative() {}

    /** What the engine would leave to the next process, as native/core/process/handover.h orders it. */
    public static long[] describe(long engine) {
        long[] numbers = new long[NUMBERS_MAX];
        return Arrays.copyOf(numbers, describe0(engine, numbers));
    }

    private static native int describe0(long engine, long[] numbers);

    /** From here on nothing more is received from the request sockets, as soon as {@link #isPaused}. */
    public static native void pause(long engine);

    /** Whether all loops have obeyed {@link #pause}. */
    public static native boolean isPaused(long engine);

    /**
     * Ends a pause that {@link #isPaused} has confirmed.
     *
     * @param fd a datagram socket to receive from alone, borrowed until the next pause; -1: those of the instance
     */
    public static native void resume(long engine, int fd);

    /** The names in the socket's directory are this engine's from here on. */
    public static native void claim(long engine);

    /** They are another process's. */
    public static native void release(long engine);

    /** Of an engine that is paused: nothing is left to do. */
    public static native boolean isIdle(long engine);

    /**
     * The successor, who is reached by a socket of {@link #pair}, borrowed until the end, has left a request for this process
     * in that one of the request sockets.
     */
    public static native void take(long engine, int successor, int source);

    /** A predecessor has taken the request that was left to it. */
    public static native void taken(long engine);

    /** A predecessor, by its position in {@link #describe}, is not there any more. */
    public static native void forgetPredecessor(long engine, int index);

    /** Whether nothing is received until a predecessor has taken a request. */
    public static native boolean delegates(long engine);

    // ---- the other process ----

    /** A stream connection to a UNIX socket; the descriptor is the caller's. */
    public static int connect(byte[] path) {
        return connect0(ServiceNative.buffer(path));
    }

    private static native int connect0(ByteBuffer path);

    /** Who is at the other end of a connection: a pid. */
    public static native int peerPid(int fd);

    /** As which user and group that process has connected, or listened: {@code ids} gets uid and gid, without a sign. */
    public static native int peerIds(int fd, int[] ids);

    /** A pidfd, the caller's. */
    public static native int openProcess(int pid);

    /** A copy of a descriptor of that process, the caller's; EPERM if this one may not look into it. */
    public static native int fetch(int pidfd, int fd);

    /** Lets one process fetch descriptors where the kernel asks for that (Yama); 0: none. */
    public static native void letIn(int pid);

    /** Two sockets of whole messages, connected with each other, in {@code fds}; the caller's. */
    public static native int pair(int[] fds);

    /** A request socket for a trial, and one that is connected with it. */
    public static native int requestPair(int[] fds);

    /** Closes a descriptor that is the caller's. */
    public static native void close(int fd);

    /** Sends one message; does not wait. */
    public static int send(int fd, String message) {
        byte[] bytes = message.getBytes(StandardCharsets.US_ASCII);
        return send0(fd, ByteBuffer.allocateDirect(bytes.length).put(bytes), bytes.length);
    }

    private static native int send0(int fd, ByteBuffer bytes, int length);

    /**
     * Receives one message, or what a stream has.
     *
     * @param wake ends the wait when it can be read from; -1: none
     * @param timeoutMs -1: no limit
     * @param errno gets 0; {@code ETIMEDOUT}, {@code ECANCELED} after a wake, or another errno
     * @return null: none came; empty: the other end is closed
     */
    public static @Nullable String receive(int fd, int wake, int timeoutMs, int[] errno) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(MESSAGE_MAX);
        int result = receive0(fd, wake, buffer, MESSAGE_MAX, timeoutMs);
        errno[0] = Math.max(0, -result);
        if (result < 0) {
            return null;
        }
        byte[] bytes = new byte[result];
        buffer.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static native int receive0(int fd, int wake, ByteBuffer bytes, int room, int timeoutMs);

    // ---- a trial ----

    /** Sends requests of this process by a connected datagram socket, borrowed: a handle for {@link #endTrial}, or -errno. */
    public static native long beginTrial(int socket);

    /** The same by a socket of its own, which connects to that path. */
    public static long beginTrial(byte[] path) {
        return beginTrialAt0(ServiceNative.buffer(path));
    }

    private static native long beginTrialAt0(ByteBuffer path);

    /** Waits for the answers: 0 if they are right. The handle is gone afterwards. */
    public static native int endTrial(long trial, int timeoutMs);
}
