package io.sendfiled.protocol;

import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Decodes requests, those of version 1 and extended ones, in place.
 *
 * <p>Runs on an event loop, once for each request: it never allocates, never copies the path and never trusts a byte.
 * One instance belongs to one thread and is reused; the accessors describe the last request that {@link #decode}
 * accepted, {@link #version} also a refused one. The only decoder in the product; the native tests have a twin in C
 * (test-native/support/dispatcher) with the same checks in the same order.
 */
public final class RequestDecoder {
    private int command;
    private long offset;
    private long length;
    private long transferId;
    private int pathPosition;
    private int pathLength;
    private int version; // 0: not extended
    private long rate;
    private int idleMs;
    private int deadlineMs;
    private int technique;
    private int flags;
    private int segments;

    /**
     * Decodes the request in {@code buf[position, position + size)}.
     *
     * <p>The buffer's position and limit are neither used nor changed.
     *
     * @param buf a buffer in native byte order
     * @param position where the datagram begins
     * @param size how many bytes the datagram has; 0 is legal, and refused
     * @return 0, or the errno with which the request is to be refused; the first of these that applies:
     *     <ol>
     *       <li>{@code EBADMSG}: shorter than 2 bytes, stat not 0, a command that is no request's
     *       <li>{@code EPROTONOSUPPORT}: a command of the extensions (0x10-0x7f) that is unknown
     *       <li>{@code EBADMSG}: an extended request shorter than 8 bytes
     *       <li>{@code EPROTONOSUPPORT}: an extended request of another version
     *       <li>{@code EBADMSG}: a wrong length, no NUL at the end of the path or another one inside
     *       <li>{@code ENAMETOOLONG}: a path longer than 4095 bytes
     *       <li>{@code ENOENT}: an empty path
     *       <li>{@code EINVAL}: an unknown technique or flag; in version 2 padding that is not 0
     *       <li>of segments: {@code E2BIG}, more than {@link Wire#MAX_SEGMENTS}; {@code EMSGSIZE}, longer than {@link
     *           Wire#MAX_REQUEST_SIZE}; {@code EINVAL}, with an offset, a length or {@link Wire#FLAG_SEAL}; {@code
     *           EBADMSG}, one that is cut, or bytes behind the last one
     *       <li>{@code ERANGE}: offset and length, or those of a segment, do not fit into a file
     *     </ol>
     * @throws IllegalArgumentException if the buffer is not in native byte order
     */
    public int decode(ByteBuffer buf, int position, int size) {
        if (buf.order() != ByteOrder.nativeOrder()) {
            throw new IllegalArgumentException("the buffer is not in native byte order");
        }
        forget();
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
            case Wire.OPEN_FILE_EXT:
            case Wire.READ_FILE_EXT:
            case Wire.SEND_FILE_EXT:
            case Wire.SEND_DESCRIPTOR:
                return decodeExtended(cmd, buf, position, size);
            default:
                return cmd >= Wire.FIRST_EXTENDED_REQUEST && cmd <= Wire.LAST_EXTENDED_REQUEST
                        ? Errno.EPROTONOSUPPORT
                        : Errno.EBADMSG;
        }
    }

    private void forget() {
        command = 0;
        offset = 0;
        length = 0;
        transferId = 0;
        pathPosition = 0;
        pathLength = 0;
        version = 0;
        rate = 0;
        idleMs = 0;
        deadlineMs = 0;
        technique = 0;
        flags = 0;
        segments = 0;
    }

    private int decodeFileRequest(int cmd, ByteBuffer buf, int position, int size) {
        int errno = checkPath(buf, position, size, Wire.FILE_REQUEST_HEADER_SIZE);
        if (errno == 0) {
            errno = checkRange(buf, position + Wire.REQUEST_OFFSET, Wire.VERSION);
        }
        if (errno == 0) {
            accept(cmd, buf, position, Wire.VERSION);
            acceptPath(position, size, Wire.FILE_REQUEST_HEADER_SIZE);
        }
        return errno;
    }

    private int decodeExtended(int cmd, ByteBuffer buf, int position, int size) {
        if (size < Wire.EXTENDED_PREFIX_SIZE) {
            return Errno.EBADMSG;
        }
        int asked = buf.getShort(position + Wire.EXTENDED_VERSION);
        if (asked != Wire.VERSION && asked != Wire.VERSION_2) {
            return Errno.EPROTONOSUPPORT;
        }
        if (buf.getInt(position + Wire.EXTENDED_TOTAL) != size) {
            return Errno.EBADMSG;
        }
        version = asked;
        if (size < Wire.EXTENDED_REQUEST_HEADER_SIZE) {
            return Errno.EBADMSG;
        }
        int count = asked >= Wire.VERSION_2 ? Short.toUnsignedInt(buf.getShort(position + Wire.REQUEST_SEGMENTS)) : 0;
        int head = count == 0 ? size : headSize(cmd, buf, position, size);
        int errno = 0;
        if (cmd != Wire.SEND_DESCRIPTOR) {
            errno = checkPath(buf, position, head, Wire.EXTENDED_REQUEST_HEADER_SIZE);
        } else if (head != Wire.EXTENDED_REQUEST_HEADER_SIZE) {
            errno = Errno.EBADMSG;
        }
        if (errno == 0) {
            errno = checkOptions(buf, position, asked);
        }
        if (errno == 0 && count > 0) {
            errno = checkSegments(buf, position, head, size, count);
        }
        if (errno == 0) {
            errno = checkRange(buf, position + Wire.REQUEST_OFFSET, asked);
        }
        if (errno != 0) {
            return errno;
        }
        accept(cmd == Wire.SEND_DESCRIPTOR ? cmd : cmd & 0x0f, buf, position, asked);
        if (cmd != Wire.SEND_DESCRIPTOR) {
            acceptPath(position, head, Wire.EXTENDED_REQUEST_HEADER_SIZE);
        }
        segments = count;
        rate = buf.getLong(position + Wire.REQUEST_RATE);
        idleMs = buf.getInt(position + Wire.REQUEST_IDLE);
        deadlineMs = buf.getInt(position + Wire.REQUEST_DEADLINE);
        technique = buf.get(position + Wire.REQUEST_TECHNIQUE);
        flags = buf.get(position + Wire.REQUEST_FLAGS);
        return 0;
    }

    /** Bytes before the first segment: those of a request without a path, or to the path's NUL; all if there is none. */
    private static int headSize(int cmd, ByteBuffer buf, int position, int size) {
        int head = Wire.EXTENDED_REQUEST_HEADER_SIZE;
        if (cmd == Wire.SEND_DESCRIPTOR) {
            return head;
        }
        while (head < size && buf.get(position + head) != 0) {
            head++;
        }
        return Math.min(head + 1, size);
    }

    private static int checkPath(ByteBuffer buf, int position, int size, int header) {
        if (size <= header || buf.get(position + size - 1) != 0) {
            return Errno.EBADMSG;
        }
        int first = position + header;
        int count = size - header - 1;
        for (int i = first; i < first + count; i++) {
            if (buf.get(i) == 0) { // a path cut at its first NUL would name another file
                return Errno.EBADMSG;
            }
        }
        if (count > Wire.MAX_PATH_LENGTH) {
            return Errno.ENAMETOOLONG;
        }
        return count == 0 ? Errno.ENOENT : 0;
    }

    private static int checkOptions(ByteBuffer buf, int position, int version) {
        if (Technique.of(buf.get(position + Wire.REQUEST_TECHNIQUE)) == null
                || (buf.get(position + Wire.REQUEST_FLAGS) & ~Wire.ALL_FLAGS) != 0) {
            return Errno.EINVAL;
        }
        boolean padded = buf.getInt(position + Wire.REQUEST_PADDING) != 0;
        return version >= Wire.VERSION_2 && padded ? Errno.EINVAL : 0;
    }

    private static int checkSegments(ByteBuffer buf, int position, int head, int size, int count) {
        if (count > Wire.MAX_SEGMENTS) {
            return Errno.E2BIG;
        }
        if (size > Wire.MAX_REQUEST_SIZE) {
            return Errno.EMSGSIZE;
        }
        if (buf.getLong(position + Wire.REQUEST_OFFSET) != 0
                || buf.getLong(position + Wire.REQUEST_LENGTH) != 0
                || (buf.get(position + Wire.REQUEST_FLAGS) & Wire.FLAG_SEAL) != 0) {
            return Errno.EINVAL;
        }
        int errno = 0;
        int at = position + head;
        int end = position + size;
        for (int i = 0; i < count; i++) {
            if (end - at < Wire.SEGMENT_SIZE) {
                return Errno.EBADMSG;
            }
            int next = at + Wire.SEGMENT_SIZE;
            if (buf.getLong(at + Wire.SEGMENT_OFFSET) == Wire.SEGMENT_BYTES) {
                long bytes = buf.getLong(at + Wire.SEGMENT_LENGTH);
                if (bytes < 0 || bytes > end - next) {
                    return Errno.EBADMSG;
                }
                next += (int) bytes;
            } else if (checkRange(buf, at, Wire.VERSION_2) != 0) {
                errno = Errno.ERANGE;
            }
            at = next;
        }
        return at == end ? errno : Errno.EBADMSG;
    }

    /** Offset and length stand at {@code at}. */
    private static int checkRange(ByteBuffer buf, int at, int version) {
        long from = buf.getLong(at);
        long bytes = buf.getLong(at + Long.BYTES);
        if (version >= Wire.VERSION_2 && bytes == Wire.TO_END) {
            return from < 0 ? Errno.ERANGE : 0;
        }
        // bytes < 0: an unsigned number above 2^63
        return from < 0 || bytes < 0 || from > Long.MAX_VALUE - bytes ? Errno.ERANGE : 0;
    }

    private void accept(int cmd, ByteBuffer buf, int position, int version) {
        long bytes = buf.getLong(position + Wire.REQUEST_LENGTH);
        command = cmd;
        offset = buf.getLong(position + Wire.REQUEST_OFFSET);
        length = version < Wire.VERSION_2 && bytes == 0 ? Wire.TO_END : bytes;
    }

    private void acceptPath(int position, int size, int header) {
        pathPosition = position + header;
        pathLength = size - header - 1;
    }

    /**
     * What is asked for: {@link Wire#OPEN_FILE} to {@link Wire#CANCEL}, for their extended forms too, or {@link
     * Wire#SEND_DESCRIPTOR}; 0 after a refusal.
     */
    public int command() {
        return command;
    }

    /** Of a file request or Send Descriptor: the first byte of the range, at least 0. */
    public long offset() {
        return offset;
    }

    /** Of a file request or Send Descriptor of any version: the bytes of the range, or {@link Wire#TO_END}. */
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

    /**
     * The version of an extended request, whose answer consists of extended responses; else 0. Also of a refused request
     * whose first 8 bytes are those of an extended request of a known version: its sender understands a {@link
     * Wire#REFUSAL}.
     */
    public int version() {
        return version;
    }

    /** Of an extended request: the most bytes per second; 0: no limit. An unsigned number. */
    public long rate() {
        return rate;
    }

    /** Of an extended request: the longest time without a byte accepted, in ms; 0: the daemon's. An unsigned number. */
    public int idleMs() {
        return idleMs;
    }

    /** Of an extended request: the longest time from receipt to the end, in ms; 0: none. An unsigned number. */
    public int deadlineMs() {
        return deadlineMs;
    }

    /** Of an extended request: {@link Technique#code} of one that exists; else 0. */
    public int technique() {
        return technique;
    }

    /**
     * Of an extended request: how many segments follow the path's NUL, or the request if it has no path, 0 to {@link
     * Wire#MAX_SEGMENTS}; then the range is 0 bytes from 0 on.
     */
    public int segments() {
        return segments;
    }

    /** Of an extended request: {@link Wire#FLAG_DROP_BEHIND}, {@link Wire#FLAG_MORE}, {@link Wire#FLAG_SEAL}; no others. */
    public int flags() {
        return flags;
    }
}
