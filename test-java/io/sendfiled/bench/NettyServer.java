package io.sendfiled.bench;

import io.netty.bootstrap.ServerBootstrap;
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
import io.netty.handler.codec.http.HttpChunkedInput;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.stream.ChunkedNioFile;
import io.netty.handler.stream.ChunkedWriteHandler;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import io.sendfiled.Sendfiled;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.hot.HotCache;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.netty.SendfiledFile;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.netty.SendfiledHandler;
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
import java.time.Duration;
import java.util.Locale;

/**
 * A program: an HTTP server of files on Netty's epoll transport with one event loop, in one of several {@linkplain Way ways}.
 * It announces its port, answers the line {@code memory} of its standard input, and ends with its standard input.
 */
final class NettyServer {
    /** How the files are sent. */
    enum Way {
        /** As Netty's own example of a server of files does: opened for each request, on the event loop. */
        REGION("DefaultFileRegion"),
        /** As that example does over TLS: in pieces of 8 KiB through memory, on the event loop. */
        CHUNKED("ChunkedNioFile"),
        /** By our handler, behind the codec. */
        HANDLER("sendfiled"),
        /** The same with the open-file cache. */
        CACHED("sendfiled, cache");

        final String title;

        Way(String title) {
            this.title = title;
        }

        private boolean isOurs() {
            return this == HANDLER || this == CACHED;
        }
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

    private static final HotCache CACHE = new HotCache(1024, Duration.ofMillis(100));

    private NettyServer() {}

    /** Arguments: the way, the directory of the files. */
    public static void main(String[] args) throws IOException, InterruptedException {
        Way way = Way.valueOf(args[0].toUpperCase(Locale.ROOT));
        Path root = Path.of(args[1]);
        SendfiledFiles files = way.isOurs() ? files(way, root) : null;
        EpollEventLoopGroup group = new EpollEventLoopGroup(1);
        Channel server = new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .childHandler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                        if (way == Way.REGION) {
                            channel.pipeline().addLast(new HttpServerCodec(), new RegionHandler(root));
                        } else if (files == null) {
                            channel.pipeline()
                                    .addLast(
                                            new HttpServerCodec(), new ChunkedWriteHandler(), new ChunkedHandler(root));
                        } else {
                            channel.pipeline()
                                    .addLast(new SendfiledHandler(), new HttpServerCodec(), new FileHandler(files));
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

    /** What is not hot is served by an engine in this process. All of it lasts as long as the process. */
    private static SendfiledFiles files(Way way, Path root) throws IOException {
        SendfiledClient client = Sendfiled.embedded()
                .config(SendfiledConfig.builder().root(root).build())
                .hot(false) // the handler asks it for what it has not found hot
                .start();
        HotRoot hot = way == Way.CACHED ? HotRoot.open(root, CACHE) : HotRoot.open(root);
        return SendfiledFiles.of(client, hot);
    }

    private static long directMemory() {
        return PooledByteBufAllocator.DEFAULT.pinnedDirectMemory(); // of buffers in use, not of the pool
    }

    static HttpResponse header(long length) {
        HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        response.headers()
                .set(HttpHeaderNames.CONTENT_LENGTH, length)
                .set(HttpHeaderNames.CONTENT_TYPE, "application/octet-stream");
        return response;
    }

    private static HttpResponse notFound() {
        HttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.NOT_FOUND);
        response.headers().set(HttpHeaderNames.CONTENT_LENGTH, 0);
        return response;
    }

    /** Opens a file for each request, on the event loop. */
    @SuppressWarnings("FutureReturnValueIgnored") // what cannot be written closes the channel
    private abstract static class BlockingHandler extends ChannelInboundHandlerAdapter {
        private final Path root;

        BlockingHandler(Path root) {
            this.root = root;
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) throws IOException {
            try {
                if (message instanceof HttpRequest request) {
                    respond(context, root.resolve(request.uri().substring(1)));
                }
            } finally {
                ReferenceCountUtil.release(message);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close(); // the load generator hangs up when its time is over
        }

        private void respond(ChannelHandlerContext context, Path path) throws IOException {
            RandomAccessFile file;
            try {
                file = new RandomAccessFile(path.toString(), "r");
            } catch (FileNotFoundException e) {
                context.writeAndFlush(notFound());
                return;
            }
            long length = file.length();
            context.write(header(length));
            send(context, file, length);
        }

        /** Sends the content and closes the file, now or later. */
        abstract void send(ChannelHandlerContext context, RandomAccessFile file, long length) throws IOException;
    }

    @SuppressWarnings("FutureReturnValueIgnored") // what cannot be written closes the channel
    private static final class RegionHandler extends BlockingHandler {
        RegionHandler(Path root) {
            super(root);
        }

        @Override
        void send(ChannelHandlerContext context, RandomAccessFile file, long length) {
            context.write(new DefaultFileRegion(file.getChannel(), 0, length)); // which closes it
            context.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT);
        }
    }

    @SuppressWarnings("FutureReturnValueIgnored") // what cannot be written closes the channel
    private static final class ChunkedHandler extends BlockingHandler {
        private static final int CHUNK = 8192;

        ChunkedHandler(Path root) {
            super(root);
        }

        @Override
        void send(ChannelHandlerContext context, RandomAccessFile file, long length) throws IOException {
            // It closes the file, and ends with the last content.
            context.writeAndFlush(new HttpChunkedInput(new ChunkedNioFile(file.getChannel(), 0, length, CHUNK)));
        }
    }

    /** The same by our handler. A client here sends no request before it has the last response. */
    @SuppressWarnings("FutureReturnValueIgnored") // what cannot be written closes the channel
    private static final class FileHandler extends ChannelInboundHandlerAdapter {
        private final SendfiledFiles files;

        FileHandler(SendfiledFiles files) {
            this.files = files;
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            try {
                if (message instanceof HttpRequest request) {
                    Future<SendfiledFile> opened = files.open(context.executor(), request.uri());
                    if (opened.isDone()) {
                        send(context, opened);
                    } else {
                        opened.addListener((Future<SendfiledFile> later) -> send(context, later));
                    }
                }
            } finally {
                ReferenceCountUtil.release(message);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close(); // the load generator hangs up when its time is over
        }

        private static void send(ChannelHandlerContext context, Future<SendfiledFile> opened) {
            SendfiledFile file = opened.getNow();
            if (file == null) {
                context.writeAndFlush(notFound());
                return;
            }
            context.write(header(file.count()));
            context.write(file);
            context.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT);
        }
    }
}
