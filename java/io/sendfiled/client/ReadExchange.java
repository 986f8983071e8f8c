package io.sendfiled.client;

import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.channels.Pipe;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Read File: after one message the channel carries the file's bytes, and leaves the watcher for its reader. It returns
 * to the watcher after the last byte if a Result follows.
 */
non-sealed class ReadExchange extends Exchange implements ReadTransfer {
    private final CompletableFuture<FileContent> content = new CompletableFuture<>();
    private volatile boolean handedOver;
    private volatile boolean drained; // every byte has arrived: it cannot fail any more

    ReadExchange(
            FileRequest request, Pipe.@Nullable SourceChannel source, StatusWatcher watcher, RequestSender sender) {
        super(Operation.READ, request, source, watcher, sender);
        var unused = content.whenComplete((value, failure) -> {
            if (failure != null && !isOver()) { // the user completed the future
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
        return drained ? Wire.RESULT_SIZE : Wire.FILE_INFO_SIZE; // in one piece, and not one byte of the file behind it
    }

    @Override
    final boolean onFileInfo(FileInfo value) {
        watcher.release(this);
        return false;
    }

    /** On the watcher's thread: the watcher has released the channel. */
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
        if (!content.complete(value)) { // the user has completed the future
            value.close();
        }
    }

    /** Closing the pipe stops the daemon. Its answer need not be awaited, because the pipe is the only destination. */
    @Override
    final void onCancel() {
        if (drained) { // too late to cancel; does not wait for the Result
            finish(info().join(), null);
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
        if (!request.isExtended() || !watcher.execute(() -> awaitWord(value))) {
            finish(value, null);
        }
    }

    private void awaitWord(FileInfo value) {
        if (isCancelled()) {
            finish(value, null);
        } else if (!isOver()) {
            watcher.watch(this);
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

    /** The end without a Result, but behind the last byte: the daemon died in between, and the file is whole. */
    @Override
    final void onEnd() {
        if (drained) {
            finish(info().join(), null);
        } else {
            super.onEnd();
        }
    }

    @Override
    final void onFailure(TransferException failure) {
        content.completeExceptionally(failure);
    }

    /** When the client is closed, a reader keeps the content that was handed over. */
    @Override
    final void abandon() {
        if (drained) {
            finish(info().join(), null);
        } else if (!handedOver || isCopying()) {
            super.abandon();
        }
    }
}
