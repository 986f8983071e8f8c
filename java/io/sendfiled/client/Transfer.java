package io.sendfiled.client;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;

/**
 * A transfer under way. Thread-safe.
 *
 * <p>The futures are completed by the client's own thread, which serves all its transfers: a dependent action that may
 * block, or that belongs to an event loop, has to say so with {@code whenCompleteAsync(action, executor)}.
 *
 * <p>Completing {@link #result()} from outside ends the transfer: {@code result().cancel(true)} and
 * {@code result().orTimeout(5, SECONDS)} both cancel it. Such a result does not wait for the daemon, as that of
 * {@link #cancel()} does: the destination is fit for being closed, not for being used.
 */
public sealed interface Transfer permits Exchange, ReadTransfer, BufferTransfer {
    /** What was asked for. */
    FileRequest request();

    /**
     * The file's size and times, as soon as the daemon has opened it: before the first byte is moved.
     *
     * @return fails with a {@link TransferException}, as {@link #result()} does
     */
    CompletableFuture<FileInfo> info();

    /**
     * The end. When it succeeds, the destination has accepted every byte; when it fails, it does so with a
     * {@link TransferException}. Either way the daemon has let go of the destination.
     */
    CompletableFuture<TransferResult> result();

    /** The bytes moved so far, as far as the client knows. */
    long bytesMoved();

    /**
     * Sets the listener, in the place of an earlier one.
     *
     * @return this
     */
    Transfer onProgress(ProgressListener listener);

    /**
     * Asks for an early end. Never blocks. {@link #result()} then fails with {@code ECANCELED} once the daemon has let
     * go of the destination, unless the transfer was complete, or had failed, before the daemon got to know.
     */
    void cancel();

    /**
     * Waits for the end. For threads that may block; virtual threads too.
     *
     * @throws TransferException if the transfer failed or was cancelled
     * @throws InterruptedException if the thread was interrupted; the transfer goes on
     */
    TransferResult await() throws IOException, InterruptedException;

    /**
     * Waits for the end, but not for ever.
     *
     * @throws TransferException if the transfer failed or was cancelled
     * @throws TimeoutException if the time is over; the transfer goes on
     * @throws InterruptedException if the thread was interrupted; the transfer goes on
     */
    TransferResult await(Duration timeout) throws IOException, TimeoutException, InterruptedException;
}
