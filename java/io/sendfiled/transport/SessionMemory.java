package io.sendfiled.transport;

import io.sendfiled.jni.SessionNative;
import io.sendfiled.sys.OwnedFd;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * What a {@link Session} allocates with the first session: buffers for C, and a slot for each call in flight. All of it is used
 * under the lock of the session.
 *
 * <p>Owns the event, which {@link Session} closes.
 */
final class SessionMemory {
    /** Requests that one call into C takes. */
    static final int BATCH = 64;

    private static final int DEPTH = Session.DEPTH;
    private static final int TEXT = 64 * 1024; // bytes of the paths and heads of a batch
    private static final int REAPED = 256; // completions that one call gives

    final OwnedFd event;
    final ByteBuffer requests = SessionNative.newBuffer(BATCH * SessionNative.REQUEST_SIZE);
    final ByteBuffer options = SessionNative.newBuffer(BATCH * SessionNative.OPTIONS_SIZE);
    final ByteBuffer text = SessionNative.newBuffer(TEXT);
    final long requestsAt = SessionNative.address(requests);
    final long optionsAt = SessionNative.address(options);
    final long textAt = SessionNative.address(text);
    final SessionNative.Completions completions = new SessionNative.Completions(REAPED);
    final @Nullable Object[] slots = new @Nullable Object[DEPTH]; // calls, and handles that are being registered
    final int[] generations = new int[DEPTH];
    final int[] free = new int[DEPTH];
    int freeCount = DEPTH;
    int written; // requests in the buffer
    int submitted; // the first ones of them

    SessionMemory(OwnedFd event) {
        this.event = event;
        for (int i = 0; i < DEPTH; i++) {
            free[i] = DEPTH - 1 - i;
            generations[i] = 1;
        }
    }

    /** Takes a slot, of which there is one: the user data. */
    long takeSlot(Object of) {
        int index = free[--freeCount];
        slots[index] = of;
        return (long) generations[index] << Integer.SIZE | index;
    }

    /** Frees it: whose it was; null if it is not taken, or is another's by now. */
    @Nullable
    Object freeSlot(long userData) {
        int index = (int) userData;
        if (index < 0 || index >= DEPTH || generations[index] != (int) (userData >>> Integer.SIZE)) {
            return null;
        }
        Object of = slots[index];
        if (of != null) {
            slots[index] = null;
            generations[index] = Math.max(1, generations[index] + 1);
            free[freeCount++] = index;
        }
        return of;
    }
}
