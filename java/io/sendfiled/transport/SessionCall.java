package io.sendfiled.transport;

import io.sendfiled.jni.SessionNative;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * One request that was submitted to a {@link Session}, and what comes back for it.
 *
 * <p>The session first has it take its end, under a lock, and then {@link #run} on it, once: on a thread of the session's, on its
 * {@link #executor}, or, if it could not be submitted, on the submitting thread.
 */
public interface SessionCall extends Runnable {
    /** How it ends, where the daemon does not say so. */
    enum End {
        /** No session takes it: it is to go by datagrams. */
        PASSED_ON,
        /** The daemon has ended while it was in flight, or had ended before and with it the file that it had opened. */
        LOST,
        /** Too many wait already. */
        REFUSED,
        /** What it needs was closed. */
        RELEASED,
        /** It was withdrawn before the daemon had it. */
        WITHDRAWN,
        /** The client is closed. */
        CLOSED
    }

    /** What is asked for. */
    SessionRequest request();

    /** Its number in the session; 0: the daemon does not have it. */
    long ticket();

    /** Sets {@link #ticket}. */
    void setTicket(long ticket);

    /** Whether nobody waits for it any more. */
    boolean isOver();

    /** Where it runs; null: on a thread of the session's. */
    @Nullable
    Executor executor();

    /** The daemon has completed it. Reads what it needs, and runs nothing of the user's. */
    void take(SessionNative.Completions completion, @Nullable SessionHandle opened);

    /** It ends, or goes on, like this. Runs nothing of the user's. */
    void take(End end);

    /** Does what it has taken. Runs the user's code; never throws. */
    @Override
    void run();
}
