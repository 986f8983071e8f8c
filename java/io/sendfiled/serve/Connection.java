package io.sendfiled.serve;

import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import io.sendfiled.netty.FileProgress;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One connection: its requests, answered one after the other in their order, and its end.
 *
 * <p>A client cannot hold it for nothing ({@link ServeLimits}): a connection without a request is closed after a while, and a request
 * that is not whole a while after its first byte is told 408. What takes no byte of an answer is closed. Both are looked at {@value
 * #LOOKS} times in that while, so it may be longer by that part. Of requests that come faster than their answers go, {@value
 * #MOST_WAITING} and those of the same read wait; then nothing more is read. If there is no memory for one more, what waits is
 * forgotten, the first of it is told 503, and the connection is closed behind that.
 *
 * <p>The channel's event loop only.
 */
@SuppressWarnings("FutureReturnValueIgnored") // of closing
final class Connection extends ChannelInboundHandlerAdapter {
    private static final int LOOKS = 4;
    private static final int MOST_WAITING = 64;
    private static final int LINGER_SECONDS = 2;
    private static final long REQUEST_BYTES = 512; // of the heap, besides its text
    private static final long FIELD_BYTES = 192; // likewise

    private final Site site;
    private final RequestDecoder decoder;
    private final FileHeads heads;
    private final ArrayDeque<Exchange> waiting = new ArrayDeque<>();
    private @Nullable ChannelHandlerContext context;
    private @Nullable OutputWatch output;
    private @Nullable Budget place; // of which it is one
    private boolean isAnswering; // an exchange has begun, and not written all of its answer
    private boolean isRunning; // the loop in next()
    private boolean isInRead; // more may be in the same read: the flush is behind it
    private boolean isLast; // no more requests are taken
    private boolean takesMore = true; // reads
    private boolean lingers;
    private boolean inputEnded;
    private int unsent; // answers that were written, and are not yet in the kernel
    private long idleSinceNs;
    private long partSinceNs; // when a look has found a part of a request; 0: it has not

    Connection(Site site, RequestDecoder decoder) {
        this.site = site;
        this.decoder = decoder;
        heads = site.heads().get();
    }

    /** Those of its event loop. */
    FileHeads heads() {
        return heads;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        context = ctx;
        output = new OutputWatch(ctx.channel());
        idleSinceNs = System.nanoTime();
        watch();
        if (hasPlace(site.connections())) {
            closeIfDone();
        } else if (hasPlace(site.refusals())) {
            refuse(HttpResponseStatus.SERVICE_UNAVAILABLE, HttpMethod.GET);
        } else {
            cut();
        }
        ctx.fireChannelActive();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (place != null) {
            place.give(1);
            place = null;
        }
        forgetWaiting();
        ctx.fireChannelInactive();
    }

    private boolean hasPlace(Budget among) {
        place = among.take(1) ? among : null;
        return place != null;
    }

    /**
     * Forgets what waits, and answers with a status in its place; then the connection ends.
     *
     * @param method of the request that is answered so; GET if there is none
     */
    private void refuse(HttpResponseStatus status, HttpMethod method) {
        isLast = true;
        forgetWaiting();
        waiting.add(new Exchange(site, this, context(), RequestCheck.refused(method, status), 0));
        next();
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        if (message instanceof HttpRequest request && !isLast) {
            isInRead = true;
            add(request);
        }
        ReferenceCountUtil.release(message); // a body, too, which nothing reads
    }

    private void add(HttpRequest request) {
        long taken = memoryOf(request);
        if (isIdle() ? site.memory().takeReserved(taken) : site.memory().take(taken)) {
            waiting.add(new Exchange(site, this, context(), request, taken));
            next();
        } else {
            Exchange first = waiting.peek();
            boolean isHead = first == null ? request.method().equals(HttpMethod.HEAD) : first.isHead();
            refuse(HttpResponseStatus.SERVICE_UNAVAILABLE, isHead ? HttpMethod.HEAD : HttpMethod.GET);
        }
    }

    /** What it takes of the heap, in bytes, at least. */
    private static long memoryOf(HttpRequest request) {
        long bytes = REQUEST_BYTES + request.uri().length();
        Iterator<Map.Entry<CharSequence, CharSequence>> fields =
                request.headers().iteratorCharSequence();
        while (fields.hasNext()) {
            Map.Entry<CharSequence, CharSequence> field = fields.next();
            bytes += FIELD_BYTES + field.getKey().length();
            bytes += field.getValue().length();
        }
        return bytes;
    }

    private void forgetWaiting() {
        waiting.forEach(Exchange::forget);
        waiting.clear();
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        isInRead = false;
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
            while (!isAnswering && ctx.channel().isWritable()) {
                Exchange first = waiting.poll();
                if (first == null) {
                    break;
                }
                isAnswering = true;
                first.start();
            }
        } finally {
            isRunning = false;
        }
        if (!isInRead) {
            ctx.flush();
        }
        setTakesMore(waiting.size() < MOST_WAITING);
    }

    private void setTakesMore(boolean takes) {
        if (takes != takesMore) {
            takesMore = takes;
            context().channel().config().setAutoRead(takes);
        }
    }

    /**
     * An exchange has written its answer.
     *
     * @param last its last write
     */
    void answered(ChannelFuture last, Exchange exchange) {
        if (unsent++ == 0) {
            output().begin();
        }
        isAnswering = false;
        if (!exchange.keepsAlive()) {
            isLast = true;
            forgetWaiting();
        }
        last.addListener((ChannelFuture sent) -> sent(sent, exchange));
        next();
    }

    private void sent(ChannelFuture last, Exchange exchange) {
        exchange.ended(last.isSuccess());
        unsent--;
        idleSinceNs = System.nanoTime();
        if (!last.isSuccess()) {
            context().close();
        } else if (!exchange.keepsAlive()) {
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
        setTakesMore(true);
        ctx.executor().schedule(() -> ctx.close(), LINGER_SECONDS, TimeUnit.SECONDS);
    }

    /** Closes it at once. TLS, which is the first handler, would wait for seconds until its goodbye is taken, and log that it is not. */
    private void cut() {
        context().pipeline().firstContext().close();
    }

    /** Looks at what the client does. One timer for each connection, and none for each request. */
    private void watch() {
        long requestNs = site.limits().requestTime().toNanos();
        long idleNs = site.limits().idleTime().toNanos();
        context()
                .executor()
                .schedule(() -> look(requestNs, idleNs), Math.min(requestNs, idleNs) / LOOKS, TimeUnit.NANOSECONDS);
    }

    private void look(long requestNs, long idleNs) {
        ChannelHandlerContext ctx = context();
        if (!ctx.channel().isOpen()) {
            return;
        }
        long now = System.nanoTime();
        if (!isIdle()) {
            partSinceNs = 0;
            if (unsent > 0 && output().look() >= idleNs) {
                cut();
                return;
            }
        } else if (!lingers && !isLast) {
            if (!decoder.hasPart()) {
                partSinceNs = 0;
            } else if (partSinceNs == 0) {
                partSinceNs = now;
            }
            if (partSinceNs != 0 && now - partSinceNs >= requestNs) {
                refuse(HttpResponseStatus.REQUEST_TIMEOUT, HttpMethod.GET);
            } else if (partSinceNs == 0 && now - idleSinceNs >= requestNs) {
                ctx.close();
                return;
            }
        }
        watch();
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
        } else if (event instanceof FileProgress) {
            output().engineProgressed();
        }
        ctx.fireUserEventTriggered(event);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        ctx.close(); // the client has gone, or its TLS is wrong
    }

    private OutputWatch output() {
        return Objects.requireNonNull(output, "the channel is not active yet");
    }

    private ChannelHandlerContext context() {
        return Objects.requireNonNull(context, "the channel is not active yet");
    }
}
