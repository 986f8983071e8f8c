package io.sendfiled.jni;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;

/**
 * The service manager that has started the daemon: the messages of sd_notify(3), and the
 * socket of sd_listen_fds(3). Each method gives a value from 0 up, or
 * a negated errno, and is described in {@code native/core/process/service_manager.h}.
 *
 * <p>For the program's main thread. An embedded engine uses none of it.
 */
public final class ServiceNative {
    /** Where the descriptors begin that it passes. */
    public static final int SOCKET_FD = 3;

    private static final int PATH_MAX = 109;

    static {
        NativeLibrary.ensureAvailable();
    }

    private ServiceNative() {}

    /**
     * Connects to the socket of {@code NOTIFY_SOCKET}; before the sandbox.
     *
     * @return a descriptor, which the caller closes; or -errno
     */
    public static int connect(byte[] address) {
        return connect0(buffer(address).put(address.length, (byte) 0));
    }

    /** Sends one message; waits a second at most for room. 0, or -errno. */
    public static int send(int fd, byte[] message) {
        return send0(fd, buffer(message), message.length);
    }

    /** Waits until the messages so far are taken, at most so long. 0, or -errno. */
    public static native int awaitReceipt(int fd, int timeoutMs);

    /**
     * Takes a socket that the manager passes as the request socket.
     *
     * @param path gets the path that it is bound to
     * @return 0; 1 when what was sent before has no credentials; or -errno, which says what it is not
     */
    public static int socket(int fd, ByteArrayOutputStream path) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(PATH_MAX);
        int result = socket0(fd, buffer);
        for (int i = 0; result >= 0 && buffer.get(i) != 0; i++) {
            path.write(buffer.get(i));
        }
        return result;
    }

    /** The clock of {@code MONOTONIC_USEC}. */
    public static native long clockUs();

    private static native int connect0(ByteBuffer address);

    private static native int socket0(int fd, ByteBuffer path);

    private static native int send0(int fd, ByteBuffer message, int length);

    /** The bytes, and a NUL behind them. */
    static ByteBuffer buffer(byte[] bytes) {
        return ByteBuffer.allocateDirect(bytes.length + 1).put(bytes).clear();
    }
}
