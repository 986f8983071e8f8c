package io.sendfiled.client;

import io.sendfiled.transport.Log;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** Open File, and Send Open File on the same status channel. */
final class OpenExchange extends Exchange {
    /** Until the file is in it: then the exchange does not know it any more, so that it can be found forgotten. */
    private volatile @Nullable CompletableFuture<OpenFile> opened;

    private final AtomicBoolean used = new AtomicBoolean();

    /** @param opened gets the opened file, or a failure */
    OpenExchange(FileRequest request, SendfiledClient client, CompletableFuture<OpenFile> opened) {
        super(Operation.OPEN, request, client);
        this.opened = opened;
        var unused = opened.whenComplete((file, failure) -> {
            if (failure != null && !isOver()) { // the user completed the future
                cancel();
            }
        });
    }

    /** For what an ETag needs: the inode, and times in nanoseconds. */
    @Override
    boolean isExtended() {
        return true;
    }

    /** Begins to send or close the file. False if that has been done before. */
    boolean use() {
        return used.compareAndSet(false, true);
    }

    @Override
    boolean onFileInfo(FileInfo value) {
        CompletableFuture<OpenFile> future = Objects.requireNonNull(opened);
        if (!future.complete(new OpenFile(this, value))) { // the user has completed the future
            cancel();
        }
        opened = null;
        return true;
    }

    /** Nobody can use the file any more. On the cleaner's thread, also after it was used. */
    void onFileUnreachable() {
        if (use() && !isOver() && !client.transport().execute(this, this::onFileForgotten)) {
            onFileForgotten();
        }
    }

    private void onFileForgotten() {
        Log.warning(request() + " was opened, and neither sent nor closed", null);
        cancel();
    }

    @Override
    void onFailure(TransferException failure) {
        CompletableFuture<OpenFile> future = opened;
        if (future != null) {
            future.completeExceptionally(failure);
        }
    }
}
