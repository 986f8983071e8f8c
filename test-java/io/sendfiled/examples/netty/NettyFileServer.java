package io.sendfiled.examples.netty;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
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
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;

/**
 * A file server of Netty whose event loops wait for no disk: not for the open, the size, a read, nor a close.
 *
 * <p>A request that comes while an answer's file is being opened waits, so that answers keep the order of their requests.
 */
@SuppressWarnings("FutureReturnValueIgnored") // a write that fails closes the channel
public final class NettyFileServer {
    private NettyFileServer() {}

    /** Starts a server on a free port of this machine. The caller keeps all that it is given. */
    public static ChannelFuture start(EventLoopGroup loops, Class<? extends ServerChannel> kind, SendfiledFiles files) {
        return new ServerBootstrap()
                .group(loops)
                .channel(kind)
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.pipeline()
                                .addLast(
                                        new SendfiledHandler(), // next to the socket
                                        new HttpServerCodec(),
                                        new HttpServerKeepAliveHandler(),
                                        new FileHandler(files));
                    }
                })
                .bind("localhost", 0);
    }

    private static final class FileHandler extends SimpleChannelInboundHandler<HttpObject> {
        private final SendfiledFiles files;
        private final ArrayDeque<String> asked = new ArrayDeque<>();
        private boolean opening;

        FileHandler(SendfiledFiles files) {
            this.files = files;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, HttpObject message) {
            if (message instanceof HttpRequest request) {
                asked.add(new QueryStringDecoder(request.uri()).path());
                next(ctx);
            }
        }

        private void next(ChannelHandlerContext ctx) {
            while (!opening && !asked.isEmpty()) {
                opening = true;
                files.open(ctx.executor(), asked.remove()).addListener((Future<SendfiledFile> opened) -> {
                    opening = false;
                    if (opened.isSuccess()) {
                        answer(ctx, opened.getNow());
                    } else {
                        refuse(ctx, opened.cause());
                    }
                    next(ctx);
                });
            }
        }

        private static void answer(ChannelHandlerContext ctx, SendfiledFile file) {
            HttpResponse head = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
            head.headers().set(HttpHeaderNames.CONTENT_LENGTH, file.count()).set(HttpHeaderNames.ETAG, file.etag());
            ctx.write(head);
            ctx.write(file);
            ctx.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT).addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
        }

        private static void refuse(ChannelHandlerContext ctx, Throwable cause) {
            HttpResponseStatus status = cause instanceof NoSuchFileException
                    ? HttpResponseStatus.NOT_FOUND
                    : HttpResponseStatus.SERVICE_UNAVAILABLE;
            DefaultFullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status);
            response.headers().set(HttpHeaderNames.CONTENT_LENGTH, 0);
            ctx.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
        }
    }

    public static void main(String[] args) throws Exception {
        Path root = Path.of(args[0]);
        EventLoopGroup loops = new NioEventLoopGroup();
        try (SendfiledClient client = Sendfiled.embedded().root(root).start();
                HotRoot hot = HotRoot.open(root)) {
            Channel server = start(loops, NioServerSocketChannel.class, SendfiledFiles.of(client, hot))
                    .sync()
                    .channel();
            System.out.println(server.localAddress());
            server.closeFuture().sync();
        } finally {
            loops.shutdownGracefully();
        }
    }
}
