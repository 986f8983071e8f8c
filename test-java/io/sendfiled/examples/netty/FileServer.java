package io.sendfiled.examples.netty;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpServerKeepAliveHandler;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.util.concurrent.Future;
import io.sendfiled.Sendfiled;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.netty.SendfiledFile;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.netty.SendfiledHandler;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A small web server: GET and HEAD, one range, entity tags. To be copied where {@code sfd serve}, which knows more of HTTP, is
 * not what is wanted.
 *
 * <p>Its event loops wait for no disk, and paths are resolved below the root by the kernel alone.
 */
@SuppressWarnings("FutureReturnValueIgnored") // a write that fails closes the channel
public final class FileServer extends SimpleChannelInboundHandler<HttpObject> {
    private static final Pattern RANGE = Pattern.compile("bytes=(\\d{1,18})-(\\d{1,18})?");

    private final SendfiledFiles files;
    private final ArrayDeque<HttpRequest> asked = new ArrayDeque<>();
    private boolean opening; // one file at a time: answers keep the order of their requests

    private FileServer(SendfiledFiles files) {
        this.files = files;
    }

    /** Starts a server on a port of this machine; 0 is any free one. The caller keeps all that it is given. */
    public static ChannelFuture start(EventLoopGroup loops, SendfiledFiles files, int port) {
        return new ServerBootstrap()
                .group(loops)
                .channel(NioServerSocketChannel.class)
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.pipeline()
                                .addLast(
                                        new SendfiledHandler(), // next to the socket
                                        new HttpServerCodec(),
                                        new HttpServerKeepAliveHandler(),
                                        new FileServer(files));
                    }
                })
                .bind("localhost", port);
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, HttpObject message) {
        if (message instanceof HttpRequest request) {
            asked.add(request);
            next(ctx);
        }
    }

    private void next(ChannelHandlerContext ctx) {
        while (!opening && !asked.isEmpty()) {
            HttpRequest request = asked.remove();
            if (request.decoderResult().isFailure()) {
                refuse(ctx, HttpResponseStatus.BAD_REQUEST).addListener(ChannelFutureListener.CLOSE);
            } else if (!request.method().equals(HttpMethod.GET)
                    && !request.method().equals(HttpMethod.HEAD)) {
                refuse(ctx, HttpResponseStatus.NOT_IMPLEMENTED);
            } else {
                open(ctx, request);
            }
        }
    }

    private void open(ChannelHandlerContext ctx, HttpRequest request) {
        opening = true;
        String path = new QueryStringDecoder(request.uri()).path();
        files.open(ctx.channel(), path).addListener((Future<SendfiledFile> opened) -> {
            opening = false;
            if (opened.isSuccess()) {
                answer(ctx, request, opened.getNow());
            } else if (opened.cause() instanceof NoSuchFileException) {
                refuse(ctx, HttpResponseStatus.NOT_FOUND);
            } else if (opened.cause() instanceof AccessDeniedException) {
                refuse(ctx, HttpResponseStatus.FORBIDDEN);
            } else {
                refuse(ctx, HttpResponseStatus.SERVICE_UNAVAILABLE);
            }
            next(ctx);
        });
    }

    private static void answer(ChannelHandlerContext ctx, HttpRequest request, SendfiledFile file) {
        String etag = file.etag();
        if (etag.equals(request.headers().get(HttpHeaderNames.IF_NONE_MATCH))) {
            file.release();
            HttpResponse head = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.NOT_MODIFIED);
            head.headers().set(HttpHeaderNames.ETAG, etag);
            send(ctx, head, null);
            return;
        }
        boolean isHead = request.method().equals(HttpMethod.HEAD);
        String range = request.headers().get(HttpHeaderNames.RANGE);
        String ifRange = request.headers().get(HttpHeaderNames.IF_RANGE);
        Matcher part =
                RANGE.matcher(range == null || isHead || (ifRange != null && !ifRange.equals(etag)) ? "" : range);
        HttpResponse head = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        long size = file.size();
        if (part.matches()) {
            long first = Long.parseLong(part.group(1));
            long last = Math.min(size - 1, part.group(2) == null ? size - 1 : Long.parseLong(part.group(2)));
            if (first >= size) {
                file.release();
                refuse(ctx, HttpResponseStatus.REQUESTED_RANGE_NOT_SATISFIABLE);
                return;
            }
            if (first <= last) {
                file.range(first, last - first + 1);
                head.setStatus(HttpResponseStatus.PARTIAL_CONTENT)
                        .headers()
                        .set(HttpHeaderNames.CONTENT_RANGE, "bytes " + first + "-" + last + "/" + size);
            }
        }
        head.headers()
                .set(HttpHeaderNames.CONTENT_LENGTH, file.count())
                .set(HttpHeaderNames.ACCEPT_RANGES, "bytes")
                .set(HttpHeaderNames.ETAG, etag);
        if (isHead) {
            file.release();
        }
        send(ctx, head, isHead ? null : file);
    }

    private static void send(ChannelHandlerContext ctx, HttpResponse head, @Nullable SendfiledFile file) {
        ctx.write(head);
        if (file != null) {
            ctx.write(file);
        }
        ctx.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT).addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
    }

    private static ChannelFuture refuse(ChannelHandlerContext ctx, HttpResponseStatus status) {
        DefaultFullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status);
        response.headers().set(HttpHeaderNames.CONTENT_LENGTH, 0);
        return ctx.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
    }

    public static void main(String[] args) throws Exception {
        Path root = Path.of(args[0]);
        EventLoopGroup loops = new NioEventLoopGroup();
        try (SendfiledClient client = Sendfiled.embedded().root(root).hot(false).start();
                HotRoot hot = HotRoot.open(root)) {
            Channel server =
                    start(loops, SendfiledFiles.of(client, hot), 8080).sync().channel();
            System.out.println("http:/" + server.localAddress());
            server.closeFuture().sync();
        } finally {
            loops.shutdownGracefully();
        }
    }
}
