package io.sendfiled.client;

import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.channels.Pipe;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Read File: one message, then the channel is the file's and leaves the watcher. It comes back after the last byte when
 * the daemon has something to say behind it.
 */
non-sealed class ReadExchange extends Exchange implements ReadTransfer {
    private final CompletableFuture<FileContent> content = new CompletableFuture<>();
    private volatile boolean handedOver;
    private volatile boolean drained; // every byte has arrived: it cannot fail any more

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
        return drained ? Wire.RESULT_SIZE : Wire.FILE_INFO_SIZE; // in one piece, and not one byte of the file behind it
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
        boolean empty = info.size() == 0 && !isCopying();
        if (isCancelled()) {
            onCancel();
        } else {
            drained = empty; // before somebody can close it, which would be a cancel
            deliver(value);
        }
        if (empty) {
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
        if (drained) { // too late, and nobody waits for details
            finish(info().join(), null);
            return;
        }
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
        finishDrained(value);
    }

    /** The end, once the daemon's word about it is there, if it was asked for. */
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

    /** The daemon closed the pipe before the last byte; there is no room in it for why. */
    final TransferException stoppedEarly(long missing) {
        String where = missing + " bytes before the end";
        return isPastDeadline()
                ? failure(Errno.ETIMEDOUT, false, "the deadline came " + where, null)
                : failure(Errno.ECONNABORTED, false, "the daemon stopped " + where, null);
    }

    /** Whoever read the content, or a part of it, wants no more. */
    final void onContentClosed() {
        if (!drained) {
            cancel();
            closeSource();
        }
    }

    /** Without a word, but behind the last byte: the daemon died in between, and the file is whole. */
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

    /** What was handed over stays its reader's when the client is closed. */
    @Override
    final void abandon() {
        if (drained) {
            finish(info().join(), null);
        } else if (!handedOver || isCopying()) {
            super.abandon();
        }
    }
}
