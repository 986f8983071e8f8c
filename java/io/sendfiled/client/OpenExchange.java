package io.sendfiled.client;

import io.sendfiled.transport.JavaTransport;
import io.sendfiled.transport.Log;
import io.sendfiled.transport.Transport;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** Open File, and Send Open File on the same status channel. */
final class OpenExchange extends Exchange implements Opened {
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

    @Override
    public boolean use() {
        return used.compareAndSet(false, true);
    }

    @Override
    boolean onFileInfo(FileInfo value) {
        byte[] bytes = takeContent();
        if (bytes != null) { // its end comes with it
            var unused = deliver(new OpenFile(new ContentOpened(request(), bytes), value));
        } else if (!deliver(new OpenFile(this, value))) {
            cancel();
        }
        return true;
    }

    /** False if the user has completed the future. */
    private boolean deliver(OpenFile value) {
        CompletableFuture<OpenFile> future = Objects.requireNonNull(opened);
        boolean taken = future.complete(value);
        opened = null;
        return taken;
    }

    /** This process has opened the file without the engine. It is delivered as the engine's message would be. */
    void onOpenedHot(HotOpened file, FileInfo value) {
        boolean goesOn = client.engine().execute(this, () -> {
            if (isOver() || !deliver(new OpenFile(file, value))) {
                file.discard();
            }
            finish(value, null);
        });
        if (!goesOn) { // the client is closed
            file.discard();
            abandon();
        }
    }

    @Override
    public Transfer send(Destination destination) {
        restartAs(Operation.SEND_OPEN);
        Transport transport = client.engine();
        if (transport instanceof JavaTransport java) {
            InJava.sendOpened(java, this, destination);
            return this;
        }
        try {
            transport.sendOpened(this, Objects.requireNonNull(destination.duplicate()));
        } catch (Throwable t) { // the destination's, or no memory
            sendCancel();
            refuse(t);
        }
        return this;
    }

    @Override
    public void discard() {
        cancel();
    }

    @Override
    public void onUnreachable() {
        if (use() && !isOver() && !client.engine().execute(this, this::onFileForgotten)) {
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
