package io.sendfiled.transport;

import org.jspecify.annotations.Nullable;

/**
 * What a {@link Session} has in flight: calls, and handles that are being registered. Each has a slot, whose number and generation
 * are the user data of its request: a completion of an earlier one finds nothing. Under the lock of the session.
 */
final class CallSlots {
    /** How many there are. */
    static final int COUNT = Session.DEPTH;

    private final @Nullable Object[] slots = new @Nullable Object[COUNT];
    private final int[] generations = new int[COUNT];
    private final int[] free = new int[COUNT];
    private int freeCount = COUNT;

    CallSlots() {
        for (int i = 0; i < COUNT; i++) {
            free[i] = COUNT - 1 - i;
            generations[i] = 1;
        }
    }

    boolean hasFree() {
        return freeCount > 0;
    }

    /** Takes a slot, of which there is one: the user data, which is never 0. */
    long take(Object of) {
        int index = free[--freeCount];
        slots[index] = of;
        return userData(index);
    }

    /** Frees a slot: whose it was; null if it is not taken, or is another's by now. */
    @Nullable
    Object free(long userData) {
        int index = (int) userData;
        return index < 0 || index >= COUNT || userData(index) != userData ? null : freeAt(index);
    }

    /** The same, whatever its generation. */
    @Nullable
    Object freeAt(int index) {
        Object of = slots[index];
        if (of != null) {
            slots[index] = null;
            generations[index] = Math.max(1, generations[index] + 1);
            free[freeCount++] = index;
        }
        return of;
    }

    private long userData(int index) {
        return (long) generations[index] << Integer.SIZE | index;
    }
}
