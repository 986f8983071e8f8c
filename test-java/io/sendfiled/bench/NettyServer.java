package io.sendfiled.bench;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.DefaultFileRegion;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import java.io.BufferedReader;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;

/**
 * A program: an HTTP server of files on Netty's epoll transport with one event loop, in one of several {@linkplain Way ways}.
 * It announces its port, answers the line {@code memory} of its standard input, and ends with its standard input.
 */
final class NettyServer {
    /** How the files are sent. */
    enum Way {
        /** As Netty's own example of a server of files does: opened for each request, on the event loop. */
        REGION
    }

    /** What the server holds: bytes of its heap after a collection, and of buffers beside the heap. */
    record Memory(long heap, long direct) {
        static Memory parse(String line) throws IOException {
            String[] numbers = line.split(" ", -1);
            if (numbers.length != 2) {
                throw new IOException("the server does not tell its memory: " + line);
            }
            return new Memory(Long.parseLong(numbers[0]), Long.parseLong(numbers[1]));
        }
    }

    private NettyServer() {}

    /** Arguments: the way, the directory of the files. */
    public static void main(String[] args) throws IOException, InterruptedException {
        Way way = Way.valueOf(args[0].toUpperCase(Locale.ROOT));
        Path root = Path.of(args[1]);
        EpollEventLoopGroup group = new EpollEventLoopGroup(1);
        Channel server = new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .childHandler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                        channel.pipeline().addLast(new HttpServerCodec());
                        switch (way) {
                            case REGION -> channel.pipeline().addLast(new RegionHandler(root));
                        }
                    }
                })
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .sync()
                .channel();
        System.out.println("listening on 127.0.0.1:" + ((InetSocketAddress) server.localAddress()).getPort());
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        while (questions.readLine() != null) {
            System.gc();
            System.out.println(
                    ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed() + " " + directMemory());
        }
        System.exit(0);
    }

    private static long directMemory() {
        return ((ByteBufAllocatorMetricProvider) PooledByteBufAllocator.DEFAULT)
                .metric()
                .usedDirectMemory();
    }

    static HttpResponse header(long length) {
        HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        response.headers()
                .set(HttpHeaderNames.CONTENT_LENGTH, length)
                .set(HttpHeaderNames.CONTENT_TYPE, "application/octet-stream");
        return response;
    }

    /** {@code RandomAccessFile} and {@code DefaultFileRegion}. */
    @SuppressWarnings("FutureReturnValueIgnored") // what cannot be written closes the channel
    private static final class RegionHandler extends ChannelInboundHandlerAdapter {
        private final Path root;

        RegionHandler(Path root) {
            this.root = root;
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) throws IOException {
            try {
                if (message instanceof HttpRequest request) {
                    send(context, root.resolve(request.uri().substring(1)));
                }
            } finally {
                ReferenceCountUtil.release(message);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close(); // the load generator hangs up when its time is over
        }

        private static void send(ChannelHandlerContext context, Path path) throws IOException {
            RandomAccessFile file; // the region closes it
            try {
                file = new RandomAccessFile(path.toString(), "r");
            } catch (FileNotFoundException e) {
                context.writeAndFlush(new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.NOT_FOUND));
                return;
            }
            long length = file.length();
            context.write(header(length));
            context.write(new DefaultFileRegion(file.getChannel(), 0, length));
            context.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT);
        }
    }
}
