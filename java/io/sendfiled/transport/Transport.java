package io.sendfiled.transport;

import io.sendfiled.sys.OwnedFd;
import org.jspecify.annotations.Nullable;

/**
 * Carries requests to one engine, and its messages back to the {@link Call} of each. Thread-safe.
 *
 * <p>No method waits for the engine, a disk or a destination. A request that cannot be submitted ends its call; nothing is
 * thrown for it, and nothing is lost: descriptors that are handed over are closed, also on failure. After {@link #close} every
 * call ends with {@code ECANCELED}.
 */
public interface Transport {
    /** Where the engine is, for messages: a socket's path, say. */
    String where();

    /**
     * Whether every request is answered as an extended one of version 2: with File Details and a Result. Then a read's bytes
     * come through a pipe of the caller's, which is its destination, and {@link #release} is not called.
     */
    boolean isExtended();

    /**
     * Submits a request.
     *
     * @param call gets the messages; it is held until it is over
     * @param command {@link io.sendfiled.protocol.Wire#OPEN_FILE}, {@code READ_FILE} or {@code SEND_FILE}
     * @param destination taken; null for an open, and for a read whose bytes follow the messages
     * @param source a file of this process in place of the path; taken
     */
    void submit(
            Call call, int command, TransferRequest request, @Nullable OwnedFd destination, @Nullable OwnedFd source);

    /**
     * Submits a Send Open File for the call of an open.
     *
     * @param destination taken
     */
    void sendOpened(Call call, OwnedFd destination);

    /** Asks the engine to end a transfer; does nothing if it does not know it, or, unless {@link #isExtended}, not yet. */
    void cancel(Call call);

    /** Frees what the transport holds for a call that is over. Idempotent. */
    void end(Call call);

    /** Stops reading the status channel of a call and gives it to {@link Call#onReleased}. */
    void release(Call call);

    /** Runs an action as if it were a message of that call. False, and nothing happens, when the transport was closed. */
    boolean execute(Call call, Runnable action);

    /**
     * Has {@link Call#onAttention} called soon, after a failure that may be one of the memory. Allocates nothing, and needs
     * little stack.
     */
    void attend(Call call);

    /**
     * Handles on this thread what has come for a call, where the thread that would handle it may be this one.
     *
     * @return false if nothing more can come while the calling thread waits
     */
    boolean receiveHere(Call call);

    /** Why it cannot go on although nobody closed it; null if it can. */
    @Nullable
    Throwable failure();

    /** Abandons all calls and frees everything. Idempotent. */
    void close();
}
