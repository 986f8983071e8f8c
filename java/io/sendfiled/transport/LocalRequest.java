package io.sendfiled.transport;

import io.sendfiled.jni.EngineNative;

/**
 * One request to an engine of this process: its inbox, and its handle there, which is released as soon as both the submitter has
 * got it and the final message has come. Any thread.
 */
final class LocalRequest extends Inbox {
    private static final long NONE = 0;
    private static final int NO_DESTINATION = -1;

    private long ticket; // set before it is submitted
    // under this:
    private long handle = NONE;
    private int early = NO_DESTINATION; // to be sent to as soon as there is a handle
    private boolean isCancelled;
    private boolean isOver;

    LocalRequest(Call call) {
        super(call);
    }

    long ticket() {
        return ticket;
    }

    void setTicket(long value) {
        ticket = value;
    }

    /** It was submitted: takes the handle. */
    synchronized void begin(long value) {
        if (early != NO_DESTINATION) {
            EngineNative.sendOpened(value, early); // which closes it, if the request is over
        }
        if (isOver) {
            EngineNative.release(value);
            return;
        }
        handle = value;
        if (isCancelled) {
            EngineNative.cancel(value);
        }
    }

    synchronized void cancel() {
        isCancelled = true;
        if (handle != NONE) {
            EngineNative.cancel(handle);
        }
    }

    /**
     * Sends the file that it has opened, which the submitter may hear of before it has got the handle. False if it is over:
     * then the destination is the caller's.
     */
    synchronized boolean sendOpened(int destination) {
        if (isOver || early != NO_DESTINATION) {
            return false;
        }
        if (handle == NONE) {
            early = destination;
        } else {
            EngineNative.sendOpened(handle, destination);
        }
        return true;
    }

    /** The final message has come. */
    synchronized void end() {
        isOver = true;
        if (handle != NONE) {
            EngineNative.release(handle);
            handle = NONE;
        }
    }
}
