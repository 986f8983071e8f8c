package io.sendfiled.protocol;

import io.sendfiled.technique.Technique;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Encodes the messages of a transfer, as {@link ResponseDecoder} takes them: for an engine in Java. Each method gives a new
 * buffer that begins at 0 and ends at its limit. The C twin is {@code sfd_wire_put_...}.
 */
public final class ResponseEncoder {
    private ResponseEncoder() {}

    /**
     * What {@code stat(2)} tells of a file; times in nanoseconds since 1970.
     *
     * @param size the bytes of the whole file
     * @param mode type and permissions
     */
    public record Stat(
            long size, long inode, long device, int mode, long accessNs, long modificationNs, long changeNs) {}

    /**
     * File Details and File Information.
     *
     * @param size the bytes that the transfer will move
     * @param transferId not 0
     */
    public static ByteBuffer fileInformation(Stat stat, long size, long transferId) {
        int info = Wire.FILE_DETAILS_SIZE;
        return extended(Wire.FILE_DETAILS, 0, Wire.FILE_DETAILS_SIZE, Wire.FILE_DETAILS_SIZE + Wire.FILE_INFO_SIZE)
                .putLong(Wire.DETAILS_SIZE, stat.size)
                .putLong(Wire.DETAILS_INODE, stat.inode)
                .putLong(Wire.DETAILS_DEVICE, stat.device)
                .putInt(Wire.DETAILS_ATIME_NS, nanos(stat.accessNs))
                .putInt(Wire.DETAILS_MTIME_NS, nanos(stat.modificationNs))
                .putInt(Wire.DETAILS_CTIME_NS, nanos(stat.changeNs))
                .putShort(Wire.DETAILS_MODE, (short) stat.mode)
                .put(info + Wire.COMMAND, (byte) Wire.FILE_INFO)
                .putLong(info + Wire.INFO_SIZE, size)
                .putLong(info + Wire.INFO_ATIME, seconds(stat.accessNs))
                .putLong(info + Wire.INFO_MTIME, seconds(stat.modificationNs))
                .putLong(info + Wire.INFO_CTIME, seconds(stat.changeNs))
                .putLong(info + Wire.INFO_ID, transferId);
    }

    /** So many bytes were moved since the last one. */
    public static ByteBuffer progress(long bytes) {
        return empty(Wire.TRANSFER_STATUS_SIZE)
                .put(Wire.COMMAND, (byte) Wire.TRANSFER_STATUS)
                .putLong(Wire.STATUS_SIZE, bytes);
    }

    /** The request is refused. */
    public static ByteBuffer refusal(int errno) {
        return extended(Wire.REFUSAL, errno, Wire.REFUSAL_SIZE, Wire.REFUSAL_SIZE);
    }

    /**
     * The end.
     *
     * @param errno 0: complete
     * @param moved the bytes moved in all
     */
    public static ByteBuffer result(int errno, long moved, long elapsedNs, Technique technique) {
        return extended(Wire.RESULT, errno, Wire.RESULT_SIZE, Wire.RESULT_SIZE)
                .putLong(Wire.RESULT_MOVED, moved)
                .putLong(Wire.RESULT_ELAPSED, elapsedNs)
                .put(Wire.RESULT_TECHNIQUE, (byte) technique.code());
    }

    private static ByteBuffer extended(int command, int errno, int size, int room) {
        return empty(room)
                .put(Wire.COMMAND, (byte) command)
                .put(Wire.STAT, (byte) errno)
                .putShort(Wire.EXTENDED_VERSION, (short) Wire.VERSION)
                .putInt(Wire.EXTENDED_TOTAL, size);
    }

    private static ByteBuffer empty(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.nativeOrder());
    }

    private static long seconds(long ns) {
        return Math.floorDiv(ns, 1_000_000_000L);
    }

    private static int nanos(long ns) {
        return (int) Math.floorMod(ns, 1_000_000_000L);
    }
}
