package io.sendfiled.client;

import java.util.concurrent.CompletableFuture;

/**
 * A file on its way through a pipe to this process. Its {@link #result()} is complete when the last byte was read from
 * {@link #content()}.
 */
public sealed interface ReadTransfer extends Transfer permits ReadExchange {
    /**
     * The file's bytes, once its information has come. Who gets it reads it to the end or closes it; what is not read
     * stops the daemon's work on this transfer, but nobody else's.
     *
     * @return fails with a {@link TransferException} when the request is refused
     */
    CompletableFuture<FileContent> content();
}
