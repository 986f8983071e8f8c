package io.sendfiled.client;

import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Read File: after one message the channel carries the file's bytes, and leaves the watcher for its reader. It returns
 * to the watcher after the last byte if a Result follows.
 */
class ReadExchange extends Exchange {
    /** Until the content is in it: then the exchange does not know it any more, so that it can be found forgotten. */
    private volatile @Nullable CompletableFuture<FileContent> content;

    private volatile @Nullable FileInfo information; // info() is the user's to complete
    private volatile boolean handedOver;
    private volatile boolean drained; // every byte has arrived: it cannot fail any more

    /** An exchange, and what the user has of it. */
    static ReadTransfer of(ReadExchange exchange) {
        CompletableFuture<FileContent> content = new CompletableFuture<>();
        exchange.content = content;
        var unused = content.whenComplete((value, failure) -> {
            if (failure != null && !exchange.isOver()) { // the user completed the future
                exchange.cancel();
            }
        });
        return new Reading(exchange, content);
    }

    ReadExchange(FileRequest request, SendfiledClient client) {
        super(Operation.READ, request, client);
    }

    @Override
    final int readLimit() {
        return drained ? Wire.RESULT_SIZE : Wire.FILE_INFO_SIZE; // in one piece, and not one byte of the file behind it
    }

    @Override
    final boolean onFileInfo(FileInfo value) {
        information = value;
        client.watcher().release(this);
        return false;
    }

    private FileInfo information() {
        return Objects.requireNonNull(information);
    }

    /** On the watcher's thread: the watcher has released the channel. */
    final void handOver() {
        if (isOver()) {
            return;
        }
        FileInfo info = information();
        try {
            source().configureBlocking(true);
        } catch (IOException e) {
            fail(e);
            return;
        }
        handedOver = true;
        FileContent value = new FileContent(this, info);
        boolean empty = info.size() == 0 && !isCopying();
        if (isCancelled()) {
            onCancel();
        } else {
            drained = empty; // before the content can be closed, which would cancel
            deliver(value);
        }
        if (empty) {
            onDrained(info);
        }
    }

    /** Passes the content on. */
    void deliver(FileContent value) {
        CompletableFuture<FileContent> future = Objects.requireNonNull(content);
        if (!future.complete(value)) { // the user has completed the future
            value.close();
        }
        content = null;
    }

    /** Closing the pipe stops the daemon. Its answer need not be awaited, because the pipe is the only destination. */
    @Override
    final void onCancel() {
        if (drained) { // too late to cancel; does not wait for the Result
            finish(information(), null);
            return;
        }
        sendCancel();
        if (handedOver && isCopying()) {
            closeSource(); // the copying thread notices, and finishes when it has stopped writing to the target
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
        finishDrained(value);
    }

    /** Ends the exchange; waits for the Result first if options were given. */
    final void finishDrained(FileInfo value) {
        drained = true;
        if (!request.isExtended() || !client.watcher().execute(this, () -> awaitWord(value))) {
            finish(value, null);
        }
    }

    private void awaitWord(FileInfo value) {
        if (isCancelled()) {
            finish(value, null);
        } else if (!isOver()) {
            client.watcher().watch(this);
        }
    }

    /** The daemon closed the pipe before the last byte; the pipe cannot carry the reason. */
    final TransferException stoppedEarly(long missing) {
        String where = missing + " bytes before the end";
        return isPastDeadline()
                ? failure(Errno.ETIMEDOUT, false, "the deadline came " + where, null)
                : failure(Errno.ECONNABORTED, false, "the daemon stopped " + where, null);
    }

    /** The reader has closed the content, read or not. */
    final void onContentClosed() {
        if (!drained) {
            cancel();
            closeSource();
        }
    }

    /**
     * Nobody can read the content any more, and it was not closed. On the cleaner's thread, also after the content was read
     * or closed; leaves the work to the watcher.
     */
    final void onContentUnreachable() {
        if (!isSettled() && !client.watcher().execute(this, this::onContentForgotten)) {
            onContentForgotten();
        }
    }

    private boolean isSettled() {
        return drained || isCancelled() || isOver();
    }

    private void onContentForgotten() {
        if (!isSettled()) {
            Log.warning("the content of " + this + " was neither read to the end nor closed", null);
            sendCancel();
            finish(null, failure(Errno.ECANCELED, false, "its content was forgotten, neither read nor closed", null));
        }
    }

    /** The end without a Result, but behind the last byte: the daemon died in between, and the file is whole. */
    @Override
    final void onEnd() {
        if (drained) {
            finish(information(), null);
        } else {
            super.onEnd();
        }
    }

    @Override
    final void onFailure(TransferException failure) {
        CompletableFuture<FileContent> future = content;
        if (future != null) {
            future.completeExceptionally(failure);
        }
    }

    /** When the client is closed, a reader keeps the content that was handed over. */
    @Override
    final void abandon() {
        if (drained) {
            finish(information(), null);
        } else if (!handedOver || isCopying()) {
            super.abandon();
        }
    }
}
