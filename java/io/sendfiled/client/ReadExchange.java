package io.sendfiled.client;

import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Errno;
import io.sendfiled.transport.Log;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.Pipe;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Read File. Without options the file's bytes follow one message on the status channel, which the transport gives to its
 * reader, and a failure is an end that comes too early. With options they have a channel of their own, and the status
 * channel stays with the transport for the daemon's last word: why it has failed, or that it is complete.
 */
class ReadExchange extends Exchange {
    /** How often it is looked whether the word still can come, in milliseconds. */
    private static final int WORD_RETRY_MS = 10;

    /** Until the content is in it: then the exchange does not know it any more, so that it can be found forgotten. */
    private volatile @Nullable CompletableFuture<FileContent> content;

    private final @Nullable DataChannel data;
    private volatile Pipe.@Nullable SourceChannel released; // the status channel, behind whose message the bytes are
    private volatile @Nullable FileInfo information; // info() is the user's to complete
    private volatile boolean handedOver;
    private volatile boolean drained; // every byte has arrived: it cannot fail any more

    /** The daemon's last word: a failure, or null for none. Written once, before the latch; without options never. */
    private volatile @Nullable TransferException word;

    private final CountDownLatch wordCame = new CountDownLatch(1);

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
        boolean separate = client.engine().isExtended() || request.isExtended() || executor() != null;
        data = separate ? new DataChannel() : null;
    }

    @Override
    final boolean isExtended() {
        return data != null;
    }

    /** What is passed to the daemon with the request; null if the status channel carries the bytes. */
    final @Nullable DataChannel data() {
        return data;
    }

    /** The channel that the file's bytes come through. */
    final Pipe.SourceChannel bytes() {
        return data != null ? data.source() : Objects.requireNonNull(released);
    }

    @Override
    public final int readLimit() {
        // in one piece, and not one byte of the file behind it
        return data != null ? Integer.MAX_VALUE : Wire.FILE_INFO_SIZE;
    }

    /**
     * The content is handed over outside of the reading of messages: while the user's code reads it here, the spare thread
     * can receive the word.
     */
    @Override
    final boolean onFileInfo(FileInfo value) {
        information = value;
        if (data == null) {
            client.engine().release(this);
            return false;
        }
        var unused = client.engine().execute(this, this::handOver); // a transport that ends abandons it
        return true;
    }

    private FileInfo information() {
        return Objects.requireNonNull(information);
    }

    @Override
    public final void onReleased(Pipe.SourceChannel channel) {
        released = channel;
        handOver();
    }

    /** Where messages are handled; the transport has released the channel, if it carries the bytes. */
    private void handOver() {
        if (isOver()) {
            return;
        }
        FileInfo info = information();
        try {
            bytes().configureBlocking(true);
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

    /** What counts is what was read. */
    @Override
    final boolean onProgress(long bytes) {
        return true;
    }

    /** The content's reader ends the exchange, when it has come to the end of the bytes. */
    @Override
    final boolean onResult(@Nullable TransferException failure) {
        if (information != null) {
            onWord(failure);
        } else {
            finish(null, failure != null ? failure : failure(Errno.EBADMSG, false, "a result without a file", null));
        }
        return false;
    }

    /** The end without a Result: the daemon died. If that was behind the last byte, the file is whole. */
    @Override
    public final void onEnd() {
        if (data != null && information != null) {
            onWord(null);
        } else {
            super.onEnd();
        }
    }

    private void onWord(@Nullable TransferException failure) {
        tell(failure);
        client.engine().end(this);
        if (drained) {
            finish(information(), null);
        }
    }

    /** Lets the content's reader know the last word, unless there was one. */
    private void tell(@Nullable TransferException failure) {
        synchronized (wordCame) {
            if (wordCame.getCount() > 0) {
                word = failure;
                wordCame.countDown();
            }
        }
    }

    /** Closing the pipe stops the daemon. Its answer need not be awaited, because the pipe is the only destination. */
    @Override
    final void onCancel() {
        if (drained) { // too late to cancel; does not wait for the Result
            finish(information(), null);
            return;
        }
        sendCancel();
        if (handedOver
                && isCopyUnderWay()) { // the copying thread notices, and finishes when it does not write to the target
            closeBytes();
            tell(cancellation());
        } else {
            finish(null, cancellation());
        }
    }

    /** Whether a thread of the client copies the content. */
    boolean isCopying() {
        return false;
    }

    /** Whether that thread has begun, and so ends the exchange. If it has not, it will not any more. */
    boolean isCopyUnderWay() {
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

    /** Ends the exchange; with options, as soon as the last word is there, too. */
    final void finishDrained(FileInfo value) {
        drained = true;
        if (data == null || wordCame.getCount() == 0) { // else onWord finds that it is drained
            finish(value, null);
        }
    }

    /**
     * The bytes have ended too early: why. Null as long as the daemon's word is on its way, unless `wait` is set. Where
     * nobody else could receive it, it is not waited for.
     */
    final @Nullable TransferException stoppedEarly(long missing, boolean wait) {
        if (data != null && wordCame.getCount() > 0) {
            if (!wait) {
                return null;
            }
            try {
                awaitWord();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt(); // as a channel's read does
                return interrupted(e);
            }
        }
        TransferException said = word;
        return said != null
                ? counted(said)
                : failure(Errno.ECONNABORTED, false, "the daemon stopped " + missing + " bytes before the end", null);
    }

    private void awaitWord() throws InterruptedException {
        boolean waiting = true;
        while (waiting && client.engine().receiveHere(this)) {
            waiting = !wordCame.await(WORD_RETRY_MS, TimeUnit.MILLISECONDS);
        }
    }

    /** The channel of the bytes was closed under its reader: why. */
    final TransferException closed(ClosedChannelException e) {
        TransferException known = knownFailure();
        if (known != null) {
            return known;
        }
        return e instanceof ClosedByInterruptException && !isCancelled() ? interrupted(e) : cancellation();
    }

    private TransferException interrupted(Exception e) {
        return failure(Errno.EINTR, false, "the reading thread was interrupted", e);
    }

    /** The reader has closed the content, read or not. */
    final void onContentClosed() {
        if (!drained) {
            cancel();
            closeBytes();
        }
    }

    /**
     * Nobody can read the content any more, and it was not closed. On the cleaner's thread, also after the content was read
     * or closed; leaves the work to the transport.
     */
    final void onContentUnreachable() {
        if (!isSettled() && !client.engine().execute(this, this::onContentForgotten)) {
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

    private void closeBytes() {
        if (data != null) {
            data.close();
        } else {
            client.engine().end(this);
        }
    }

    @Override
    final void onSuccess() {
        closeBytes();
    }

    @Override
    final void onFailure(TransferException failure) {
        closeBytes();
        tell(failure);
        CompletableFuture<FileContent> future = content;
        if (future != null) {
            future.completeExceptionally(failure);
        }
    }

    /** When the client is closed, a reader keeps the content that was handed over. */
    @Override
    public final void abandon() {
        if (drained) {
            finish(information(), null);
        } else if (!handedOver || isCopying()) {
            super.abandon();
        } else if (data != null) {
            onWord(null);
        }
    }
}
