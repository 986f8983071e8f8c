package io.sendfiled.protocol;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Encodes version 1 requests. Stateless; any thread.
 *
 * <p>Checks nothing but its caller's mistakes: what the daemon would refuse (an empty path, a range beyond 2^63 - 1) can
 * be encoded, so that tests can send it.
 */
public final class RequestEncoder {
    private RequestEncoder() {}

    /**
     * Puts Open, Read or Send File at the buffer's position and advances it.
     *
     * @param buf where to; its byte order is set to the native one
     * @param command {@link Wire#OPEN_FILE}, {@link Wire#READ_FILE} or {@link Wire#SEND_FILE}
     * @param path the path's bytes without a NUL
     * @param offset the first byte of the range
     * @param length the bytes of the range; 0 means "to the end of the file"
     * @throws java.nio.BufferOverflowException if the request does not fit
     */
    public static void putFileRequest(ByteBuffer buf, int command, byte[] path, long offset, long length) {
        putHeader(buf, command);
        buf.putLong(offset).putLong(length).put(path).put((byte) 0);
    }

    /**
     * Puts Send Open File at the buffer's position and advances it.
     *
     * @param buf where to; its byte order is set to the native one
     * @param transferId the id of the opened file
     */
    public static void putSendOpenFile(ByteBuffer buf, long transferId) {
        putHeader(buf, Wire.SEND_OPEN_FILE);
        buf.putLong(transferId);
    }

    /**
     * Puts Cancel at the buffer's position and advances it.
     *
     * @param buf where to; its byte order is set to the native one
     * @param transferId the transfer to end
     */
    public static void putCancel(ByteBuffer buf, long transferId) {
        putHeader(buf, Wire.CANCEL);
        buf.putLong(transferId);
    }

    private static void putHeader(ByteBuffer buf, int command) {
        buf.order(ByteOrder.nativeOrder());
        buf.putLong(0); // clears the padding
        buf.put(buf.position() - Long.BYTES, (byte) command);
    }
}
