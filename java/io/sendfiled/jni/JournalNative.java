package io.sendfiled.jni;

import java.nio.ByteBuffer;

/**
 * Natives of an engine's journal: the records of requests that are over, native/core/loop/journal.h. The handle is the
 * engine's, {@link EngineNative#create}.
 *
 * <p>{@link #want} and {@link #wake}: any thread. The others: the one that reads; only {@link #await} waits.
 */
public final class JournalNative {
    static {
        NativeLibrary.ensureAvailable();
    }

    private JournalNative() {}

    /**
     * From here on records of these kinds are written.
     *
     * @param kinds a sum of {@link Records#REFUSED}, {@link Records#FAILED}, {@link Records#DONE},
     *     {@link Records#CANCELLED}, {@link Records#STALL}
     */
    public static native void want(long engine, int kinds);

    /** Moves records into a direct buffer, laid out as {@link Records} says. How many. */
    public static native int take(long engine, ByteBuffer records);

    /** How many records were lost since the last call, because nobody took them in time. */
    public static native long lost(long engine);

    /**
     * Rests, unless there is much; then waits until there is a record, or the time is over.
     *
     * @param restMs at most so long; 0: it does not rest
     * @param timeoutMs -1: no limit
     */
    public static native void await(long engine, int restMs, int timeoutMs);

    /** Ends a rest or a wait, or the next one. */
    public static native void wake(long engine);
}
