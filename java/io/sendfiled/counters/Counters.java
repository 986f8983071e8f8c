package io.sendfiled.counters;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The counters of one engine: sums over its loops, read out of the loops' own memory without disturbing them.
 *
 * <p>Any thread. A value may be a moment old. After {@link #close} the last values stay readable.
 */
public final class Counters implements AutoCloseable {
    private final long[] last = new long[Counter.values().length];
    private final ByteBuffer[] loops;
    private boolean closed;

    /**
     * @param loops the memory of each loop's counters; must stay valid until {@link #close} has returned
     */
    public Counters(ByteBuffer... loops) {
        this.loops = loops.clone();
        for (ByteBuffer loop : this.loops) {
            loop.order(ByteOrder.nativeOrder());
        }
    }

    /** The value of one counter now. */
    public synchronized long get(Counter counter) {
        if (closed) {
            return last[counter.index()];
        }
        long sum = 0;
        for (ByteBuffer loop : loops) {
            sum += loop.getLong(counter.index() * Long.BYTES);
        }
        return sum;
    }

    /** Keeps the values as they are and lets go of the memory. Idempotent. */
    @Override
    public synchronized void close() {
        for (Counter counter : Counter.values()) {
            last[counter.index()] = get(counter);
        }
        closed = true;
    }
}
