package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A view of one loop's turn buffer, the memory that a loop and its dispatcher share; layout contract with {@code struct
 * sfd_turn} and {@code struct sfd_slot}.
 *
 * <pre>
 *     0 requests | 4 lends | 64 lend[128]: 8 task, 4 queue, 4 - | 4096 slot[16] of 4352 bytes:
 *     0 length | 4 fault | 8 uid | 12 gid | 16 pid | 20 fd count | 24 fds[2]
 *    32 verdict | 36 command | 40 offset | 48 length | 56 transfer id | 64 root | 68 path | 72 path length | 76 -
 *    80 bytes of the datagram
 * </pre>
 *
 * Belongs to the loop's thread. Never allocates after construction.
 */
public final class Turn {
    private static final int LENDS = 64;
    private static final int LEND_SIZE = 16;
    private static final int SLOTS = 4096;
    private static final int SLOT_SIZE = 4352;
    private static final int BYTES = 80;

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
        return memory.getInt(LENDS + lend * LEND_SIZE + 8);
    }

    /** The datagram's length in bytes. */
    public int length(int slot) {
        return memory.getInt(at(slot));
    }

    /** 0, or why the datagram cannot be a request: 1 malformed, 2 without credentials. */
    public int fault(int slot) {
        return memory.getInt(at(slot) + 4);
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
        memory.putInt(at(slot) + 32, errno);
    }

    /** The verdict: an Open, Read or Send File is granted inside a root. The path is a position in {@link #memory}. */
    public void grantFile(int slot, int command, long offset, long length, int root, int path, int pathLength) {
        int at = at(slot);
        memory.putInt(at + 36, command);
        memory.putLong(at + 40, offset);
        memory.putLong(at + 48, length);
        memory.putInt(at + 64, root);
        memory.putInt(at + 68, path - at - BYTES);
        memory.putInt(at + 72, pathLength);
        memory.putInt(at + 32, 0);
    }

    /** The verdict: a Send Open File or Cancel may look for its transfer. */
    public void grantTransfer(int slot, int command, long transferId) {
        int at = at(slot);
        memory.putInt(at + 36, command);
        memory.putLong(at + 56, transferId);
        memory.putInt(at + 32, 0);
    }

    private static int at(int slot) {
        return SLOTS + slot * SLOT_SIZE;
    }
}
