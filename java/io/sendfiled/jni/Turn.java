package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A view of one loop's turn buffer, the memory that a loop and its dispatcher share; layout contract with {@code struct
 * sfd_turn} and {@code struct sfd_slot}.
 *
 * <pre>
 *     0 requests | 4 lends | 8 choices | 64 lend[128] | 2112 choice[32] | 4096 slot[16] of 4352 bytes
 * lend, 16 bytes: 0 i64 task | 8 i16 queue | 10 i16 urgent | 12 i32 client
 * choice, 32 bytes: 0 i64 id | 8 i64 size | 16 i32 kind | 20 i32 blocking | 24 i32 verdict | 28 u32 fits
 * slot:
 *     0 length | 4 fault | 8 uid | 12 gid | 16 pid | 20 fd count | 24 fds[3] | 36 -
 *    40 verdict | 44 command | 48 offset | 56 length | 64 transfer id | 72 root | 76 path | 80 path length
 *    84 u8 technique | 85 u8 flags | 86 u8 extended | 87 - | 88 rate | 96 idle ms | 100 deadline ms | 104 -
 *   112 bytes of the datagram
 * </pre>
 *
 * Belongs to the loop's thread. Never allocates after construction.
 */
public final class Turn {
    /** Fault of a datagram that is longer than any request, or came with surplus descriptors. */
    public static final int MALFORMED = 1;

    /** Fault of a datagram of which the kernel does not tell the sender. */
    public static final int ANONYMOUS = 2;

    /** Fault of a datagram whose descriptors were lost: this process has no number left for them. */
    public static final int CROWDED = 3;

    private static final int LENDS = 64;
    private static final int LEND_SIZE = 16;
    private static final int SLOTS = 4096;
    private static final int SLOT_SIZE = 4352;
    private static final int VERDICT = 40;
    private static final int COMMAND = 44;
    private static final int TECHNIQUE = 84;
    private static final int BYTES = 112;
    private static final int CHOICES = 2112;
    private static final int CHOICE_SIZE = 32;

    private final ByteBuffer memory;

    /** Of the loop with this handle. */
    public Turn(long loop) {
        this(EngineNative.turn(loop));
    }

    Turn(ByteBuffer memory) {
        this.memory = memory.order(ByteOrder.nativeOrder());
    }

    /** The memory itself, in native byte order; {@link #bytesAt} tells where a datagram stands in it. */
    public ByteBuffer memory() {
        return memory;
    }

    /** How many slots hold a request that wants a verdict. */
    public int requests() {
        return memory.getInt(0);
    }

    /** How many tasks wait for the disk pool. */
    public int lends() {
        return memory.getInt(4);
    }

    /** The handle of a task, for {@link EngineNative#work}. */
    public long task(int lend) {
        return memory.getLong(LENDS + lend * LEND_SIZE);
    }

    /** The disk pool's queue for a task, below {@link EngineNative#QUEUES}. */
    public int queue(int lend) {
        return memory.getShort(LENDS + lend * LEND_SIZE + 8);
    }

    /** Whether a task goes before those that are not urgent. */
    public boolean isUrgent(int lend) {
        return memory.getShort(LENDS + lend * LEND_SIZE + 10) != 0;
    }

    /** The process that a task is worked on for; 0 when it is nobody's. */
    public int client(int lend) {
        return memory.getInt(LENDS + lend * LEND_SIZE + 12);
    }

    /** How many transfers wait for a technique. */
    public int choices() {
        return memory.getInt(8);
    }

    /** How many bytes a transfer that waits for a technique will move. */
    public long choiceSize(int choice) {
        return memory.getLong(CHOICES + choice * CHOICE_SIZE + 8);
    }

    /** The code of its destination's type. */
    public int choiceType(int choice) {
        return memory.getInt(CHOICES + choice * CHOICE_SIZE + 16);
    }

    /** Whether its destination lacks {@code O_NONBLOCK}. */
    public boolean choiceIsBlocking(int choice) {
        return memory.getInt(CHOICES + choice * CHOICE_SIZE + 20) != 0;
    }

    /** The techniques that its destination can take: bit {@code n} for code {@code n}. */
    public int choiceFits(int choice) {
        return memory.getInt(CHOICES + choice * CHOICE_SIZE + 28);
    }

    /** The verdict on a choice: the code of a technique; 0 leaves it to the rules, and so does one that does not fit. */
    public void choose(int choice, int technique) {
        memory.putInt(CHOICES + choice * CHOICE_SIZE + 24, technique);
    }

    /** The datagram's length in bytes. */
    public int length(int slot) {
        return memory.getInt(at(slot));
    }

    /** 0, or why the datagram cannot be a request: {@link #MALFORMED}, {@link #ANONYMOUS}, {@link #CROWDED}. */
    public int fault(int slot) {
        return memory.getInt(at(slot) + 4);
    }

    /** The sender's process id, as the kernel tells it. */
    public int pid(int slot) {
        return memory.getInt(at(slot) + 16);
    }

    /** The sender's user id, as the kernel tells it. */
    public int uid(int slot) {
        return memory.getInt(at(slot) + 8);
    }

    /** Where the datagram's first byte stands in {@link #memory}. */
    public int bytesAt(int slot) {
        return at(slot) + BYTES;
    }

    /** The verdict: refused with this errno. */
    public void refuse(int slot, int errno) {
        memory.putInt(at(slot) + VERDICT, errno);
    }

    /** The request is an extended one, and so are the answers to it, also to one that is refused. */
    public void extended(int slot, int technique, int flags, long rate, int idleMs, int deadlineMs) {
        int at = at(slot);
        memory.put(at + TECHNIQUE, (byte) technique);
        memory.put(at + 85, (byte) flags);
        memory.put(at + 86, (byte) 1);
        memory.putLong(at + 88, rate);
        memory.putInt(at + 96, idleMs);
        memory.putInt(at + 100, deadlineMs);
    }

    /** The verdict: an Open, Read or Send File is granted inside a root. The path is a position in {@link #memory}. */
    public void grantFile(int slot, int command, long offset, long length, int root, int path, int pathLength) {
        int at = at(slot);
        memory.putInt(at + COMMAND, command);
        memory.putLong(at + 48, offset);
        memory.putLong(at + 56, length);
        memory.putInt(at + 72, root);
        memory.putInt(at + 76, path - at - BYTES);
        memory.putInt(at + 80, pathLength);
        memory.putInt(at + VERDICT, 0);
    }

    /** The verdict: a Send Descriptor is granted; the file is the client's own. */
    public void grantDescriptor(int slot, int command, long offset, long length) {
        int at = at(slot);
        memory.putInt(at + COMMAND, command);
        memory.putLong(at + 48, offset);
        memory.putLong(at + 56, length);
        memory.putInt(at + VERDICT, 0);
    }

    /** The verdict: a Send Open File or Cancel may look for its transfer. */
    public void grantTransfer(int slot, int command, long transferId) {
        int at = at(slot);
        memory.putInt(at + COMMAND, command);
        memory.putLong(at + 64, transferId);
        memory.putInt(at + VERDICT, 0);
    }

    private static int at(int slot) {
        return SLOTS + slot * SLOT_SIZE;
    }
}
