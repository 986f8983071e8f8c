package io.sendfiled.transport;

import io.sendfiled.jni.SessionNative;
import io.sendfiled.sys.OwnedFd;

/**
 * What a {@link Session} allocates with the first session: buffers for C, and a slot for each call in flight. All of it is used
 * under the lock of the session.
 *
 * <p>Owns the event, which {@link Session} closes.
 */
final class SessionMemory {
    private static final int REAPED = 256; // completions that one call gives

    final OwnedFd event;
    final RequestBatch batch = new RequestBatch();
    final CallSlots slots = new CallSlots();
    final SessionNative.Completions completions = new SessionNative.Completions(REAPED);

    SessionMemory(OwnedFd event) {
        this.event = event;
    }
}
