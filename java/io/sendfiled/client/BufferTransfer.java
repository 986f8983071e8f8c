package io.sendfiled.client;

import io.sendfiled.buffer.SharedBuffer;
import java.util.concurrent.CompletableFuture;

/** A file on its way into memory. Its {@link #result()} is complete when all of it is there. */
public sealed interface BufferTransfer extends Transfer permits BufferExchange {
    /**
     * The file's bytes, sealed: once all of them are there, and just before {@link #result()}. Who gets the buffer closes it.
     * It is closed at once when nobody can get it, because the future was completed from outside.
     *
     * @return fails with a {@link TransferException}, as {@link #result()} does
     */
    CompletableFuture<SharedBuffer> buffer();
}
