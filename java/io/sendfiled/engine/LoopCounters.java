package io.sendfiled.engine;

import io.sendfiled.counters.Counter;
import io.sendfiled.counters.Counters;
import io.sendfiled.counters.CountersReading;
import io.sendfiled.jni.CountersLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The counters of one engine, read out of the memory that its loops write to.
 *
 * <p>Any thread. A value may be a moment old. After {@link #close} the last values stay readable.
 */
final class LoopCounters implements Counters, AutoCloseable {
    private static final Counter[] ALL = Counter.values();

    private final long[] last = new long[ALL.length];
    private final ByteBuffer block;
    private @Nullable CountersReading lastReading;
    private boolean closed;

    /**
     * @param block the engine's, {@code native/core/base/counters_file.h}; must stay valid until {@link #close} has returned
     */
    LoopCounters(ByteBuffer block) {
        this.block = block.order(ByteOrder.nativeOrder());
    }

    @Override
    public synchronized long get(Counter counter) {
        if (closed) {
            return last[counter.index()];
        }
        int size = block.getInt(CountersLayout.LOOP_SIZE);
        int at = block.getInt(CountersLayout.LOOPS_AT)
                + block.getInt(CountersLayout.COUNTERS_AT)
                + counter.index() * Long.BYTES;
        long sum = 0;
        for (int i = block.getInt(CountersLayout.LOOPS); i > 0; i--) {
            sum += block.getLong(at);
            at += size;
        }
        return sum;
    }

    @Override
    public synchronized CountersReading read() {
        try {
            if (!closed) {
                return CountersReading.of(this::copy);
            }
        } catch (IOException e) {
            throw new IllegalStateException("the memory of the counters " + e.getMessage(), e);
        }
        if (lastReading == null) {
            throw new IllegalStateException("there was no memory for the last counters");
        }
        return lastReading;
    }

    private void copy(long from, ByteBuffer into) {
        int length = Math.min(into.remaining(), Math.max(0, block.capacity() - (int) from));
        into.put(into.position(), block, (int) from, length);
        into.position(into.position() + length);
    }

    /** Keeps the last values and releases the memory. Idempotent; must not fail. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        for (Counter counter : ALL) {
            last[counter.index()] = get(counter);
        }
        try {
            lastReading = CountersReading.withoutTransfers(this::copy);
        } catch (IOException | OutOfMemoryError e) {
            lastReading = null;
        }
        closed = true;
    }
}
