package io.sendfiled.client;

import io.sendfiled.transport.Baton;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;

/**
 * A running transfer. Thread-safe.
 *
 * <p>The futures are completed by the {@linkplain FileRequest#completingOn executor} of the request or the client, or else by a
 * thread of the client's; those of a read, by the thread that reads the last byte of its content, too. Dependent actions run
 * there. On a thread of the client's, one that takes more than {@value Baton#LIMIT_MS} ms holds up nothing but its own
 * transfer, and keeps that thread. One that belongs to an event loop must be added with {@code
 * whenCompleteAsync(action, executor)}; so should one that waits often. What an action throws fails what depends on it.
 *
 * <p>Every future ends, whatever fails in this process: with {@code ENOMEM} where it lacks memory, {@code EAGAIN} where it
 * lacks a thread, {@code EIO} where the user's code throws.
 *
 * <p>If the user completes {@link #result()}, the transfer is cancelled: {@code result().cancel(true)} and {@code
 * result().orTimeout(5, SECONDS)} both do that. Such a result, unlike that of {@link #cancel()}, does not wait for the
 * daemon, which may still write: the destination can be closed, but not be used.
 */
public sealed interface Transfer permits Exchange, ReadTransfer, BufferTransfer {
    /** The request. */
    FileRequest request();

    /**
     * The file's size and times, as soon as the daemon has opened it: before the first byte is moved.
     *
     * @return fails with a {@link TransferException}, as {@link #result()} does
     */
    CompletableFuture<FileInfo> info();

    /**
     * The end. When it succeeds, the destination has accepted every byte; when it fails, it does so with a
     * {@link TransferException}. Either way the daemon no longer writes to the destination.
     */
    CompletableFuture<TransferResult> result();

    /** The bytes moved so far, as reported to the client. */
    long bytesMoved();

    /**
     * Sets the listener; replaces an earlier one.
     *
     * @return this
     */
    Transfer onProgress(ProgressListener listener);

    /**
     * Asks the daemon to end the transfer. Never blocks. {@link #result()} fails with {@code ECANCELED} when the daemon
     * has released the destination, unless the transfer was complete, or had failed, before the daemon received the
     * cancel.
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
     * Waits for the end, at most {@code timeout}.
     *
     * @throws TransferException if the transfer failed or was cancelled
     * @throws TimeoutException if the time is over; the transfer goes on
     * @throws InterruptedException if the thread was interrupted; the transfer goes on
     */
    TransferResult await(Duration timeout) throws IOException, TimeoutException, InterruptedException;
}
