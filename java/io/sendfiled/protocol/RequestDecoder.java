package io.sendfiled.protocol;

import io.sendfiled.jni.Errno;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Decodes version 1 requests in place.
 *
 * <p>Runs on an event loop, once for each request: it never allocates, never copies the path and never trusts a byte.
 * One instance belongs to one thread and is used over and over; the accessors tell about the last request that
 * {@link #decode} accepted. The C twin is {@code sfd_wire_get_request}.
 */
public final class RequestDecoder {
    private int command;
    private long offset;
    private long length;
    private long transferId;
    private int pathPosition;
    private int pathLength;

    /**
     * Decodes the request in {@code buf[position, position + size)}.
     *
     * <p>The buffer's position and limit are neither used nor changed.
     *
     * @param buf a buffer in native byte order
     * @param position where the datagram begins
     * @param size how many bytes the datagram has; 0 is legal, and refused
     * @return 0, or the errno with which the request is to be refused: {@code EBADMSG} (malformed),
     *     {@code EPROTONOSUPPORT} (an extension that this version does not know), {@code ENAMETOOLONG}, {@code ENOENT}
     *     (empty path) or {@code ERANGE} (offset and length do not fit into a file)
     * @throws IllegalArgumentException if the buffer is not in native byte order
     */
    public int decode(ByteBuffer buf, int position, int size) {
        if (buf.order() != ByteOrder.nativeOrder()) {
            throw new IllegalArgumentException("the buffer is not in native byte order");
        }
        command = 0;
        offset = 0;
        length = 0;
        transferId = 0;
        pathPosition = 0;
        pathLength = 0;
        if (size < Wire.ERROR_SIZE || buf.get(position + Wire.STAT) != 0) {
            return Errno.EBADMSG;
        }
        int cmd = buf.get(position + Wire.COMMAND) & 0xff;
        switch (cmd) {
            case Wire.OPEN_FILE:
            case Wire.READ_FILE:
            case Wire.SEND_FILE:
                return decodeFileRequest(cmd, buf, position, size);
            case Wire.SEND_OPEN_FILE:
            case Wire.CANCEL:
                if (size != Wire.ID_REQUEST_SIZE) {
                    return Errno.EBADMSG;
                }
                command = cmd;
                transferId = buf.getLong(position + Wire.REQUEST_ID);
                return 0;
            default:
                return cmd >= Wire.FIRST_EXTENDED_REQUEST && cmd <= Wire.LAST_EXTENDED_REQUEST
                        ? Errno.EPROTONOSUPPORT
                        : Errno.EBADMSG;
        }
    }

    private int decodeFileRequest(int cmd, ByteBuffer buf, int position, int size) {
        if (size <= Wire.FILE_REQUEST_HEADER_SIZE || buf.get(position + size - 1) != 0) {
            return Errno.EBADMSG;
        }
        int first = position + Wire.FILE_REQUEST_HEADER_SIZE;
        int count = size - Wire.FILE_REQUEST_HEADER_SIZE - 1;
        for (int i = first; i < first + count; i++) {
            if (buf.get(i) == 0) { // a path cut at its first NUL would name another file
                return Errno.EBADMSG;
            }
        }
        if (count > Wire.MAX_PATH_LENGTH) {
            return Errno.ENAMETOOLONG;
        }
        if (count == 0) {
            return Errno.ENOENT;
        }
        long from = buf.getLong(position + Wire.REQUEST_OFFSET);
        long bytes = buf.getLong(position + Wire.REQUEST_LENGTH);
        if (from < 0 || bytes < 0 || from > Long.MAX_VALUE - bytes) { // bytes < 0: an unsigned number above 2^63
            return Errno.ERANGE;
        }
        command = cmd;
        offset = from;
        length = bytes;
        pathPosition = first;
        pathLength = count;
        return 0;
    }

    /** The command id, {@link Wire#OPEN_FILE} to {@link Wire#CANCEL}; 0 after a refusal. */
    public int command() {
        return command;
    }

    /** Of a file request: the first byte of the range, at least 0. */
    public long offset() {
        return offset;
    }

    /** Of a file request: the bytes of the range; 0 means "to the end of the file". */
    public long length() {
        return length;
    }

    /** Of Send Open File and Cancel: which transfer. Any 64-bit value can arrive here. */
    public long transferId() {
        return transferId;
    }

    /** Of a file request: the index of the path's first byte in the buffer that was decoded. */
    public int pathPosition() {
        return pathPosition;
    }

    /** Of a file request: the path's length in bytes, 1 to 4095, without the NUL that follows it in the buffer. */
    public int pathLength() {
        return pathLength;
    }
}
