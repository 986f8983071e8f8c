package io.sendfiled.client;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;

/**
 * A Read File as its user has it: the exchange, and the content that the exchange itself does not know. When the user has
 * neither this nor the content any more, the content is found to be forgotten. Thread-safe.
 */
final class Reading implements ReadTransfer {
    private final ReadExchange exchange;
    private final CompletableFuture<FileContent> content;

    Reading(ReadExchange exchange, CompletableFuture<FileContent> content) {
        this.exchange = exchange;
        this.content = content;
    }

    @Override
    public CompletableFuture<FileContent> content() {
        return content;
    }

    @Override
    public FileRequest request() {
        return exchange.request();
    }

    @Override
    public CompletableFuture<FileInfo> info() {
        return exchange.info();
    }

    @Override
    public CompletableFuture<TransferResult> result() {
        return exchange.result();
    }

    @Override
    public long bytesMoved() {
        return exchange.bytesMoved();
    }

    @Override
    public Transfer onProgress(ProgressListener listener) {
        exchange.onProgress(listener);
        return this;
    }

    @Override
    public void cancel() {
        exchange.cancel();
    }

    @Override
    public TransferResult await() throws IOException, InterruptedException {
        return exchange.await();
    }

    @Override
    public TransferResult await(Duration timeout) throws IOException, TimeoutException, InterruptedException {
        return exchange.await(timeout);
    }

    @Override
    public String toString() {
        return exchange.toString();
    }
}
