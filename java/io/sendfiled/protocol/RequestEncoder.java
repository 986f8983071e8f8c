package io.sendfiled.protocol;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Encodes requests. Stateless; any thread.
 *
 * <p>Checks only for mistakes of its caller. A request that the daemon would refuse (an empty path, a range beyond 2^63
 * - 1, an unknown technique) can be encoded, so that tests can send it.
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
     * Puts the extended Open, Read or Send File at the buffer's position and advances it.
     *
     * @param buf where to; its byte order is set to the native one
     * @param command {@link Wire#OPEN_FILE_EXT}, {@link Wire#READ_FILE_EXT} or {@link Wire#SEND_FILE_EXT}
     * @param path the path's bytes without a NUL
     * @param offset the first byte of the range
     * @param length the bytes of the range; "to the end of the file" as the version of the options has it
     * @param options what is asked for
     * @throws java.nio.BufferOverflowException if the request does not fit
     */
    public static void putFileRequest(
            ByteBuffer buf, int command, byte[] path, long offset, long length, RequestOptions options) {
        int total = Wire.EXTENDED_REQUEST_HEADER_SIZE + path.length + 1;
        putExtended(buf, command, total, offset, length, options);
        buf.put(path).put((byte) 0);
    }

    /**
     * Puts Send Descriptor at the buffer's position and advances it.
     *
     * @param buf where to; its byte order is set to the native one
     * @param offset the first byte of the range, from the file's beginning
     * @param length the bytes of the range; "to the end of the file" as the version of the options has it
     * @param options what is asked for
     */
    public static void putSendDescriptor(ByteBuffer buf, long offset, long length, RequestOptions options) {
        putExtended(buf, Wire.SEND_DESCRIPTOR, Wire.EXTENDED_REQUEST_HEADER_SIZE, offset, length, options);
    }

    /**
     * Adds a range of the file to the segments of an extended request of version 2, whose offset and length are 0, at the
     * buffer's position, and advances it.
     *
     * @param buf where the request is encoded
     * @param request the position at which it begins
     * @param offset the first byte of the range
     * @param length the bytes of the range, or {@link Wire#TO_END}
     * @throws java.nio.BufferOverflowException if the segment does not fit
     */
    public static void addRange(ByteBuffer buf, int request, long offset, long length) {
        buf.putLong(offset).putLong(length);
        addSegments(buf, request, 1);
    }

    /**
     * Adds bytes in the same way.
     *
     * @param buf where the request is encoded
     * @param request the position at which it begins
     * @param bytes what the receiver gets
     * @throws java.nio.BufferOverflowException if the segment does not fit
     */
    public static void addBytes(ByteBuffer buf, int request, byte[] bytes) {
        buf.putLong(Wire.SEGMENT_BYTES).putLong(bytes.length).put(bytes);
        addSegments(buf, request, 1);
    }

    /**
     * Adds segments that were encoded before, as those two methods do.
     *
     * @param buf where the request is encoded
     * @param request the position at which it begins
     * @param segments their bytes
     * @param count how many they are
     * @throws java.nio.BufferOverflowException if they do not fit
     */
    public static void addSegments(ByteBuffer buf, int request, byte[] segments, int count) {
        buf.put(segments);
        addSegments(buf, request, count);
    }

    private static void addSegments(ByteBuffer buf, int request, int added) {
        int count = request + Wire.REQUEST_SEGMENTS;
        buf.putShort(count, (short) (buf.getShort(count) + added));
        buf.putInt(request + Wire.EXTENDED_TOTAL, buf.position() - request);
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

    private static void putExtended(
            ByteBuffer buf, int command, int total, long offset, long length, RequestOptions options) {
        buf.order(ByteOrder.nativeOrder());
        buf.put((byte) command)
                .put((byte) 0)
                .putShort((short) options.version())
                .putInt(total);
        buf.putLong(offset).putLong(length).putLong(options.rate());
        buf.putInt(options.idleMs()).putInt(options.deadlineMs());
        buf.put((byte) options.technique()).put((byte) options.flags());
        buf.putShort((short) 0).putInt(0); // padding
    }

    private static void putHeader(ByteBuffer buf, int command) {
        buf.order(ByteOrder.nativeOrder());
        buf.putLong(0); // clears the padding
        buf.put(buf.position() - Long.BYTES, (byte) command);
    }
}
