package io.sendfiled.client;

import java.util.concurrent.CompletableFuture;

/**
 * A file on its way through a pipe to this process. Its {@link #result()} is complete when the last byte was read from
 * {@link #content()}.
 */
public sealed interface ReadTransfer extends Transfer permits Reading {
    /**
     * The file's bytes; completes when the File Information has come. The receiver must read the content to the end or
     * close it. Unread bytes stop the daemon's work on this transfer only.
     *
     * @return fails with a {@link TransferException} when the request is refused
     */
    CompletableFuture<FileContent> content();
}
