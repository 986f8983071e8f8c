package io.sendfiled.client;

import java.nio.channels.Pipe;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Open File, and Send Open File on the same status channel. */
final class OpenExchange extends Exchange {
    private final CompletableFuture<OpenFile> opened = new CompletableFuture<>();

    OpenExchange(
            FileRequest request, Pipe.@Nullable SourceChannel source, StatusWatcher watcher, RequestSender sender) {
        super(Operation.OPEN, request, source, watcher, sender);
        var unused = opened.whenComplete((file, failure) -> {
            if (failure != null && !isOver()) { // the user completed the future
                cancel();
            }
        });
    }

    CompletableFuture<OpenFile> opened() {
        return opened;
    }

    @Override
    boolean onFileInfo(FileInfo value) {
        if (!opened.complete(new OpenFile(this, value))) { // the user has completed the future
            cancel();
        }
        return true;
    }

    @Override
    void onFailure(TransferException failure) {
        opened.completeExceptionally(failure);
    }
}
