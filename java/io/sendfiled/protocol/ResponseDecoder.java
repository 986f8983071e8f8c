package io.sendfiled.protocol;

import io.sendfiled.technique.Technique;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Decodes the responses on one status channel, fed with bytes as they arrive.
 *
 * <p>A message may arrive in pieces and several may arrive at once: call {@link #next} until it says
 * {@link Event#NEED_MORE}. It takes exactly the bytes of one message, so that what follows the File Information of a
 * Read File (the file's bytes) stays in the buffer. One thread at a time. The C twin is {@code sfd_wire_get_response}.
 */
public final class ResponseDecoder {
    /** What {@link #next} found. */
    public enum Event {
        /** All bytes are used up and the message is not whole yet. */
        NEED_MORE,
        /** File Information; see {@link #size()}, the times and {@link #transferId()}. */
        FILE_INFO,
        /** Progress; {@link #size()} bytes were moved since the last one. */
        PROGRESS,
        /** Every byte was accepted by the destination. The last message. */
        COMPLETE,
        /** The request is refused, with {@link #errno()}. The last message. */
        REFUSED,
        /** The transfer ended early, with {@link #errno()}. The last message. */
        FAILED,
        /**
         * The extended request is refused, with {@link #errno()}; {@link #fits()} gives the techniques that would fit.
         * The last message.
         */
        REFUSED_EXTENDED,
        /**
         * The extended transfer is over: complete if {@link #errno()} is 0. See {@link #size()}, {@link #elapsedNs()},
         * {@link #coldWindows()} and {@link #technique()}. The last message.
         */
        RESULT,
        /**
         * More about the file whose FILE_INFO comes next; see {@link #size()}, {@link #inode()}, {@link #device()}, {@link
         * #mode()} and the times' nanoseconds.
         */
        FILE_DETAILS,
        /** Bytes that are no response: no message after them can be found. */
        MALFORMED
    }

    private final ByteBuffer message = ByteBuffer.allocate(Wire.FILE_INFO_SIZE).order(ByteOrder.nativeOrder());
    private boolean delivered;

    /**
     * Takes bytes up to the end of one message.
     *
     * @param in bytes from the channel; its position advances over what was taken
     */
    public Event next(ByteBuffer in) {
        if (delivered) {
            message.clear();
            delivered = false;
        }
        if (!fill(in, Wire.ERROR_SIZE)) {
            return Event.NEED_MORE;
        }
        int command = message.get(Wire.COMMAND) & 0xff;
        boolean error = message.get(Wire.STAT) != 0;
        if (command == Wire.FILE_INFO) {
            if (!error && !fill(in, Wire.FILE_INFO_SIZE)) {
                return Event.NEED_MORE;
            }
            delivered = true;
            return error ? Event.REFUSED : Event.FILE_INFO;
        }
        if (command == Wire.TRANSFER_STATUS) {
            if (!error && !fill(in, Wire.TRANSFER_STATUS_SIZE)) {
                return Event.NEED_MORE;
            }
            delivered = true;
            if (error) {
                return Event.FAILED;
            }
            return size() == Wire.COMPLETE ? Event.COMPLETE : Event.PROGRESS;
        }
        if (command == Wire.REFUSAL || command == Wire.RESULT || command == Wire.FILE_DETAILS) {
            return nextExtended(in, command, error);
        }
        return Event.MALFORMED;
    }

    private Event nextExtended(ByteBuffer in, int command, boolean error) {
        int size =
                switch (command) {
                    case Wire.REFUSAL -> Wire.REFUSAL_SIZE;
                    case Wire.RESULT -> Wire.RESULT_SIZE;
                    default -> Wire.FILE_DETAILS_SIZE;
                };
        if (!fill(in, Wire.EXTENDED_PREFIX_SIZE)) {
            return Event.NEED_MORE;
        }
        if (message.getShort(Wire.EXTENDED_VERSION) != Wire.VERSION || message.getInt(Wire.EXTENDED_TOTAL) != size) {
            return Event.MALFORMED;
        }
        if (!fill(in, size)) {
            return Event.NEED_MORE;
        }
        if (command == Wire.REFUSAL ? !error : command == Wire.FILE_DETAILS && error) {
            return Event.MALFORMED;
        }
        delivered = true;
        return switch (command) {
            case Wire.REFUSAL -> Event.REFUSED_EXTENDED;
            case Wire.RESULT -> Event.RESULT;
            default -> Event.FILE_DETAILS;
        };
    }

    /**
     * Whether whole messages, one behind the other, end with one that is the last of its transfer.
     *
     * @param in where they are
     * @param at where they begin
     * @param length their bytes
     */
    public static boolean isFinal(ByteBuffer in, int at, int length) {
        int end = at + length;
        int next = at;
        while (next < end) {
            boolean error = in.get(next + Wire.STAT) != 0;
            int size =
                    switch (in.get(next + Wire.COMMAND) & 0xff) {
                        case Wire.FILE_INFO -> error ? 0 : Wire.FILE_INFO_SIZE;
                        case Wire.TRANSFER_STATUS ->
                            error || in.getLong(next + Wire.STATUS_SIZE) == Wire.COMPLETE
                                    ? 0
                                    : Wire.TRANSFER_STATUS_SIZE;
                        case Wire.FILE_DETAILS -> Wire.FILE_DETAILS_SIZE;
                        default -> 0; // a Refusal or a Result
                    };
            if (size == 0) {
                return true;
            }
            next += size;
        }
        return false;
    }

    private boolean fill(ByteBuffer in, int size) {
        while (message.position() < size && in.hasRemaining()) {
            message.put(in.get());
        }
        return message.position() >= size;
    }

    /** Whether a message has begun that is not whole yet. */
    public boolean isInsideMessage() {
        return !delivered && message.position() > 0;
    }

    /**
     * Of FILE_INFO: the bytes that this transfer will move. Of PROGRESS: the bytes moved since the last one. Of RESULT: the
     * bytes moved in all. Of FILE_DETAILS: the bytes of the whole file.
     */
    public long size() {
        return message.getLong(Wire.INFO_SIZE);
    }

    /** Of FILE_INFO: the last access, in seconds since 1970. */
    public long accessTime() {
        return message.getLong(Wire.INFO_ATIME);
    }

    /** Of FILE_INFO: the last modification, in seconds since 1970. */
    public long modificationTime() {
        return message.getLong(Wire.INFO_MTIME);
    }

    /** Of FILE_INFO: the last change of the file or its attributes, in seconds since 1970. */
    public long changeTime() {
        return message.getLong(Wire.INFO_CTIME);
    }

    /** Of FILE_INFO: the transfer's id, for Send Open File and Cancel. */
    public long transferId() {
        return message.getLong(Wire.INFO_ID);
    }

    /** Of REFUSED, FAILED and REFUSED_EXTENDED: the errno, 1 to 255. Of RESULT: the same, or 0, which is success. */
    public int errno() {
        return message.get(Wire.STAT) & 0xff;
    }

    /**
     * Of REFUSED_EXTENDED, and of a RESULT that is no success: the techniques that would fit, for {@link
     * Technique#setOf}; 0: techniques are not the reason.
     */
    public int fits() {
        return (message.get(Wire.COMMAND) & 0xff) == Wire.RESULT
                ? message.get(Wire.RESULT_FITS) & 0xff
                : message.getInt(Wire.REFUSAL_FITS);
    }

    /** Of RESULT: nanoseconds from the daemon's receipt of the request to the last byte accepted. */
    public long elapsedNs() {
        return message.getLong(Wire.RESULT_ELAPSED);
    }

    /** Of RESULT: how many times the transfer waited for the disk. An unsigned number. */
    public int coldWindows() {
        return message.getInt(Wire.RESULT_COLD_WINDOWS);
    }

    /** Of RESULT: the code of the technique that moved the bytes, for {@link Technique#of(int)}. */
    public int technique() {
        return message.get(Wire.RESULT_TECHNIQUE) & 0xff;
    }

    /** Of FILE_DETAILS: the file's inode. An unsigned number. */
    public long inode() {
        return message.getLong(Wire.DETAILS_INODE);
    }

    /** Of FILE_DETAILS: the device that the file is on, {@code st_dev} of {@code stat(2)}. */
    public long device() {
        return message.getLong(Wire.DETAILS_DEVICE);
    }

    /** Of FILE_DETAILS: type and permissions, {@code st_mode} of {@code stat(2)}. */
    public int mode() {
        return message.getShort(Wire.DETAILS_MODE) & 0xffff;
    }

    /** Of FILE_DETAILS: the nanoseconds of the last access. */
    public int accessNanos() {
        return message.getInt(Wire.DETAILS_ATIME_NS);
    }

    /** Of FILE_DETAILS: the nanoseconds of the last modification. */
    public int modificationNanos() {
        return message.getInt(Wire.DETAILS_MTIME_NS);
    }

    /** Of FILE_DETAILS: the nanoseconds of the last change of the file or its attributes. */
    public int changeNanos() {
        return message.getInt(Wire.DETAILS_CTIME_NS);
    }
}
