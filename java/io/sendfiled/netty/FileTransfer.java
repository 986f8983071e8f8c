package io.sendfiled.netty;

/**
 * One file on its way to a channel, from when its turn has come until its promise is complete. All methods are called in the
 * channel's event loop, and none of them waits.
 *
 * <p>It owns the file's reference and the promises that it was made with. It tells the {@link SendfiledHandler} once that it
 * has ended, {@link SendfiledHandler#transferEnded} or {@link SendfiledHandler#transferFailed}, but not after {@link #abort}.
 * What is written behind the file waits in the handler until then.
 */
interface FileTransfer {
    /** Begins. What is written to the context may go out with the next {@link #flush}, and not before. */
    void start();

    /** The application has flushed this file. The handler flushes the context itself, right behind. */
    void flush();

    /** The channel has become writable, or has ceased to be. */
    default void writabilityChanged() {}

    /** How many bytes of the file the channel has not taken yet. */
    long remaining();

    /** The channel is closed, or the handler removed: ends, fails the promises, frees everything. */
    void abort(Throwable cause);
}
