package io.sendfiled.client;

import io.sendfiled.buffer.SharedBuffer;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;

/**
 * Read File into a buffer. For the daemon it is a Send File whose destination is a memory file, which it seals at the
 * end.
 */
final class BufferExchange extends Exchange implements BufferTransfer {
    private final CompletableFuture<SharedBuffer> buffer = new CompletableFuture<>();
    private final MemoryFile file;

    /** Takes the memory file. */
    BufferExchange(FileRequest request, SendfiledClient client, MemoryFile file) {
        super(Operation.READ, request, client);
        this.file = file;
        var unused = buffer.whenComplete((value, failure) -> {
            if (failure != null && !isOver()) { // the user completed the future
                cancel();
            }
        });
    }

    @Override
    public CompletableFuture<SharedBuffer> buffer() {
        return buffer;
    }

    @Override
    boolean onFileInfo(FileInfo value) {
        return true;
    }

    @Override
    void onSuccess() throws IOException {
        SharedBuffer value = file.toBuffer();
        if (!buffer.complete(value)) { // the user has completed the future
            value.close();
        }
    }

    @Override
    void onFailure(TransferException failure) {
        buffer.completeExceptionally(failure);
        file.close();
    }
}
