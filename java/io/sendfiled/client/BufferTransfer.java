package io.sendfiled.client;

import io.sendfiled.buffer.SharedBuffer;
import java.util.concurrent.CompletableFuture;

/** A file on its way into memory. Its {@link #result()} is complete when all of it is there. */
public sealed interface BufferTransfer extends Transfer permits BufferExchange {
    /**
     * The file's bytes, sealed. Completes when all of them are there, just before {@link #result()}. The receiver of
     * the buffer closes it. If the user has completed this future, the buffer is closed at once.
     *
     * @return fails with a {@link TransferException}, as {@link #result()} does
     */
    CompletableFuture<SharedBuffer> buffer();
}
