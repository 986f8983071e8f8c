package io.sendfiled.support;

import io.sendfiled.support.RawClient.Status;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * How an extended transfer ended, by PROTOCOL.md and not by our decoder. All of the status channel was read, to its end.
 *
 * @param refused no File Information came
 * @param errno 0: complete
 * @param fits of what has moved nothing: the techniques that would fit, bit by number; 0: not a matter of technique
 * @param moved bytes, in all
 * @param elapsedNs from receipt to the last byte
 * @param coldWindows how often the disk had to be asked
 * @param technique the number of what was used
 */
public record Outcome(
        boolean refused, int errno, int fits, long moved, long elapsedNs, int coldWindows, int technique) {
    private static final int REFUSAL = 0x91;
    private static final int REFUSAL_SIZE = 16;
    private static final int RESULT = 0x92;
    private static final int RESULT_SIZE = 32;
    private static final int PROGRESS = 0x82;
    private static final int PROGRESS_SIZE = 16;
    private static final int HEAD_SIZE = 2;

    public boolean complete() {
        return !refused && errno == 0;
    }

    /** What was used. */
    public Way way() {
        return Way.of(technique);
    }

    public String errnoName() {
        return errno == 0 ? "" : Errno.name(errno);
    }

    /** Reads all of a Send's channel: File Information or a refusal, progress, the result, and the end. Blocks. */
    public static Outcome ofSend(Status status) throws IOException {
        byte[] head = head(status);
        return head[0] == (byte) REFUSAL ? ofRefusal(status, head) : ofSend(status, head);
    }

    /** The same when somebody has read File Information before. */
    public static Outcome ofRest(Status status) throws IOException {
        return rest(status, head(status));
    }

    private static Outcome ofSend(Status status, byte[] head) throws IOException {
        long size = RawClient.info(ByteBuffer.wrap(whole(status, head, 48))).size();
        Outcome outcome = rest(status, head(status));
        if (outcome.complete() && outcome.moved != size) {
            throw new AssertionError("complete with " + outcome.moved + " of " + size + " bytes");
        }
        return outcome;
    }

    /** A result, which may follow progress, and the end. */
    private static Outcome rest(Status status, byte[] first) throws IOException {
        byte[] head = first;
        long told = 0;
        while (head[0] == (byte) PROGRESS) {
            ByteBuffer progress =
                    ByteBuffer.wrap(whole(status, head, PROGRESS_SIZE)).order(ByteOrder.nativeOrder());
            told += progress.getLong(8);
            head = head(status);
        }
        Outcome outcome = head[0] == (byte) REFUSAL ? ofRefusal(status, head) : ofResult(status, head);
        if (told > outcome.moved) {
            throw new AssertionError("progress tells " + told + " bytes, and " + outcome);
        }
        return outcome;
    }

    /** The trailer of a Read File, and the end. */
    public static Outcome ofTrailer(Status status) throws IOException {
        return ofResult(status, head(status));
    }

    private static Outcome ofRefusal(Status status, byte[] head) throws IOException {
        ByteBuffer bytes = sized(status, head, REFUSAL, REFUSAL_SIZE);
        return new Outcome(true, bytes.get(1), bytes.getInt(8), 0, 0, 0, 0);
    }

    private static Outcome ofResult(Status status, byte[] head) throws IOException {
        ByteBuffer bytes = sized(status, head, RESULT, RESULT_SIZE);
        return new Outcome(
                false,
                bytes.get(1),
                bytes.get(29),
                bytes.getLong(8),
                bytes.getLong(16),
                bytes.getInt(24),
                bytes.get(28));
    }

    private static ByteBuffer sized(Status status, byte[] head, int command, int size) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(whole(status, head, size)).order(ByteOrder.nativeOrder());
        if (bytes.get(0) != (byte) command || bytes.getShort(2) != 1 || bytes.getInt(4) != size) {
            throw new AssertionError(
                    "not a sound " + Integer.toHexString(command) + ": " + Arrays.toString(bytes.array()));
        }
        byte[] more = status.rest();
        if (more.length != 0) {
            throw new AssertionError("after the last message: " + Arrays.toString(more));
        }
        return bytes;
    }

    private static byte[] head(Status status) throws IOException {
        byte[] head = status.read(HEAD_SIZE);
        if (head.length != HEAD_SIZE) {
            throw new AssertionError("the status channel ended without a word");
        }
        return head;
    }

    private static byte[] whole(Status status, byte[] head, int size) throws IOException {
        byte[] rest = status.read(size - HEAD_SIZE);
        if (rest.length != size - HEAD_SIZE) {
            throw new AssertionError("a message of " + size + " bytes begins with " + Arrays.toString(head)
                    + " and goes on with " + Arrays.toString(rest));
        }
        byte[] whole = Arrays.copyOf(head, size);
        System.arraycopy(rest, 0, whole, HEAD_SIZE, rest.length);
        return whole;
    }
}
