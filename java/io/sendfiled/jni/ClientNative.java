package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The natives of the client: the request socket. Thread-safe; only {@link #waitWritable} blocks.
 *
 * <p>Results are 0 or more, or {@code -errno}.
 */
public final class ClientNative {
    private ClientNative() {}

    /**
     * Opens a request socket that is not connected yet.
     *
     * @return the descriptor, which the caller closes, or -errno: EMFILE
     */
    public static int openSocket() {
        NativeLibrary.ensureAvailable(); // the others need a socket first
        return openSocket0();
    }

    /**
     * Connects a request socket, or connects it anew after the daemon was restarted.
     *
     * @param socket a request socket, borrowed
     * @param path the bytes of the daemon's socket's path, at most 107
     * @return 0, or -errno: ENOENT, ECONNREFUSED (no process serves it), EACCES, ENAMETOOLONG, EPROTOTYPE
     */
    public static int connect(int socket, byte[] path) {
        return connectSocket0(socket, Arrays.copyOf(path, path.length + 1));
    }

    /**
     * Sends one request with at most two descriptors: {@link #send(int, ByteBuffer, int, int, int, int)}.
     */
    public static int send(int socket, ByteBuffer request, int length, int first, int second) {
        return sendRequest0(socket, request, length, first, second, -1);
    }

    /**
     * Sends one request. Never blocks. A descriptor of -1 is none, and none follows it; the others are borrowed.
     *
     * @param socket a connected request socket, borrowed
     * @param request a direct buffer that begins with the request
     * @param length the request's bytes
     * @param first the first descriptor to pass, or -1
     * @param second the second, or -1
     * @param third the third, or -1
     * @return 0, or -errno: EAGAIN (the daemon's queue is full), ECONNREFUSED, ENOTCONN, EBADF, ETOOMANYREFS
     */
    public static int send(int socket, ByteBuffer request, int length, int first, int second, int third) {
        return sendRequest0(socket, request, length, first, second, third);
    }

    /**
     * Waits until the daemon's queue may have room.
     *
     * @param timeoutMs milliseconds; negative: no limit
     * @return 1, 0 when the time is over, or -errno
     */
    public static int waitWritable(int socket, int timeoutMs) {
        return waitWritable0(socket, timeoutMs);
    }

    /**
     * Waits until something can be read.
     *
     * @param timeoutMs milliseconds; negative: no limit
     * @return 1, 0 when the time is over, or -errno
     */
    public static int waitReadable(int socket, int timeoutMs) {
        return waitReadable0(socket, timeoutMs);
    }

    private static native int openSocket0();

    private static native int connectSocket0(int socket, byte[] pathAndNul);

    private static native int sendRequest0(
            int socket, ByteBuffer request, int length, int first, int second, int third);

    private static native int waitWritable0(int socket, int timeoutMs);

    private static native int waitReadable0(int socket, int timeoutMs);
}
