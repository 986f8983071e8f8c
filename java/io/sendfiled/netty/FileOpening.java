package io.sendfiled.netty;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/** The time before a file can be sent that a message of Netty's own has not opened yet: another thread opens it. */
final class FileOpening implements FileTransfer {
    private final SendfiledHandler handler;
    private final ChannelHandlerContext ctx;
    private final CompletableFuture<?> opening;
    private final SendfiledFile file;
    private final ChannelPromise promise;
    private final @Nullable HeldWrite head;
    private boolean flushed;
    private boolean isOver;

    FileOpening(
            SendfiledHandler handler,
            ChannelHandlerContext ctx,
            CompletableFuture<?> opening,
            SendfiledFile file,
            ChannelPromise promise,
            @Nullable HeldWrite head) {
        this.handler = handler;
        this.ctx = ctx;
        this.opening = opening;
        this.file = file;
        this.promise = promise;
        this.head = head;
    }

    @Override
    public void start() {
        file.retain(); // an open that is under way needs the message, whatever becomes of the channel
        var unused = opening.whenCompleteAsync((opened, failure) -> onOpened(failure), ctx.executor());
    }

    private void onOpened(@Nullable Throwable failure) {
        file.release();
        if (isOver) {
            return;
        }
        if (failure == null) {
            isOver = true;
            handler.transferOpened(file, promise, head, flushed);
        } else {
            Throwable cause = failure instanceof CompletionException e && e.getCause() != null ? e.getCause() : failure;
            abort(cause);
            handler.transferFailed(file, cause, head != null);
        }
    }

    @Override
    public void flush() {
        flushed = true;
    }

    @Override
    public long remaining() {
        return file.count();
    }

    @Override
    public void abort(Throwable cause) {
        if (isOver) {
            return;
        }
        isOver = true;
        HeldWrite.fail(head, cause);
        file.release();
        promise.tryFailure(cause);
    }
}
