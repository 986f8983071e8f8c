package io.sendfiled.transport;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The requests to an engine of this process that are not over, by ticket: a slot's number, and how often it was used before, so
 * that a ticket finds nothing once its request is over. Thread-safe.
 */
final class Tickets {
    private static final int FIRST_SIZE = 64;

    // all below: under this
    private @Nullable LocalRequest[] slots = new LocalRequest[FIRST_SIZE];
    private int[] uses = new int[FIRST_SIZE];
    private int[] free = new int[FIRST_SIZE]; // a stack, of slots that were used
    private int freeCount;
    private int used; // slots above were never used

    /** Gives a request its ticket. Without memory for it nothing changes. */
    synchronized long add(LocalRequest request) {
        int slot;
        if (freeCount > 0) {
            slot = free[--freeCount];
        } else {
            if (used == slots.length) {
                grow();
            }
            slot = used++;
        }
        slots[slot] = request;
        return (long) uses[slot] << Integer.SIZE | slot;
    }

    private void grow() {
        @Nullable LocalRequest[] moreSlots = Arrays.copyOf(slots, 2 * used);
        int[] moreUses = Arrays.copyOf(uses, 2 * used);
        free = Arrays.copyOf(free, 2 * used); // so that removing allocates nothing
        slots = moreSlots;
        uses = moreUses;
    }

    /** The request with a ticket; null if it is over. */
    synchronized @Nullable LocalRequest find(long ticket) {
        int slot = (int) ticket;
        return uses[slot] == (int) (ticket >>> Integer.SIZE) ? slots[slot] : null;
    }

    /** Takes a ticket back. */
    synchronized void remove(long ticket) {
        int slot = (int) ticket;
        if (slots[slot] != null && uses[slot] == (int) (ticket >>> Integer.SIZE)) {
            slots[slot] = null;
            uses[slot]++;
            free[freeCount++] = slot;
            notifyAll();
        }
    }

    /** All requests that are not over. */
    synchronized List<LocalRequest> all() {
        List<LocalRequest> all = new ArrayList<>();
        for (LocalRequest request : slots) {
            if (request != null) {
                all.add(request);
            }
        }
        return all;
    }

    /**
     * Waits until every request is over.
     *
     * @param timeoutMs at most so long
     * @throws InterruptedException if the thread was interrupted
     */
    synchronized void awaitNone(long timeoutMs) throws InterruptedException {
        long deadline = System.nanoTime() + timeoutMs * 1_000_000;
        while (freeCount < used) {
            long leftMs = (deadline - System.nanoTime()) / 1_000_000;
            if (leftMs <= 0) {
                return;
            }
            wait(leftMs);
        }
    }
}
