package io.sendfiled.netty;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.PendingWriteQueue;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.util.ReferenceCountUtil;
import io.sendfiled.hot.HotFile;
import io.sendfiled.sys.UnsupportedDescriptorException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Sends {@link SendfiledFile}s: the first handler of a pipeline, next to the transport, or behind those that its files have to
 * pass through.
 *
 * <p>A small file that the kernel has in its caches is read into a buffer, a larger one is sent by {@code sendfile(2)} behind
 * its header, both in the event loop and without ever waiting for a disk. Where a file is not in the caches the engine goes
 * on, also in the middle of it, and the event loop serves others.
 *
 * <p>As with every message of Netty: what was written first goes first; a write's promise is complete when the socket has
 * taken all its bytes, a {@link io.netty.channel.ChannelProgressivePromise} is told what has gone; a channel is not {@linkplain
 * io.netty.channel.Channel#isWritable writable} while more bytes of files wait than its high watermark (user-defined
 * writability {@value #WRITABILITY_INDEX} is the handler's); a channel that is closed fails what has not been sent, and ends
 * what the engine is sending.
 *
 * <p>A write of a file fails with the reason, an {@link IOException}. If a byte of the file or of what was written right before
 * it has been sent by then, the receiver waits for more: the channel is closed. If not (the file could not be opened, and its
 * header is no longer than {@value #MAX_HEAD} bytes and was not flushed) that header's write fails as well, nothing was
 * sent, the channel stays open, and another answer can be given.
 *
 * <p>An engine has limits of its own: a receiver that takes no byte for as long as its idle timeout ends the transfer with
 * {@code ETIMEDOUT}, and so the connection.
 *
 * <p>Between it and the transport may be TLS and encoders of bytes, traffic shaping among them: the file then goes through
 * them in buffers, of which one or two are ahead, and still no disk is waited for. With a compressor for HTTP, or on a stream
 * of HTTP/2, the handler stands directly behind the last one of their handlers, nearer to the application. {@link FileForm}
 * says what it writes where. The same way, without {@code sendfile(2)}, files go to channels that are no sockets of NIO or
 * epoll: to those of io_uring, which block, and to local ones.
 *
 * <p>One handler for each channel. It must run in the channel's event loop. Removing it while a file is being sent closes the
 * channel.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what was passed on has a promise
public final class SendfiledHandler extends ChannelDuplexHandler {
    /** Up to this size a hot file is read into a buffer, which is cheaper than {@code sendfile(2)} then. */
    static final int MAX_READ = 16 * 1024;

    /** The longest buffer that is held back, because a file might follow. */
    static final int MAX_HEAD = 4096;

    static final int WRITABILITY_INDEX = 31;

    private static final int UNKNOWN = -2; // no descriptor yet

    /** So many files may wait with an open descriptor. */
    private static final int MAX_OPEN_WAITING = 8;

    private @Nullable ChannelHandlerContext context;
    private @Nullable PendingWriteQueue waiting; // behind the file that is being sent
    private long waitingFileBytes;
    private @Nullable FileTransfer current;
    private boolean currentCounts; // as bytes that wait
    private boolean draining;
    private boolean flushRequested; // of what waits
    private @Nullable HeldWrite head; // a file might follow
    private int descriptor = UNKNOWN;
    private @Nullable SendfiledFiles transparent; // of files as Netty has them
    private @Nullable FileForm form; // null: as the pipeline says
    private boolean unwritable;

    /** For one channel. */
    public SendfiledHandler() {}

    /**
     * Sends the files of an application that knows nothing of this handler as it sends a {@link SendfiledFile}: its {@link
     * io.netty.channel.DefaultFileRegion}s, {@link io.netty.handler.stream.ChunkedNioFile}s and {@link
     * io.netty.handler.stream.ChunkedFile}s, those in an {@code HttpChunkedInput}, too. To be set before the handler is added.
     *
     * <p>Most frameworks write the former without and the latter with TLS. A handler for the latter stands behind the
     * {@code ChunkedWriteHandler} (nearer to the application), which would read them in the event loop.
     *
     * <p>What the application does itself with its file stays where it is: many open it in the event loop. A region with a
     * {@link java.io.File} is opened elsewhere. So is every file closed that is not on a disk of the {@link
     * io.sendfiled.hot.HotRoot}, and its write is complete behind that.
     *
     * @param files whose client sends them; its root need not have them
     * @return this
     */
    public SendfiledHandler transparent(SendfiledFiles files) {
        transparent = files;
        return this;
    }

    /**
     * Sets what the handler writes towards the transport, where {@link FileForm#of}, which is asked for each file, is wrong
     * about the pipeline. To be set before the handler is added.
     *
     * @return this
     */
    public SendfiledHandler form(FileForm value) {
        form = value;
        return this;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        if (ctx.executor() != ctx.channel().eventLoop()) {
            throw new IllegalStateException(
                    "a SendfiledHandler runs in its channel's event loop, and in no other executor");
        }
        context = ctx;
        waiting = new PendingWriteQueue(ctx);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        if (current != null) {
            abort(new ClosedChannelException());
            ctx.channel().close();
        } else {
            passHead(ctx);
        }
    }

    // ---- writing ----

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        SendfiledFiles files = transparent;
        NettyFile netty = files == null ? null : NettyFile.of(msg);
        if (files == null || netty == null) {
            take(ctx, msg, promise);
            return;
        }
        ChannelPromise applications = promise.unvoid();
        Object last = netty.last();
        ChannelPromise sent = netty.promise(ctx, last == null ? applications : ctx.newPromise());
        take(ctx, SendfiledFile.ofNetty(files, netty), sent);
        if (last != null) {
            take(ctx, last, applications);
        }
    }

    private void take(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        if (current != null || draining) {
            enqueue(queue(), msg, promise);
        } else {
            pass(ctx, msg, promise);
        }
    }

    private void enqueue(PendingWriteQueue queue, Object msg, ChannelPromise promise) {
        if (msg instanceof SendfiledFile file) {
            if (file.isHeldByEngine() || queue.size() >= MAX_OPEN_WAITING) {
                file.park();
            }
            waitingFileBytes += file.count();
        }
        queue.add(msg, promise);
        updateWritability();
    }

    /** Nothing is before it. */
    private void pass(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        if (msg instanceof SendfiledFile file) {
            send(ctx, file, promise);
            return;
        }
        passHead(ctx);
        if (msg instanceof ByteBuf bytes && bytes.isReadable() && bytes.readableBytes() <= MAX_HEAD) {
            head = new HeldWrite(bytes, promise);
        } else {
            ctx.write(msg, promise);
        }
    }

    private void passHead(ChannelHandlerContext ctx) {
        HeldWrite.pass(takeHead(), ctx);
    }

    private @Nullable HeldWrite takeHead() {
        HeldWrite held = head;
        head = null;
        return held;
    }

    private void send(ChannelHandlerContext ctx, SendfiledFile file, ChannelPromise promise) {
        if (!promise.setUncancellable()) {
            file.release();
            return;
        }
        CompletableFuture<?> opening = file.openNetty();
        if (opening != null) {
            current = new FileOpening(this, ctx, opening, file, promise, takeHead());
            current.start();
            return;
        }
        FileForm to = form == null ? FileForm.of(ctx) : form;
        if (file.count() == 0) {
            file.release();
            passHead(ctx);
            ctx.write(to.message(Unpooled.EMPTY_BUFFER), promise);
            return;
        }
        try {
            if (file.count() <= MAX_READ && sendByBuffer(ctx, to, file, promise)) {
                return;
            }
        } catch (Throwable e) { // no memory for the buffer, too
            refuse(file, promise, e);
            return;
        }
        current = to == FileForm.DESCRIPTOR && hasDescriptor(ctx.channel())
                ? new DirectTransfer(this, ctx, descriptor, file, promise, takeHead())
                : new SlicedTransfer(this, ctx, to, file, promise, takeHead());
        current.start();
    }

    /** Whether the engine can write to the channel's socket. It cannot with io_uring, whose sockets are blocking. */
    private boolean hasDescriptor(Channel channel) {
        if (descriptor == UNKNOWN) {
            try {
                descriptor = ChannelDescriptor.of(channel);
            } catch (UnsupportedDescriptorException e) { // this JDK hides it
                descriptor = ChannelDescriptor.NONE;
            }
        }
        return descriptor != ChannelDescriptor.NONE;
    }

    /**
     * Whether all of a small file is in the page cache, or in memory already, and is in the outbound buffer now: in one buffer with
     * its header, which costs the transport less than two.
     */
    private boolean sendByBuffer(ChannelHandlerContext ctx, FileForm to, SendfiledFile file, ChannelPromise promise)
            throws IOException {
        ByteBuffer content = file.content();
        HotFile hot = content == null ? file.hot() : null;
        if (content == null && hot == null) {
            return false;
        }
        int length = (int) file.count();
        HeldWrite held = to.isBytes() && head != null && head.promise().setUncancellable() ? head : null;
        ByteBuf first = held == null ? Unpooled.EMPTY_BUFFER : held.bytes();
        ByteBuf bytes = ctx.alloc().directBuffer(first.readableBytes() + length);
        try {
            bytes.writeBytes(first, first.readerIndex(), first.readableBytes());
            if (content != null) {
                bytes.writeBytes(content);
            } else if (hot == null || file.read(hot, bytes, 0) != length) {
                bytes.release();
                return false;
            }
        } catch (Throwable e) {
            bytes.release();
            throw e;
        }
        file.setTransferred(length);
        file.release();
        if (held == null) {
            passHead(ctx);
            ctx.write(to.message(bytes), promise);
        } else {
            head = null;
            ctx.write(to.message(bytes), held.together(promise));
        }
        return true;
    }

    private void refuse(SendfiledFile file, ChannelPromise promise, Throwable cause) {
        HeldWrite held = takeHead();
        boolean nothingSent = held != null;
        HeldWrite.fail(held, cause);
        file.release();
        promise.tryFailure(cause);
        transferFailed(file, cause, nothingSent);
    }

    @Override
    public void flush(ChannelHandlerContext ctx) {
        if (draining) {
            flushRequested = true; // at the end of that
            return;
        }
        FileTransfer transfer = current;
        if (transfer != null) {
            flushRequested |= !queue().isEmpty();
            transfer.flush();
        } else {
            passHead(ctx);
        }
        ctx.flush();
        if (transfer != null && transfer == current) {
            currentCounts = true;
            updateWritability();
        }
    }

    // ---- the transfer's turn is over ----

    /** The current transfer has sent all of its file. */
    void transferEnded() {
        current = null;
        currentCounts = false;
        drain();
    }

    /** The file of the current transfer is open now, and is sent by another one. */
    void transferOpened(SendfiledFile file, ChannelPromise promise, @Nullable HeldWrite held, boolean flushed) {
        current = null;
        currentCounts = false;
        head = held;
        send(context(), file, promise);
        FileTransfer next = current;
        if (next == null) {
            flushRequested |= flushed;
            drain();
        } else if (flushed) {
            next.flush();
            context().flush();
        }
    }

    /**
     * The current transfer, or one that could not begin, has failed.
     *
     * @param nothingSent neither of the file nor of its header
     */
    void transferFailed(SendfiledFile file, Throwable cause, boolean nothingSent) {
        current = null;
        currentCounts = false;
        if (nothingSent && !file.isNetty()) { // who writes those does not know that it can answer otherwise
            drain();
        } else {
            abort(cause);
            context().channel().close();
        }
    }

    /** Passes on what has waited, up to the next file that takes longer. */
    private void drain() {
        if (draining) {
            return; // the loop below has called
        }
        ChannelHandlerContext ctx = context();
        PendingWriteQueue queue = queue();
        draining = true;
        try {
            while (current == null) {
                Object msg = queue.current();
                if (msg == null) {
                    break;
                }
                ReferenceCountUtil.retain(msg); // the queue releases its own
                ChannelPromise promise = queue.remove();
                if (msg instanceof SendfiledFile file) {
                    waitingFileBytes -= file.count();
                }
                pass(ctx, msg, promise);
            }
        } finally {
            draining = false;
        }
        updateWritability();
        if (flushRequested) {
            flushRequested = false;
            flush(ctx);
        }
    }

    /** The engine has moved bytes, which no handler has seen. */
    void engineProgressed(SendfiledFile file) {
        ChannelHandlerContext ctx = context();
        for (Map.Entry<String, ChannelHandler> entry : ctx.pipeline()) {
            if (entry.getValue() instanceof IdleStateHandler idle) {
                idle.resetWriteTimeout();
            }
        }
        ctx.fireUserEventTriggered(new FileProgress(file, file.transferred()));
    }

    // ---- backpressure ----

    /**
     * Counts the bytes of files, of which Netty knows nothing. A file that goes out with its first flush never counts: the
     * channel would become unwritable and writable again for each.
     */
    void updateWritability() {
        FileTransfer transfer = currentCounts ? current : null;
        long bytes = waitingFileBytes + (transfer == null ? 0 : transfer.remaining());
        ChannelHandlerContext ctx = context();
        if (unwritable
                ? bytes < ctx.channel().config().getWriteBufferLowWaterMark()
                : bytes > ctx.channel().config().getWriteBufferHighWaterMark()) {
            ChannelOutboundBuffer buffer = ctx.channel().unsafe().outboundBuffer();
            unwritable = !unwritable;
            if (buffer != null) { // null: the channel is closed
                buffer.setUserDefinedWritability(WRITABILITY_INDEX, !unwritable);
            }
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (current != null) {
            current.writabilityChanged();
        }
        ctx.fireChannelWritabilityChanged();
    }

    // ---- closing ----

    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
        abort(new ClosedChannelException());
        ctx.close(promise);
    }

    @Override
    public void disconnect(ChannelHandlerContext ctx, ChannelPromise promise) {
        abort(new ClosedChannelException());
        ctx.disconnect(promise);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        abort(new ClosedChannelException());
        ctx.fireChannelInactive();
    }

    /** Ends and fails everything; a promise's listener that writes again finds nothing before it. */
    private void abort(Throwable cause) {
        FileTransfer transfer = current;
        current = null;
        currentCounts = false;
        flushRequested = false;
        waitingFileBytes = 0;
        HeldWrite held = takeHead();
        if (transfer != null) {
            transfer.abort(cause);
        }
        HeldWrite.fail(held, cause);
        queue().removeAndFailAll(cause);
    }

    private ChannelHandlerContext context() {
        return Objects.requireNonNull(context, "the handler is in no pipeline");
    }

    private PendingWriteQueue queue() {
        return Objects.requireNonNull(waiting, "the handler is in no pipeline");
    }
}
