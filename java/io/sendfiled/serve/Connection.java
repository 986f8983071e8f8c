package io.sendfiled.serve;

import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One connection: its requests, answered one after the other in their order, and its end.
 *
 * <p>A client cannot hold it for nothing: what has not sent a whole request for {@value #REQUEST_SECONDS} seconds is closed, and
 * so is what takes no byte of an answer for as long as the {@link io.netty.handler.timeout.IdleStateHandler} says. Of requests
 * that come faster than their answers go, {@value #MOST_WAITING} wait; then nothing more is read.
 *
 * <p>The channel's event loop only.
 */
@SuppressWarnings("FutureReturnValueIgnored") // of closing
final class Connection extends ChannelInboundHandlerAdapter {
    static final int REQUEST_SECONDS = 30;
    private static final int MOST_WAITING = 64;
    private static final int LINGER_SECONDS = 2;

    private final Site site;
    private final ArrayDeque<HttpRequest> waiting = new ArrayDeque<>();
    private @Nullable ChannelHandlerContext context;
    private boolean isAnswering; // an exchange has begun, and not written all of its answer
    private boolean isRunning; // the loop in next()
    private boolean isReading; // more may be in the same read: the flush is behind it
    private boolean isLast; // no more requests are taken
    private boolean lingers;
    private boolean inputEnded;
    private int unsent; // answers that were written, and are not yet in the kernel
    private long idleSinceNs;

    Connection(Site site) {
        this.site = site;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        context = ctx;
        idleSinceNs = System.nanoTime();
        watch(TimeUnit.SECONDS.toNanos(REQUEST_SECONDS));
        closeIfDone();
        ctx.fireChannelActive();
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        if (message instanceof HttpRequest request && !isLast) {
            isReading = true;
            waiting.add(request);
            next();
        }
        ReferenceCountUtil.release(message); // a body, too, which nothing reads
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        isReading = false;
        ctx.flush();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        next();
    }

    /** Goes on with the requests that wait. */
    private void next() {
        if (isRunning) {
            return; // the loop below has called
        }
        ChannelHandlerContext ctx = context();
        isRunning = true;
        try {
            while (!isAnswering && !isLast && ctx.channel().isWritable()) {
                HttpRequest request = waiting.poll();
                if (request == null) {
                    break;
                }
                isAnswering = true;
                boolean keepsAlive =
                        RequestCheck.keepsAlive(request) && !site.isDraining().get();
                new Exchange(site, this, ctx, request, keepsAlive).start();
            }
        } finally {
            isRunning = false;
        }
        if (!isReading) {
            ctx.flush();
        }
        ctx.channel().config().setAutoRead(waiting.size() < MOST_WAITING);
    }

    /**
     * An exchange has written its answer.
     *
     * @param last its last write
     * @param keepsAlive whether another one may follow
     */
    void answered(ChannelFuture last, boolean keepsAlive) {
        unsent++;
        isAnswering = false;
        if (!keepsAlive) {
            isLast = true;
            waiting.clear();
        }
        last.addListener((ChannelFuture sent) -> sent(sent, keepsAlive));
        next();
    }

    private void sent(ChannelFuture last, boolean keepsAlive) {
        unsent--;
        idleSinceNs = System.nanoTime();
        if (!last.isSuccess()) {
            context().close();
        } else if (!keepsAlive) {
            linger();
        } else {
            closeIfDone();
        }
    }

    private boolean isIdle() {
        return !isAnswering && waiting.isEmpty() && unsent == 0;
    }

    /** Closes it if it is to take no more requests, and has answered those that it has. */
    void closeIfDone() {
        ChannelHandlerContext ctx = context; // null: not active yet, which calls this
        if (ctx != null
                && isIdle()
                && !lingers
                && (inputEnded || site.isDraining().get())) {
            ctx.close();
        }
    }

    /**
     * Closes it behind the last answer. What the client still sends is read for a while and thrown away: else the kernel would
     * tell it of a reset, by which it may lose the answer (RFC 9112, section 9.6).
     */
    private void linger() {
        ChannelHandlerContext ctx = context();
        if (inputEnded
                || ctx.pipeline().get(SslHandler.class) != null
                || !(ctx.channel() instanceof DuplexChannel duplex)) {
            ctx.close();
            return;
        }
        lingers = true;
        duplex.shutdownOutput();
        ctx.channel().config().setAutoRead(true);
        ctx.executor().schedule(() -> ctx.close(), LINGER_SECONDS, TimeUnit.SECONDS);
    }

    /** Closes it when no request came for too long. One timer for each connection, and none for each request. */
    private void watch(long delayNs) {
        ChannelHandlerContext ctx = context();
        ctx.executor()
                .schedule(
                        () -> {
                            long limit = TimeUnit.SECONDS.toNanos(REQUEST_SECONDS);
                            long left = isIdle() ? limit - (System.nanoTime() - idleSinceNs) : limit;
                            if (left <= 0) {
                                ctx.close();
                            } else if (ctx.channel().isActive()) {
                                watch(left);
                            }
                        },
                        delayNs,
                        TimeUnit.NANOSECONDS);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            inputEnded = true;
            if (lingers) {
                ctx.close();
            } else {
                closeIfDone();
            }
        } else if (event instanceof IdleStateEvent && unsent > 0) {
            ctx.close();
        }
        ctx.fireUserEventTriggered(event);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        ctx.close(); // the client has gone, or its TLS is wrong
    }

    private ChannelHandlerContext context() {
        return Objects.requireNonNull(context, "the channel is not active yet");
    }
}
