package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;

/**
 * A view of one carrier's turn buffer, the memory that a loop and its dispatcher share: {@code struct sfd_turn} with its
 * tasks for the disk pool, its selections of a technique, its requests, each in a slot, and the messages to requests of
 * this process. Their layouts, member by member, are
 * compared with the library's when that is loaded.
 *
 * <p>Belongs to the carrier's thread. Never allocates after construction.
 */
public final class Turn {
    /** Fault of a datagram that is longer than any request, or came with surplus descriptors. */
    public static final int MALFORMED = 1;

    /** Fault of a datagram that came without the sender's credentials. */
    public static final int ANONYMOUS = 2;

    /** Fault of a datagram whose descriptors were lost: this process had no free descriptor. */
    public static final int CROWDED = 3;

    /** No datagram: a session asks whether its client is served at all. */
    public static final int HELLO = 4;

    /* struct sfd_offload */
    private static final Layout OFFLOAD = new Layout("offload");
    private static final int OFFLOAD_TASK = OFFLOAD.i64("task");
    private static final int OFFLOAD_QUEUE = OFFLOAD.i16("queue");
    private static final int OFFLOAD_URGENT = OFFLOAD.i16("urgent");
    private static final int OFFLOAD_CLIENT = OFFLOAD.i32("client");
    private static final int OFFLOAD_USER = OFFLOAD.i32("user");
    private static final int OFFLOAD_SIZE = OFFLOAD.skip(Integer.BYTES).size();

    /* struct sfd_selection */
    private static final Layout SELECTION = new Layout("selection");
    private static final int SELECTION_BYTES = SELECTION.skip(Long.BYTES).i64("size"); // behind id
    private static final int SELECTION_KIND = SELECTION.i32("kind");
    private static final int SELECTION_BLOCKING = SELECTION.i32("blocking");
    private static final int SELECTION_VERDICT = SELECTION.i32("verdict");
    private static final int SELECTION_FITS = SELECTION.i32("fits");
    private static final int SELECTION_SIZE = SELECTION.size();

    /* struct sfd_slot: what C says of the datagram, the dispatcher's verdict, the datagram */
    private static final Layout SLOT = new Layout("slot");
    private static final int LENGTH = SLOT.i32("length");
    private static final int FAULT = SLOT.i32("fault");
    private static final int UID = SLOT.i32("uid");
    private static final int GID = SLOT.i32("gid");
    private static final int PID = SLOT.i32("pid");
    private static final int VERDICT = SLOT.skip(5 * Integer.BYTES).i32("verdict"); // behind the descriptors
    private static final int COMMAND = SLOT.i32("command");
    private static final int RANGE_OFFSET = SLOT.i64("range_offset");
    private static final int RANGE_LENGTH = SLOT.i64("range_length");
    private static final int ID = SLOT.i64("id");
    private static final int ROOT = SLOT.i32("root");
    private static final int PATH = SLOT.i32("path");
    private static final int PATH_LENGTH = SLOT.i32("path_length");
    private static final int TECHNIQUE = SLOT.i8("technique");
    private static final int FLAGS = SLOT.i8("flags");
    private static final int VERSION = SLOT.i8("version");
    private static final int SEGMENTS = SLOT.i8("segments");
    private static final int RATE = SLOT.i64("rate");
    private static final int IDLE_MS = SLOT.i32("idle_ms");
    private static final int DEADLINE_MS = SLOT.i32("deadline_ms");
    private static final int BYTES = SLOT.skip(3 * Long.BYTES).array("bytes", 4240, Byte.BYTES); // behind C's own
    private static final int SLOT_SIZE = SLOT.size();

    /* struct sfd_message: of one ticket, before its bytes, which zeros fill up to a multiple of 8 */
    private static final Layout MESSAGE = new Layout("message");
    private static final int MESSAGE_TICKET = MESSAGE.i64("ticket");
    private static final int MESSAGE_LENGTH = MESSAGE.i32("length");
    private static final int MESSAGE_CONTENT = MESSAGE.i32("content");
    private static final int MESSAGE_SIZE = MESSAGE.size();

    /* struct sfd_turn */
    private static final int SLOTS_BEGIN = 4096;
    private static final Layout TURN = new Layout("turn");
    private static final int REQUESTS = TURN.i32("requests");
    private static final int OFFLOADS = TURN.i32("offloads");
    private static final int SELECTIONS = TURN.i32("selections");
    private static final int MESSAGES = TURN.i32("messages");
    private static final int FIRST_OFFLOAD = TURN.skip(48).array("offload", 120, OFFLOAD_SIZE);
    private static final int FIRST_SELECTION = TURN.array("selection", 32, SELECTION_SIZE);
    private static final int FIRST_SLOT = TURN.skip(SLOTS_BEGIN - TURN.size()).array("slot", 16, SLOT_SIZE);
    private static final int FIRST_MESSAGE = TURN.array("message", 64 * 1024, Byte.BYTES);

    private final ByteBuffer memory;

    /** Of the carrier with this handle. */
    public Turn(long carrier) {
        this(EngineNative.turn(carrier));
    }

    Turn(ByteBuffer memory) {
        this.memory = memory.order(ByteOrder.nativeOrder());
    }

    /**
     * Returns when the library lays a turn out as this class does.
     *
     * @throws UnsatisfiedLinkError naming the member that differs
     */
    static void checkLayout() {
        OFFLOAD.check();
        SELECTION.check();
        SLOT.check();
        MESSAGE.check();
        TURN.check();
        NativeConstants.check(
                "fault", Map.of("malformed", MALFORMED, "anonymous", ANONYMOUS, "crowded", CROWDED, "hello", HELLO));
    }

    /** The memory itself, in native byte order; {@link #bytesAt} tells where a datagram stands in it. */
    public ByteBuffer memory() {
        return memory;
    }

    /** How many slots hold a request that needs a verdict. */
    public int requests() {
        return memory.getInt(REQUESTS);
    }

    /** How many tasks wait for the disk pool. */
    public int offloads() {
        return memory.getInt(OFFLOADS);
    }

    /** The handle of a task, for {@link EngineNative#work}. */
    public long task(int offload) {
        return memory.getLong(offloadAt(offload) + OFFLOAD_TASK);
    }

    /** The disk pool's queue for a task, below {@link EngineNative#QUEUES}. */
    public int queue(int offload) {
        return memory.getShort(offloadAt(offload) + OFFLOAD_QUEUE);
    }

    /** Whether a task goes before those that are not urgent. */
    public boolean isUrgent(int offload) {
        return memory.getShort(offloadAt(offload) + OFFLOAD_URGENT) != 0;
    }

    /** A number of the client that a task is done for; 0: none, or unknown. */
    public int client(int offload) {
        return memory.getInt(offloadAt(offload) + OFFLOAD_CLIENT);
    }

    /** The uid of the client that a task is done for; 0 also where there is none. */
    public int user(int offload) {
        return memory.getInt(offloadAt(offload) + OFFLOAD_USER);
    }

    /** How many transfers wait for a technique. */
    public int selections() {
        return memory.getInt(SELECTIONS);
    }

    /** How many bytes a transfer that waits for a technique will move. */
    public long selectionSize(int selection) {
        return memory.getLong(selectionAt(selection) + SELECTION_BYTES);
    }

    /** The code of its destination's type. */
    public int selectionType(int selection) {
        return memory.getInt(selectionAt(selection) + SELECTION_KIND);
    }

    /** Whether its destination lacks {@code O_NONBLOCK}. */
    public boolean selectionIsBlocking(int selection) {
        return memory.getInt(selectionAt(selection) + SELECTION_BLOCKING) != 0;
    }

    /** The techniques that its destination can take: bit {@code n} for code {@code n}. */
    public int selectionFits(int selection) {
        return memory.getInt(selectionAt(selection) + SELECTION_FITS);
    }

    /** The verdict on a selection: the code of a technique; 0 leaves it to the rules, and so does one that does not fit. */
    public void select(int selection, int technique) {
        memory.putInt(selectionAt(selection) + SELECTION_VERDICT, technique);
    }

    /** The datagram's length in bytes. */
    public int length(int slot) {
        return memory.getInt(at(slot) + LENGTH);
    }

    /** 0, or why the datagram cannot be a request: {@link #MALFORMED}, {@link #ANONYMOUS}, {@link #CROWDED}. */
    public int fault(int slot) {
        return memory.getInt(at(slot) + FAULT);
    }

    /** The sender's process id, as the kernel reports it. */
    public int pid(int slot) {
        return memory.getInt(at(slot) + PID);
    }

    /** The sender's user id, as the kernel reports it. */
    public int uid(int slot) {
        return memory.getInt(at(slot) + UID);
    }

    /** The sender's group id, as the kernel reports it: of a group that its process has. */
    public int gid(int slot) {
        return memory.getInt(at(slot) + GID);
    }

    /** Where the datagram's first byte stands in {@link #memory}. */
    public int bytesAt(int slot) {
        return at(slot) + BYTES;
    }

    /** The verdict: refused with this errno. */
    public void refuse(int slot, int errno) {
        memory.putInt(at(slot) + VERDICT, errno);
    }

    /** The request is an extended one of this version, and so are the answers to it, also to one that is refused. */
    public void extended(
            int slot, int version, int technique, int flags, int segments, long rate, int idleMs, int deadlineMs) {
        int at = at(slot);
        memory.put(at + TECHNIQUE, (byte) technique);
        memory.put(at + FLAGS, (byte) flags);
        memory.put(at + VERSION, (byte) version);
        memory.put(at + SEGMENTS, (byte) segments);
        memory.putLong(at + RATE, rate);
        memory.putInt(at + IDLE_MS, idleMs);
        memory.putInt(at + DEADLINE_MS, deadlineMs);
    }

    /** The verdict: an Open, Read or Send File is granted inside a root. The path is a position in {@link #memory}. */
    public void grantFile(int slot, int command, long offset, long length, int root, int path, int pathLength) {
        int at = at(slot);
        memory.putInt(at + COMMAND, command);
        memory.putLong(at + RANGE_OFFSET, offset);
        memory.putLong(at + RANGE_LENGTH, length);
        memory.putInt(at + ROOT, root);
        memory.putInt(at + PATH, path - at - BYTES);
        memory.putInt(at + PATH_LENGTH, pathLength);
        memory.putInt(at + VERDICT, 0);
    }

    /** The verdict: a Send Descriptor is granted; the file is the client's own. */
    public void grantDescriptor(int slot, int command, long offset, long length) {
        int at = at(slot);
        memory.putInt(at + COMMAND, command);
        memory.putLong(at + RANGE_OFFSET, offset);
        memory.putLong(at + RANGE_LENGTH, length);
        memory.putInt(at + VERDICT, 0);
    }

    /** The verdict: a Send Open File or Cancel may look for its transfer. */
    public void grantTransfer(int slot, int command, long transferId) {
        int at = at(slot);
        memory.putInt(at + COMMAND, command);
        memory.putLong(at + ID, transferId);
        memory.putInt(at + VERDICT, 0);
    }

    /**
     * How many tickets have something to read: requests of this process, {@link EngineNative#submit}. Of one ticket all
     * that came since its last turn is together; it is read before the next {@link EngineNative#poll}.
     */
    public int messages() {
        return memory.getInt(MESSAGES);
    }

    /** The position of the first of them, if there is one. */
    public static int firstMessage() {
        return FIRST_MESSAGE;
    }

    /** The position of the one behind the one at a position, if it was not the last. */
    public int nextMessage(int position) {
        return position + MESSAGE_SIZE + (messageLength(position) + Math.max(0, messageContent(position)) + 7 & ~7);
    }

    /** For which ticket it is. */
    public long messageTicket(int position) {
        return memory.getLong(position + MESSAGE_TICKET);
    }

    /** How many bytes it has: whole messages, as {@code ResponseDecoder} takes them from a status channel. */
    public int messageLength(int position) {
        return memory.getInt(position + MESSAGE_LENGTH);
    }

    /** How many bytes of a file follow these: its content, in place of an open file; negative: it is open, or there is none. */
    public int messageContent(int position) {
        return memory.getInt(position + MESSAGE_CONTENT);
    }

    /** Where its bytes begin in {@link #memory}. */
    public static int messageBytes(int position) {
        return position + MESSAGE_SIZE;
    }

    private static int offloadAt(int offload) {
        return FIRST_OFFLOAD + offload * OFFLOAD_SIZE;
    }

    private static int selectionAt(int selection) {
        return FIRST_SELECTION + selection * SELECTION_SIZE;
    }

    private static int at(int slot) {
        return FIRST_SLOT + slot * SLOT_SIZE;
    }
}
