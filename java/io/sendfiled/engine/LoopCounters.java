package io.sendfiled.engine;

import io.sendfiled.counters.Counter;
import io.sendfiled.counters.Counters;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The counters of one engine, read out of its loops' own memory.
 *
 * <p>Any thread. A value may be a moment old. After {@link #close} the last values stay readable.
 */
final class LoopCounters implements Counters, AutoCloseable {
    private static final Counter[] ALL = Counter.values();

    private final long[] last = new long[ALL.length];
    private final ByteBuffer[] loops;
    private boolean closed;

    /**
     * @param loops the memory of each loop's counters; must stay valid until {@link #close} has returned
     */
    LoopCounters(ByteBuffer... loops) {
        this.loops = loops.clone();
        for (ByteBuffer loop : this.loops) {
            loop.order(ByteOrder.nativeOrder());
        }
    }

    @Override
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

    /** Keeps the last values and releases the memory. Idempotent; allocates nothing, because it must not fail. */
    @Override
    public synchronized void close() {
        for (Counter counter : ALL) {
            last[counter.index()] = get(counter);
        }
        closed = true;
    }
}
