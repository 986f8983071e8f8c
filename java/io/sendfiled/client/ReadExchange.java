package io.sendfiled.client;

import io.sendfiled.protocol.Wire;
import java.io.IOException;
import java.nio.channels.Pipe;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Read File: one message, then the channel is the file's and leaves the watcher. */
non-sealed class ReadExchange extends Exchange implements ReadTransfer {
    private final CompletableFuture<FileContent> content = new CompletableFuture<>();
    private volatile boolean handedOver;

    ReadExchange(
            FileRequest request, Pipe.@Nullable SourceChannel source, StatusWatcher watcher, RequestSender sender) {
        super(Operation.READ, request, source, watcher, sender);
        var unused = content.whenComplete((value, failure) -> {
            if (failure != null && !isOver()) { // completed from outside
                cancel();
            }
        });
    }

    @Override
    public final CompletableFuture<FileContent> content() {
        return content;
    }

    @Override
    final int readLimit() {
        return Wire.FILE_INFO_SIZE; // written in one piece, and not one byte of the file behind it
    }

    @Override
    final boolean onFileInfo(FileInfo value) {
        watcher.release(this);
        return false;
    }

    /** On the watcher's thread: the channel is free. */
    final void handOver() {
        if (isOver()) {
            return;
        }
        FileInfo info = info().join();
        try {
            source().configureBlocking(true);
        } catch (IOException e) {
            fail(e);
            return;
        }
        handedOver = true;
        FileContent value = new FileContent(this, info);
        if (isCancelled()) {
            onCancel();
        } else {
            deliver(value);
        }
        if (info.size() == 0 && !isCopying()) {
            onDrained(info);
        }
    }

    /** Passes the content on. */
    void deliver(FileContent value) {
        if (!content.complete(value)) { // nobody wants it any more
            value.close();
        }
    }

    /** Closing the pipe stops the daemon; no need to wait for its answer, as nobody else holds the destination. */
    @Override
    final void onCancel() {
        sendCancel();
        if (handedOver && isCopying()) {
            closeSource(); // the copying thread notices, and finishes when it has let go of the destination
        } else {
            finish(null, cancellation());
        }
    }

    /** Whether a thread of the client copies the content. */
    boolean isCopying() {
        return false;
    }

    /** Some bytes were read. */
    void onContentRead(int count) {
        addMoved(count);
    }

    /** The last byte was read. */
    void onDrained(FileInfo value) {
        finish(value, null);
    }

    @Override
    final void onFailure(TransferException failure) {
        content.completeExceptionally(failure);
    }

    /** What was handed over stays its reader's when the client is closed. */
    @Override
    final void abandon() {
        if (!handedOver || isCopying()) {
            super.abandon();
        }
    }
}
