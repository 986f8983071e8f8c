package io.sendfiled.support;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * An extended request, by PROTOCOL.md and not by our encoder: what it asks for is the test's, sound or not.
 *
 * @param path not sent by Send Descriptor
 * @param rate bytes a second, 0: none
 * @param idleMs 0: the daemon's
 * @param deadlineMs 0: none
 * @param technique its number
 */
public record ExtendedRequest(
        int command,
        String path,
        long offset,
        long length,
        long rate,
        int idleMs,
        int deadlineMs,
        int technique,
        int flags) {
    public static final int OPEN_FILE = 0x11;
    public static final int READ_FILE = 0x12;
    public static final int SEND_FILE = 0x13;
    public static final int SEND_DESCRIPTOR = 0x14;

    public static final int DROP_BEHIND = 1;
    public static final int MORE = 2;
    public static final int SEAL = 4;

    private static final int HEADER_SIZE = 48;

    /** The whole of a file, by no technique in particular. */
    public static ExtendedRequest of(int command, String path) {
        return new ExtendedRequest(command, path, 0, 0, 0, 0, 0, 0, 0);
    }

    public static ExtendedRequest read(String path) {
        return of(READ_FILE, path);
    }

    public static ExtendedRequest send(String path) {
        return of(SEND_FILE, path);
    }

    public static ExtendedRequest open(String path) {
        return of(OPEN_FILE, path);
    }

    public static ExtendedRequest sendDescriptor() {
        return of(SEND_DESCRIPTOR, "");
    }

    /** The same by another operation. */
    public ExtendedRequest as(int newCommand) {
        return new ExtendedRequest(newCommand, path, offset, length, rate, idleMs, deadlineMs, technique, flags);
    }

    public ExtendedRequest range(long newOffset, long newLength) {
        return new ExtendedRequest(command, path, newOffset, newLength, rate, idleMs, deadlineMs, technique, flags);
    }

    public ExtendedRequest withRate(long bytesPerSecond) {
        return new ExtendedRequest(command, path, offset, length, bytesPerSecond, idleMs, deadlineMs, technique, flags);
    }

    public ExtendedRequest withIdleMs(int ms) {
        return new ExtendedRequest(command, path, offset, length, rate, ms, deadlineMs, technique, flags);
    }

    public ExtendedRequest withDeadlineMs(int ms) {
        return new ExtendedRequest(command, path, offset, length, rate, idleMs, ms, technique, flags);
    }

    public ExtendedRequest by(int newTechnique) {
        return new ExtendedRequest(command, path, offset, length, rate, idleMs, deadlineMs, newTechnique, flags);
    }

    public ExtendedRequest withFlags(int newFlags) {
        return new ExtendedRequest(command, path, offset, length, rate, idleMs, deadlineMs, technique, newFlags);
    }

    public byte[] bytes() {
        byte[] name = path.getBytes(StandardCharsets.UTF_8);
        int size = HEADER_SIZE + (command == SEND_DESCRIPTOR ? 0 : name.length + 1);
        ByteBuffer bytes = ByteBuffer.allocate(size)
                .order(ByteOrder.nativeOrder())
                .put(0, (byte) command)
                .putShort(2, (short) 1)
                .putInt(4, size)
                .putLong(8, offset)
                .putLong(16, length)
                .putLong(24, rate)
                .putInt(32, idleMs)
                .putInt(36, deadlineMs)
                .put(40, (byte) technique)
                .put(41, (byte) flags);
        return command == SEND_DESCRIPTOR
                ? bytes.array()
                : bytes.put(HEADER_SIZE, name).array();
    }
}
