package io.sendfiled.jni;

import java.nio.ByteBuffer;

/**
 * The service manager that has started the daemon: the messages of sd_notify(3). Each method gives a value from 0 up, or
 * a negated errno, and is described in {@code native/core/process/service_manager.h}.
 *
 * <p>For the program's main thread. An embedded engine uses none of it.
 */
public final class ServiceNative {
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

    /** The clock of {@code MONOTONIC_USEC}. */
    public static native long clockUs();

    private static native int connect0(ByteBuffer address);

    private static native int send0(int fd, ByteBuffer message, int length);

    /** The bytes, with room for a NUL. */
    private static ByteBuffer buffer(byte[] bytes) {
        return ByteBuffer.allocateDirect(bytes.length + 1).put(bytes).clear();
    }
}
