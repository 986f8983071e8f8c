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
import io.sendfiled.client.TransferException;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.netty.SendfiledFile;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.netty.SendfiledHandler;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.List;
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
                        channel.pipeline().addLast(new SendfiledHandler(), new HttpServerCodec()); // in this order
                        channel.pipeline().addLast(new HttpServerKeepAliveHandler(), new FileServer(files));
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
        ctx.channel().config().setAutoRead(!opening && ctx.channel().isWritable()); // else a client could fill the heap
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        ctx.channel().config().setAutoRead(!opening && ctx.channel().isWritable());
    }

    private void open(ChannelHandlerContext ctx, HttpRequest request) {
        String path;
        try {
            path = new QueryStringDecoder(request.uri()).path();
        } catch (IllegalArgumentException e) {
            refuse(ctx, HttpResponseStatus.BAD_REQUEST);
            return;
        }
        opening = true;
        files.open(ctx.channel(), path).addListener((Future<SendfiledFile> opened) -> {
            opening = false;
            if (opened.isSuccess()) {
                answer(ctx, request, opened.getNow());
            } else {
                refuse(ctx, status(opened.cause()));
            }
            next(ctx);
        });
    }

    private static HttpResponseStatus status(Throwable cause) {
        int none = Errno.EINVAL; // no regular file; also said of a path with a NUL
        int errno =
                cause instanceof TransferException e ? e.errno() : cause instanceof IOException e ? Errno.of(e) : none;
        return switch (errno) {
            case Errno.ENOENT, Errno.EINVAL, Errno.ENAMETOOLONG, Errno.ELOOP -> HttpResponseStatus.NOT_FOUND;
            case Errno.EACCES -> HttpResponseStatus.FORBIDDEN;
            default -> HttpResponseStatus.SERVICE_UNAVAILABLE;
        };
    }

    private static void answer(ChannelHandlerContext ctx, HttpRequest request, SendfiledFile file) {
        String etag = file.etag();
        String known = request.headers().get(HttpHeaderNames.IF_NONE_MATCH, "");
        boolean isKnown = known.equals("*") || known.contains(etag); // its quotes are in no other tag of a list
        boolean isBare = isKnown || request.method().equals(HttpMethod.HEAD);
        boolean isOther = !request.headers().get(HttpHeaderNames.IF_RANGE, etag).equals(etag);
        Matcher part = RANGE.matcher(isBare || isOther ? "" : request.headers().get(HttpHeaderNames.RANGE, ""));
        HttpResponse head = new DefaultHttpResponse(
                HttpVersion.HTTP_1_1, isKnown ? HttpResponseStatus.NOT_MODIFIED : HttpResponseStatus.OK);
        long size = file.size();
        if (part.matches()) {
            long first = Long.parseLong(part.group(1));
            long last = Math.min(size - 1, part.group(2) == null ? size - 1 : Long.parseLong(part.group(2)));
            if (first >= size) {
                file.release();
                refuse(ctx, HttpResponseStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "bytes */" + size);
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
        if (isBare) {
            file.release();
        }
        send(ctx, head, isBare ? null : file);
    }

    private static void send(ChannelHandlerContext ctx, HttpResponse head, @Nullable SendfiledFile file) {
        ctx.write(head);
        if (file != null) {
            ctx.write(file);
        }
        ctx.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT).addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
    }

    private static ChannelFuture refuse(ChannelHandlerContext ctx, HttpResponseStatus status, String... contentRange) {
        DefaultFullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status);
        response.headers().set(HttpHeaderNames.CONTENT_LENGTH, 0);
        response.headers().set(HttpHeaderNames.CONTENT_RANGE, List.of(contentRange));
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
