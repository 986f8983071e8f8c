package io.sendfiled.client;

import io.sendfiled.sys.NativeIoException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.concurrent.atomic.AtomicBoolean;

/** Read File whose bytes a thread of the client's copies to a channel. */
final class ReadToExchange extends ReadExchange {
    private final WritableByteChannel target;
    private final Copying copying;

    /** Of the thread that copies, or of whoever ends the exchange before: an executor may never run what it has taken. */
    private final AtomicBoolean claimed = new AtomicBoolean();

    ReadToExchange(FileRequest request, SendfiledClient client, WritableByteChannel target) {
        super(request, client);
        this.target = target;
        copying = client.copying();
    }

    @Override
    boolean isCopying() {
        return true;
    }

    @Override
    boolean isCopyUnderWay() {
        return !claimed.compareAndSet(false, true);
    }

    @Override
    void deliver(FileContent value) {
        try {
            copying.execute(() -> copy(value));
        } catch (NativeIoException e) {
            fail(e);
        } catch (Throwable t) { // the user's executor
            fail(new IOException("the executor for copying refused", t));
        }
    }

    @Override
    void onContentRead(int count) {} // what counts is what was written

    @Override
    void onDrained(FileInfo value) {} // the last bytes are not written yet

    private void copy(FileContent content) {
        if (!claimed.compareAndSet(false, true)) {
            return;
        }
        ByteBuffer buffer = null;
        try {
            buffer = copying.takeBuffer();
            while (content.read(buffer.clear()) >= 0) {
                buffer.flip();
                while (buffer.hasRemaining()) {
                    addMoved(target.write(buffer));
                }
            }
            finishDrained(content.info());
        } catch (TransferException e) { // content.read finished the exchange
            finish(null, e);
        } catch (Throwable t) { // the target's, or there is no direct memory
            if (isCancelled()) {
                finish(null, cancellation());
            } else {
                fail(t);
            }
        } finally {
            if (buffer != null) {
                copying.giveBack(buffer);
            }
        }
    }
}
