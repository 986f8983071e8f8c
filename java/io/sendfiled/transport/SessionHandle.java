package io.sendfiled.transport;

import io.sendfiled.sys.OwnedFd;
import java.util.ArrayDeque;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/**
 * What is registered with the sessions of one {@link Session}: a descriptor with one session after the other, a file that the
 * daemon has opened with one alone. Owns the descriptor.
 *
 * <p>The fields are the session's, under its lock.
 */
public final class SessionHandle {
    /** How far the registration with the session of {@link #epoch} has got. */
    enum State {
        REGISTERING,
        READY,
        FAILED
    }

    final Session owner;
    final int kind;
    final @Nullable OwnedFd descriptor; // null: the daemon has opened it
    int epoch; // the session that knows it; 0: none
    State state = State.FAILED;
    int number; // in that session
    boolean closed;
    int waiting; // calls with it that are not written yet

    /** Calls that wait for the registration; null: none has. */
    @Nullable
    Queue<SessionCall> parked;

    private SessionHandle(Session owner, int kind, @Nullable OwnedFd descriptor) {
        this.owner = owner;
        this.kind = kind;
        this.descriptor = descriptor;
    }

    /**
     * Of a descriptor.
     *
     * @param owner whose sessions it will be registered with
     * @param kind of {@link io.sendfiled.jni.SessionNative}
     * @param descriptor taken
     */
    public static SessionHandle of(Session owner, int kind, OwnedFd descriptor) {
        return new SessionHandle(owner, kind, descriptor);
    }

    /** Of a file that the daemon has opened in a session. */
    static SessionHandle opened(Session owner, int kind, int epoch, int number) {
        SessionHandle handle = new SessionHandle(owner, kind, null);
        handle.epoch = epoch;
        handle.number = number;
        handle.state = State.READY;
        return handle;
    }

    void park(SessionCall call) {
        if (parked == null) {
            parked = new ArrayDeque<>();
        }
        parked.add(call);
    }
}
