package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;

/**
 * Records of requests that are over, in memory into which {@link JournalNative#take} moves them: {@code struct sfd_record}.
 * Their layout, member by member, is compared with the library's when that is loaded.
 *
 * <p>One thread. Only {@link #path} allocates.
 */
public final class Records {
    /** A request that was answered with an error before a byte was due, or not at all. */
    public static final int REFUSED = 1;

    /** A transfer that ended with an error after it had begun. */
    public static final int FAILED = 1 << 1;

    /** A transfer that moved every byte. */
    public static final int DONE = 1 << 2;

    /** A transfer that its client has ended, or whose client is gone. */
    public static final int CANCELLED = 1 << 3;

    /** A thread that was held in one call. */
    public static final int STALL = 1 << 4;

    /** The size of a file that nobody has looked at. */
    public static final long UNKNOWN = -1;

    private static final int COLD = 1;
    private static final int PATH_CUT = 1 << 1;
    private static final int UNBEGUN = 1 << 2;

    private static final Layout RECORD = new Layout("record");
    private static final int ID = RECORD.i64("id");
    private static final int RECEIVED_NS = RECORD.i64("received_ns");
    private static final int FIRST_BYTE_NS = RECORD.i64("first_byte_ns");
    private static final int ENDED_NS = RECORD.i64("ended_ns");
    private static final int BYTES = RECORD.i64("bytes");
    private static final int SIZE = RECORD.i64("size");
    private static final int PID = RECORD.i32("pid");
    private static final int UID = RECORD.i32("uid");
    private static final int ERROR = RECORD.i32("error");
    private static final int KIND = RECORD.i8("kind");
    private static final int OPERATION = RECORD.i8("operation");
    private static final int TECHNIQUE = RECORD.i8("technique");
    private static final int FLAGS = RECORD.i8("flags");
    private static final int LOOP = RECORD.i16("loop");
    private static final int PATH_LENGTH = RECORD.i16("path_length");
    private static final int PATH = RECORD.array("path", 176, Byte.BYTES);

    /** Bytes of one record. */
    static final int BYTES_EACH = RECORD.skip(Integer.BYTES).size();

    private final ByteBuffer memory;
    private int base;

    /** Room for so many. */
    public Records(int room) {
        memory = ByteBuffer.allocateDirect(room * BYTES_EACH).order(ByteOrder.nativeOrder());
    }

    /** @throws UnsatisfiedLinkError naming what differs */
    static void checkLayout() {
        RECORD.check();
        NativeConstants.check(
                "kept",
                Map.of(
                        "refused",
                        REFUSED,
                        "failed",
                        FAILED,
                        "done",
                        DONE,
                        "cancelled",
                        CANCELLED,
                        "stall",
                        STALL,
                        "cold",
                        COLD,
                        "cut",
                        PATH_CUT,
                        "unbegun",
                        UNBEGUN));
    }

    /** Moves what an engine has into this, in the place of what was there. How many there are now. */
    public int take(long engine) {
        return JournalNative.take(engine, memory);
    }

    /** The others are about the record of that index from here on. */
    public Records at(int index) {
        base = index * BYTES_EACH;
        return this;
    }

    /** {@link #REFUSED}, {@link #FAILED}, {@link #DONE}, {@link #CANCELLED} or {@link #STALL}. */
    public int kind() {
        return memory.get(base + KIND);
    }

    /** Of the transfer, as its administrator names it; 0: there was none, or it has no name. */
    public long id() {
        return memory.getLong(base + ID);
    }

    /** By the monotonic clock, as the others; 0: unknown. */
    public long receivedNs() {
        return memory.getLong(base + RECEIVED_NS);
    }

    /** When the destination accepted the first byte; 0: it got none. */
    public long firstByteNs() {
        return memory.getLong(base + FIRST_BYTE_NS);
    }

    /** When it was over. */
    public long endedNs() {
        return memory.getLong(base + ENDED_NS);
    }

    /** That the destination has accepted. */
    public long bytes() {
        return memory.getLong(base + BYTES);
    }

    /** Bytes that it was to move; {@link #UNKNOWN} if its file was not opened. */
    public long size() {
        return memory.getLong(base + SIZE);
    }

    /** Of the client; 0: a process of another pid namespace. */
    public int pid() {
        return memory.getInt(base + PID);
    }

    /** Of the client, unsigned. */
    public int uid() {
        return memory.getInt(base + UID);
    }

    /** An errno; 0: none. */
    public int error() {
        return memory.getInt(base + ERROR);
    }

    /** What was asked for, {@code enum sfd_operation}; 0: nothing that is known. */
    public int operation() {
        return memory.get(base + OPERATION);
    }

    /** The code of one; 0: none was selected. */
    public int technique() {
        return memory.get(base + TECHNIQUE);
    }

    /** Whether the disk pool opened the file, or loaded some of it. */
    public boolean isCold() {
        return (memory.get(base + FLAGS) & COLD) != 0;
    }

    /** Whether it was refused before it was a transfer. */
    public boolean isUnbegun() {
        return (memory.get(base + FLAGS) & UNBEGUN) != 0;
    }

    /** The index of the loop. */
    public int loop() {
        return memory.getShort(base + LOOP);
    }

    /** Whether {@link #path} is only the end of it. */
    public boolean isPathCut() {
        return (memory.get(base + FLAGS) & PATH_CUT) != 0;
    }

    /** Of the path that was asked for, as it came. */
    public byte[] path() {
        byte[] path = new byte[pathLength()];
        memory.get(base + PATH, path);
        return path;
    }

    /** Bytes of {@link #path}. */
    public int pathLength() {
        return memory.getShort(base + PATH_LENGTH);
    }

    /** One byte of {@link #path}. */
    public byte pathByte(int index) {
        return memory.get(base + PATH + index);
    }
}
