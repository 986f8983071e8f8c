package io.sendfiled.netty;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelProgressivePromise;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.SocketChannel;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.Source;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransferResult;
import io.sendfiled.hot.HotFile;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * Sends a file to a channel's own socket: what is hot through the channel's outbound buffer, the rest by the engine, which
 * gets a duplicate of the socket.
 *
 * <p>The engine writes past the outbound buffer, so a <em>fence</em> goes first: an empty buffer, whose promise is complete
 * when the kernel has everything that was written before.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what is written has a promise
final class DirectTransfer implements FileTransfer {
    private enum Phase {
        NEW,
        HOT, // in the outbound buffer
        OPENING, // by the engine
        READY, // for the engine, but not flushed
        FENCED, // behind what the outbound buffer has
        ENGINE,
        ENDED
    }

    private final SendfiledHandler handler;
    private final ChannelHandlerContext ctx;
    private final int descriptor;
    private final SendfiledFile file;
    private final ChannelPromise promise;
    private @Nullable HeldWrite head;
    private Phase phase = Phase.NEW;
    private boolean flushed;
    private long transferred; // of the file
    private long transferredBefore; // by the region, before the engine
    private @Nullable CompletableFuture<OpenFile> opening;
    private @Nullable Transfer transfer;

    DirectTransfer(
            SendfiledHandler handler,
            ChannelHandlerContext ctx,
            int descriptor,
            SendfiledFile file,
            ChannelPromise promise,
            @Nullable HeldWrite head) {
        this.handler = handler;
        this.ctx = ctx;
        this.descriptor = descriptor;
        this.file = file;
        this.promise = promise;
        this.head = head;
    }

    @Override
    public void start() {
        HotFile hot;
        try {
            hot = file.hot();
        } catch (IOException e) {
            fail(e);
            return;
        }
        if (hot != null) {
            writeRegion(hot);
        } else if (file.source() != null || file.isOpened()) {
            phase = Phase.READY;
        } else {
            phase = Phase.OPENING;
            opening = file.files().openCold(file.request(), ctx.channel());
            var unused = opening.whenComplete((opened, failure) -> inLoop(() -> onOpened(opened, failure)));
        }
    }

    @Override
    public long remaining() {
        return file.count() - transferred;
    }

    @Override
    public void flush() {
        flushed = true;
        if (phase == Phase.READY) {
            writeFence();
        }
    }

    // ---- hot ----

    private void writeRegion(HotFile hot) {
        phase = Phase.HOT;
        HeldWrite first = head;
        ByteBuf prefix = null;
        if (first != null && first.bytes().hasMemoryAddress()) {
            prefix = first.bytes().retain();
        } else {
            passHead();
        }
        file.retain();
        boolean tcp = ctx.channel() instanceof SocketChannel; // and so not that of a UNIX domain socket
        HotRegion region = new HotRegion(this, file, hot, descriptor, tcp, prefix);
        ChannelPromise written = ctx.newPromise();
        written.addListener((ChannelFuture done) -> onRegionWritten(region, done));
        ctx.write(region, written);
    }

    /** The region, which is being flushed, has sent more of the file. */
    void onRegionProgress(long fileTransferred) {
        if (phase == Phase.HOT) {
            progressed(fileTransferred);
        }
    }

    private void onRegionWritten(HotRegion region, ChannelFuture written) {
        if (phase != Phase.HOT) {
            return;
        }
        if (!written.isSuccess()) {
            fail(written.cause());
            return;
        }
        if (region.isCold() && region.transferred() == 0) {
            writeFence();
            ctx.flush();
            return;
        }
        HeldWrite first = head;
        if (first != null) { // its prefix
            head = null;
            first.bytes().release();
            first.promise().trySuccess();
        }
        if (region.isCold()) {
            startEngine();
        } else {
            succeed();
        }
    }

    // ---- by the engine ----

    private void onOpened(@Nullable OpenFile opened, @Nullable Throwable failure) {
        if (phase != Phase.OPENING) {
            if (opened != null) {
                opened.close();
            }
            return;
        }
        opening = null;
        if (opened == null) {
            fail(SendfiledFiles.translated(file.path(), failure));
            return;
        }
        try {
            file.setOpened(opened);
        } catch (IOException e) {
            fail(e);
            return;
        }
        if (file.content() != null) {
            phase = Phase.ENDED;
            HeldWrite first = head;
            head = null;
            handler.transferOpened(file, promise, first, flushed);
            return;
        }
        phase = Phase.READY;
        if (flushed) {
            writeFence();
            ctx.flush();
        }
    }

    private void writeFence() {
        phase = Phase.FENCED;
        passHead();
        ChannelPromise written = ctx.newPromise();
        written.addListener((ChannelFuture done) -> onFenceWritten(done));
        ctx.write(Unpooled.EMPTY_BUFFER, written);
    }

    private void onFenceWritten(ChannelFuture written) {
        if (phase == Phase.FENCED) {
            if (written.isSuccess()) {
                startEngine();
            } else {
                fail(written.cause());
            }
        }
    }

    private void passHead() {
        HeldWrite first = head;
        head = null;
        HeldWrite.pass(first, ctx);
    }

    /** The outbound buffer is empty, and stays so: what is written from now on waits in the handler. */
    private void startEngine() {
        phase = Phase.ENGINE;
        transferredBefore = transferred;
        Transfer started;
        try {
            OpenFile opened = file.takeOpened();
            Source source = file.source();
            if (opened != null) {
                started = opened.send(this::duplicateSocket);
            } else if (source != null) {
                FileRequest rest = FileRequest.of(source).range(file.position() + transferred, remaining());
                started = file.files().send(rest, ctx.channel(), this::duplicateSocket);
            } else {
                throw new IllegalStateException("nothing to send " + file + " from");
            }
        } catch (RuntimeException e) {
            fail(e);
            return;
        }
        transfer = started;
        started.onProgress((moved, total) -> inLoop(this::onEngineProgress));
        var unused = started.result().whenComplete((result, failure) -> inLoop(() -> onEngineEnded(result, failure)));
    }

    private OwnedFd duplicateSocket() throws IOException {
        OwnedFd duplicate = Descriptors.duplicate(descriptor);
        if (!ctx.channel().isOpen()) { // asked for behind that: the number may have been another one's already
            duplicate.close();
            throw new ClosedChannelException();
        }
        return duplicate;
    }

    private void onEngineProgress() {
        Transfer running = transfer;
        if (phase == Phase.ENGINE && running != null) {
            progressed(transferredBefore + running.bytesMoved());
            handler.engineProgressed(file);
        }
    }

    private void onEngineEnded(@Nullable TransferResult result, @Nullable Throwable failure) {
        if (phase != Phase.ENGINE) {
            return;
        }
        if (result == null) {
            if (failure instanceof TransferException e) {
                transferred = transferredBefore + e.bytesMoved();
            }
            fail(SendfiledFiles.translated(file.path(), failure));
            return;
        }
        progressed(transferredBefore + result.bytesMoved());
        handler.engineProgressed(file);
        succeed();
        ctx.flush(); // epoll tells once that the socket is writable, and the engine may have used that up
    }

    /** A client that is being closed tells by a thread of its own. */
    private void inLoop(Runnable action) {
        if (ctx.executor().inEventLoop()) {
            action.run();
            return;
        }
        try {
            ctx.executor().execute(action);
        } catch (RejectedExecutionException e) {
            // The loop has ended, and with it the channel, which has aborted everything.
        }
    }

    // ---- the end ----

    private void progressed(long now) {
        if (now > transferred) {
            transferred = now;
            file.setTransferred(now);
            if (promise instanceof ChannelProgressivePromise progressive) {
                progressive.tryProgress(now, file.count());
            }
            handler.updateWritability();
        }
    }

    private void succeed() {
        phase = Phase.ENDED;
        file.release();
        promise.trySuccess();
        handler.transferEnded();
    }

    private void fail(Throwable cause) {
        boolean nothingSent = head != null && phase != Phase.HOT; // whose region may have sent a part of it
        end(cause);
        handler.transferFailed(file, cause, nothingSent);
    }

    private void end(Throwable cause) {
        phase = Phase.ENDED;
        HeldWrite first = head;
        head = null;
        HeldWrite.fail(first, cause);
        file.release();
        promise.tryFailure(cause);
    }

    @Override
    public void abort(Throwable cause) {
        if (phase == Phase.ENDED) {
            return;
        }
        phase = Phase.ENDED; // before what is cancelled calls back
        if (opening != null) {
            opening.cancel(false);
        }
        if (transfer != null) {
            transfer.cancel(); // the engine closes its socket at once, even where it waits for a disk
        }
        end(cause);
    }
}
