package io.sendfiled.engine;

import io.sendfiled.jni.Records;

/**
 * Takes records of requests that are over: one of what an engine's journal feeds.
 *
 * <p>On the journal's thread alone. It may wait, but while it does, records of all sinks wait as well, and are lost when
 * there are too many.
 */
public interface RecordSink {
    /** Which kinds of records it wants from here on: a sum of those of {@link Records}. */
    int kinds();

    /** Takes one of such a kind, which is another one after it has returned. */
    void take(Records record);

    /**
     * There are no more for now: tells what is due.
     *
     * @return in how many milliseconds it wants to be asked again; -1: after the next records
     */
    int flush(long nowNs);
}
