package io.sendfiled.transport;

import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * One request that was submitted, and what comes back for it: the client's side of a transfer, as its transport sees it.
 *
 * <p>The transport calls the methods that are named {@code on...}, one at a time for each call, on threads where the user's
 * code may run: never on the submitting thread or an event loop's; on its {@link #executor}, if it has one. Those that end the call ({@link #refuse}, {@link #fail},
 * {@link #abandon}) may be called on any thread, at any time, and do nothing once it is over.
 *
 * <p>The fields belong to the transport: a class of their own for each transport would be one more object a request.
 */
public abstract class Call {
    /** Of the watcher: the read end of the status channel. */
    volatile Pipe.@Nullable SourceChannel status;

    /** Of the watcher: whether it stands in the stack of those that want {@link #onAttention}. */
    final AtomicBoolean wantsAttention = new AtomicBoolean();

    /** Of the watcher: the next one in that stack. */
    @Nullable
    Call nextAttention;

    /** Of the watcher: another thread than the one that watches reads its channel. */
    volatile boolean isHeld;

    /** Of an engine of this process: what {@link #takeContent} gives. */
    private volatile byte @Nullable [] content;

    /** What it was told, where that does not come directly from a status channel. */
    volatile @Nullable Inbox inbox;

    /** Whether it has ended. */
    public abstract boolean isOver();

    /** Whether the user has asked for its end. */
    public abstract boolean isCancelled();

    /** Where its messages are handled; null: where the transport does that. */
    public abstract @Nullable Executor executor();

    /** The id that the engine's File Information gave it; 0 before. */
    public abstract long transferId();

    /** Content has come in place of an open file: before the File Information is passed on. */
    final void setContent(byte[] bytes) {
        content = bytes;
    }

    /** The content of the file whose information has come; null: it is open. Once. */
    protected final byte @Nullable [] takeContent() {
        byte[] bytes = content;
        content = null;
        return bytes;
    }

    /** How many bytes may be read from the status channel now: not one of those behind its messages that are the file's. */
    public abstract int readLimit();

    /** Bytes of the engine's messages have come, as {@link io.sendfiled.protocol.ResponseDecoder} takes them. */
    public abstract void onMessages(ByteBuffer bytes);

    /** Nothing more comes. If the call is not over, its final message is missing. */
    public abstract void onEnd();

    /** The status channel was released, as {@link Transport#release} was asked to, and is the call's. */
    public abstract void onReleased(Pipe.SourceChannel channel);

    /** What {@link Transport#attend} was asked for. */
    public abstract void onAttention();

    /**
     * The engine did not get the request.
     *
     * @param errno why
     * @param detail what to say about it; null: what the errno means
     */
    public abstract void refuse(int errno, @Nullable String detail);

    /** This process failed before the engine could write to the destination. Never throws. */
    public abstract void refuse(Throwable cause);

    /** This process failed. Never throws. */
    public abstract void fail(Throwable cause);

    /** The same where no dependent action may run, or where this thread lacks memory or stack. Never throws. */
    public abstract void failLater(Throwable cause);

    /** The transport was closed, or cannot go on. */
    public abstract void abandon();
}
