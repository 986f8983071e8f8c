package io.sendfiled.client;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.channels.WritableByteChannel;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/** Read File whose bytes a thread of the client's copies to a channel. */
final class ReadToExchange extends ReadExchange {
    private final WritableByteChannel target;
    private final Copying copying;

    ReadToExchange(
            FileRequest request,
            Pipe.@Nullable SourceChannel source,
            @Nullable DataChannel data,
            StatusWatcher watcher,
            RequestSender sender,
            WritableByteChannel target,
            Copying copying) {
        super(request, source, data, watcher, sender);
        this.target = target;
        this.copying = copying;
    }

    @Override
    boolean isCopying() {
        return true;
    }

    @Override
    void deliver(FileContent value) {
        try {
            copying.execute(() -> copy(value));
        } catch (RejectedExecutionException e) {
            fail(new IOException("the executor for copying refused", e));
        }
    }

    @Override
    void onContentRead(int count) {} // what counts is what was written

    @Override
    void onDrained(FileInfo value) {} // the last bytes are not written yet

    private void copy(FileContent content) {
        ByteBuffer buffer = copying.takeBuffer();
        try {
            while (content.read(buffer.clear()) >= 0) {
                buffer.flip();
                while (buffer.hasRemaining()) {
                    addMoved(target.write(buffer));
                }
            }
            finishDrained(content.info());
        } catch (TransferException e) { // content.read finished the exchange
            finish(null, e);
        } catch (IOException e) {
            if (isCancelled()) {
                finish(null, cancellation());
            } else {
                fail(e);
            }
        } catch (RuntimeException e) { // the target's
            fail(new IOException(e.toString(), e));
        } finally {
            copying.giveBack(buffer);
        }
    }
}
