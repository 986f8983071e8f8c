package io.sendfiled.client;

import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.channels.Pipe;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Read File. Without options the file's bytes follow one message on the status channel, which leaves the watcher for its
 * reader, and a failure is an end that comes too early. With options they have a channel of their own, and the status
 * channel stays with the watcher for the daemon's last word: why it has failed, or that it is complete.
 */
non-sealed class ReadExchange extends Exchange implements ReadTransfer {
    private final CompletableFuture<FileContent> content = new CompletableFuture<>();
    private final @Nullable DataChannel data;
    /** The daemon's last word: a failure, or null for none; without options there is never one. */
    private final CompletableFuture<@Nullable TransferException> word = new CompletableFuture<>();

    private volatile boolean handedOver;
    private volatile boolean drained; // every byte has arrived: it cannot fail any more

    ReadExchange(
            FileRequest request,
            Pipe.@Nullable SourceChannel source,
            @Nullable DataChannel data,
            StatusWatcher watcher,
            RequestSender sender) {
        super(Operation.READ, request, source, watcher, sender);
        this.data = data;
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

    /** The channel that the file's bytes come through. */
    final Pipe.SourceChannel bytes() {
        return data != null ? data.source() : source();
    }

    @Override
    final int readLimit() {
        // in one piece, and not one byte of the file behind it
        return data != null ? Integer.MAX_VALUE : Wire.FILE_INFO_SIZE;
    }

    @Override
    final boolean onFileInfo(FileInfo value) {
        if (data == null) {
            watcher.release(this);
            return false;
        }
        handOver(value);
        return true;
    }

    /** On the watcher's thread: the watcher has released the channel. */
    final void handOver() {
        if (isOver()) {
            return;
        }
        try {
            source().configureBlocking(true);
        } catch (IOException e) {
            fail(e);
            return;
        }
        handOver(info().join());
    }

    private void handOver(FileInfo info) {
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

    /** What counts is what was read. */
    @Override
    final boolean onProgress(long bytes) {
        return true;
    }

    /** The content's reader ends the exchange, when it has come to the end of the bytes. */
    @Override
    final boolean onResult(@Nullable TransferException failure) {
        if (handedOver) {
            word.complete(failure);
            closeSource();
        } else {
            finish(null, failure != null ? failure : failure(Errno.EBADMSG, false, "a result without a file", null));
        }
        return false;
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
            closeBytes(); // the copying thread notices, and finishes when it has stopped writing to the target
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

    /** Ends the exchange, with the daemon's last word if there is one. */
    final void finishDrained(FileInfo value) {
        drained = true;
        if (data == null) {
            finish(value, null);
        } else {
            var unused = word.thenAccept(any -> finish(value, null));
        }
    }

    /**
     * The bytes have ended too early: why. Null as long as the daemon's word is on its way, unless `wait` is set. Where
     * nobody else could receive it, it is not waited for.
     */
    final @Nullable TransferException stoppedEarly(long missing, boolean wait) {
        if (data != null && !word.isDone()) {
            if (!wait) {
                return null;
            }
            if (!watcher.isThisThread()) {
                word.join();
            }
        }
        TransferException said = word.getNow(null);
        return said != null
                ? counted(said)
                : failure(Errno.ECONNABORTED, false, "the daemon stopped " + missing + " bytes before the end", null);
    }

    /** The reader has closed the content, read or not. */
    final void onContentClosed() {
        if (!drained) {
            cancel();
            closeBytes();
        }
    }

    /** The end without a Result: the daemon died. If that was behind the last byte, the file is whole. */
    @Override
    final void onEnd() {
        if (data != null && handedOver) {
            word.complete(null);
            closeSource();
        } else {
            super.onEnd();
        }
    }

    private void closeBytes() {
        if (data != null) {
            data.close();
        } else {
            closeSource();
        }
    }

    @Override
    final void onSuccess() {
        closeBytes();
    }

    @Override
    final void onFailure(TransferException failure) {
        content.completeExceptionally(failure);
        word.complete(failure);
        closeBytes();
    }

    /** When the client is closed, a reader keeps the content that was handed over. */
    @Override
    final void abandon() {
        if (drained) {
            finish(info().join(), null);
        } else if (!handedOver || isCopying()) {
            super.abandon();
        } else {
            word.complete(null);
            closeSource();
        }
    }
}
