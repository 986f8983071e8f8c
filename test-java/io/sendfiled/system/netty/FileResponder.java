package io.sendfiled.system.netty;

import static io.netty.handler.codec.http.HttpHeaderNames.CONTENT_LENGTH;
import static io.netty.handler.codec.http.HttpHeaderNames.ETAG;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.concurrent.Future;
import io.sendfiled.netty.SendfiledFile;
import io.sendfiled.netty.SendfiledFiles;
import java.nio.file.NoSuchFileException;
import java.util.ArrayDeque;
import java.util.Queue;

/**
 * A web server of files: {@code /PATH}; {@code /lazy/SIZE/PATH}, whose file is opened when its turn to be sent comes; {@code
 * /text/N}, N bytes that are no file. Answers pipelined requests in their order, without waiting for one answer to be sent
 * before the next one is written.
 */
@SuppressWarnings("FutureReturnValueIgnored") // a write that fails has closed its channel
final class FileResponder extends SimpleChannelInboundHandler<HttpRequest> {
    private final SendfiledFiles files;
    private final Queue<String> requests = new ArrayDeque<>();
    private boolean opening;

    FileResponder(SendfiledFiles files) {
        this.files = files;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, HttpRequest request) {
        requests.add(request.uri().substring(1));
        answer(ctx);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        ctx.flush();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        ctx.close(); // a reset, most likely
    }

    private void answer(ChannelHandlerContext ctx) {
        while (!opening) {
            String path = requests.poll();
            if (path == null) {
                return;
            }
            if (path.startsWith("text/")) {
                ByteBuf text = Unpooled.buffer();
                text.writeZero(Integer.parseInt(path.substring(5)));
                full(ctx, HttpResponseStatus.OK, text);
            } else if (path.startsWith("lazy/")) {
                String[] parts = path.split("/", 3);
                long size = Long.parseLong(parts[1]);
                send(ctx, files.file(parts[2], 0, size), "");
            } else {
                open(ctx, path);
            }
        }
    }

    private void open(ChannelHandlerContext ctx, String path) {
        opening = true;
        Future<SendfiledFile> future = files.open(ctx.executor(), path);
        if (future.isDone()) {
            opened(ctx, future);
        } else {
            future.addListener((Future<SendfiledFile> done) -> {
                opened(ctx, done);
                answer(ctx);
                ctx.flush();
            });
        }
    }

    private void opened(ChannelHandlerContext ctx, Future<SendfiledFile> opened) {
        opening = false;
        SendfiledFile file = opened.getNow();
        if (file != null) {
            send(ctx, file, file.etag());
        } else {
            full(
                    ctx,
                    opened.cause() instanceof NoSuchFileException
                            ? HttpResponseStatus.NOT_FOUND
                            : HttpResponseStatus.SERVICE_UNAVAILABLE,
                    Unpooled.EMPTY_BUFFER);
        }
    }

    private static void send(ChannelHandlerContext ctx, SendfiledFile file, String etag) {
        HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        response.headers().set(CONTENT_LENGTH, file.count()).set(ETAG, etag);
        ctx.write(response);
        ctx.write(file);
        ctx.write(LastHttpContent.EMPTY_LAST_CONTENT);
    }

    private static void full(ChannelHandlerContext ctx, HttpResponseStatus status, ByteBuf body) {
        DefaultFullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status, body);
        response.headers().set(CONTENT_LENGTH, body.readableBytes());
        ctx.write(response);
    }
}
