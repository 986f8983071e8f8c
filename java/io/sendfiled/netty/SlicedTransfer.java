package io.sendfiled.netty;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelProgressivePromise;
import io.netty.channel.ChannelPromise;
import io.netty.util.concurrent.Future;
import io.sendfiled.client.Destination;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.Source;
import io.sendfiled.client.Transfer;
import io.sendfiled.hot.HotFile;
import java.io.EOFException;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Sends a file through handlers that have to see its bytes: in buffers of the channel's allocator, of which at most {@value
 * #AHEAD} are written and not yet accepted, and only one while the channel is not writable. So the memory does not grow with
 * the file.
 *
 * <p>What is in the page cache is read in the event loop, by reads that never wait. From the first miss on the engine reads,
 * and the bytes come through a pipe.
 */
final class SlicedTransfer implements FileTransfer {
    /** The bytes of a buffer: four records of TLS, and what a pipe holds. */
    static final int SLICE = 64 * 1024;

    /** One is being accepted, the next one is ready. */
    private static final int AHEAD = 2;

    /** After so many buffers the other tasks of the loop have their turn. */
    private static final int AT_A_TIME = 8;

    private final SendfiledHandler handler;
    private final ChannelHandlerContext ctx;
    private final FileForm form;
    private final SendfiledFile file;
    private final ChannelPromise promise;
    private @Nullable HeldWrite head;
    private @Nullable CompletableFuture<OpenFile> opening;
    private @Nullable HotFile hot; // of the file
    private @Nullable ColdPipe cold;
    private long left; // to be written
    private long accepted;
    private int ahead;
    private boolean isOpen;
    private boolean flushed;
    private boolean isFeeding;
    private boolean isOver; // nothing more is written

    /** @param form what the next handler takes; of {@link FileForm#DESCRIPTOR}, bytes */
    SlicedTransfer(
            SendfiledHandler handler,
            ChannelHandlerContext ctx,
            FileForm form,
            SendfiledFile file,
            ChannelPromise promise,
            @Nullable HeldWrite head) {
        this.handler = handler;
        this.ctx = ctx;
        this.form = form;
        this.file = file;
        this.promise = promise;
        this.head = head;
        left = file.count();
    }

    @Override
    public void start() {
        try {
            hot = file.hot();
        } catch (IOException e) {
            fail(e);
            return;
        }
        if (hot != null || file.source() != null || file.isOpened()) {
            isOpen = true;
            feed();
        } else {
            opening = file.files().openCold(file.request(), ctx.channel());
            var unused = opening.whenCompleteAsync(this::onOpened, ctx.executor());
        }
    }

    private void onOpened(@Nullable OpenFile opened, @Nullable Throwable failure) {
        opening = null;
        if (isOver) {
            if (opened != null) {
                opened.close();
            }
            return;
        }
        try {
            if (opened == null) {
                throw SendfiledFiles.translated(file.path(), failure);
            }
            file.setOpened(opened);
        } catch (IOException e) {
            fail(e);
            return;
        }
        if (file.content() != null) {
            isOver = true;
            HeldWrite first = head;
            head = null;
            handler.transferOpened(file, promise, first, flushed);
            return;
        }
        isOpen = true;
        feed();
    }

    @Override
    public void flush() {
        flushed = true;
        feed();
    }

    @Override
    public void writabilityChanged() {
        feed();
    }

    /** What is written already, the outbound buffer counts. */
    @Override
    public long remaining() {
        return left;
    }

    private void feed() {
        if (isFeeding || isOver || !isOpen) {
            return;
        }
        isFeeding = true;
        try {
            for (int i = 0; left > 0 && !isOver && hasRoom(); i++) {
                if (i == AT_A_TIME) {
                    ctx.executor().execute(this::feed);
                    break;
                }
                ByteBuf slice = read();
                if (slice == null) {
                    break;
                }
                write(slice);
                if (flushed && left > 0) { // the last one with what comes behind it
                    ctx.flush();
                }
            }
        } catch (Throwable t) { // the disk's, or no memory
            fail(t);
        } finally {
            isFeeding = false;
        }
        if (left == 0 && !isOver) {
            close();
            handler.transferEnded();
            if (flushed) {
                ctx.flush();
            }
        }
    }

    /**
     * One buffer is on its way in any case: what was written before may keep the channel unwritable, and so does the handler
     * for as long as much of this file is left.
     */
    private boolean hasRoom() {
        if (ahead == 0 || ahead == AHEAD) {
            return ahead == 0;
        }
        ChannelOutboundBuffer buffer = ctx.channel().unsafe().outboundBuffer();
        return buffer == null // a stream of HTTP/2, whose window tells
                ? ctx.channel().isWritable()
                : buffer.totalPendingWriteBytes() < ctx.channel().config().getWriteBufferHighWaterMark();
    }

    /** The next bytes; null: none yet, and {@link #feed} runs when there are. */
    private @Nullable ByteBuf read() throws IOException {
        ByteBuf slice = ctx.alloc().directBuffer((int) Math.min(SLICE, left));
        int count = 0;
        try {
            count = readTo(slice);
        } finally {
            if (count == 0) {
                slice.release();
            }
        }
        left -= count;
        return count == 0 ? null : slice;
    }

    private int readTo(ByteBuf slice) throws IOException {
        long sent = file.count() - left;
        HotFile known = hot;
        if (known != null) {
            int count = file.read(known, slice, sent);
            if (count == 0) {
                throw new EOFException(file.path() + " was truncated: " + left + " bytes are missing");
            }
            if (count > 0) {
                return count;
            }
            hot = null;
        }
        ColdPipe pipe = cold;
        if (pipe == null) {
            pipe = ColdPipe.open(to -> sendTo(to, sent), left, ctx.executor(), this::feed);
            cold = pipe;
        }
        return pipe.read(slice);
    }

    /** The engine's part: what was not hot, to a pipe. */
    private Transfer sendTo(Destination pipe, long sent) throws IOException {
        OpenFile opened = sent == 0 ? file.takeOpened() : null;
        if (opened != null) {
            return opened.send(pipe);
        }
        Source source = file.source();
        if (source == null) {
            throw new IOException(file.path() + " is not open");
        }
        return file.files().send(FileRequest.of(source).range(file.position() + sent, left), ctx.channel(), pipe);
    }

    private void write(ByteBuf slice) {
        HeldWrite first = head;
        head = null;
        HeldWrite.pass(first, ctx);
        int size = slice.readableBytes();
        ahead++;
        var unused = ctx.write(form.message(slice)).addListener(future -> onAccepted(future, size));
        handler.updateWritability();
    }

    private void onAccepted(Future<?> future, int size) {
        ahead--;
        if (!future.isSuccess()) {
            promise.tryFailure(future.cause());
            fail(future.cause());
            return;
        }
        accepted += size;
        file.setTransferred(accepted);
        if (promise instanceof ChannelProgressivePromise progressive) {
            progressive.tryProgress(accepted, file.count());
        }
        if (accepted == file.count()) {
            promise.trySuccess();
        }
        feed();
    }

    private void fail(Throwable cause) {
        if (isOver) {
            return;
        }
        boolean nothingSent = head != null;
        abort(cause);
        handler.transferFailed(file, cause, nothingSent);
    }

    @Override
    public void abort(Throwable cause) {
        if (isOver) {
            return;
        }
        close();
        HeldWrite first = head;
        head = null;
        HeldWrite.fail(first, cause);
        promise.tryFailure(cause);
    }

    private void close() {
        isOver = true;
        if (opening != null) {
            opening.cancel(false);
        }
        if (cold != null) {
            cold.close();
        }
        file.release();
    }
}
