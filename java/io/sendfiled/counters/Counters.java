package io.sendfiled.counters;

/**
 * The counters of one engine: sums over its loops, read without a call into them. Made by the engine.
 *
 * <p>Any thread. A value may be a moment old. After the engine was closed the last values stay readable.
 */
public interface Counters {
    /** The value of one counter now. */
    long get(Counter counter);

    /**
     * All that is counted, by kind of request, technique and errno; times; the transfers under way. After the engine was
     * closed the last of it, without transfers. Allocates some hundred kilobytes.
     */
    CountersReading read();
}
