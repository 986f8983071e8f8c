package io.sendfiled.system.netty;

import static io.netty.handler.codec.http.HttpHeaderNames.CONTENT_LENGTH;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.DefaultFileRegion;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpChunkedInput;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.stream.ChunkedNioFile;
import io.netty.handler.stream.ChunkedWriteHandler;
import io.sendfiled.Sendfiled;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.netty.SendfiledHandler;
import io.sendfiled.support.SelfSigned;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import reactor.blockhound.BlockHound;

/**
 * Serves files in each way that {@link Mode} has, with one event loop each, and tells what it sees of them: whether BlockHound
 * has found one in a call that can wait for a disk, and how late the loop's own tasks are.
 *
 * <p>Commands, a line each: {@code get MODE PATH} asks for a file, and says {@code got SIZE SHA256} when all of it came; {@code
 * probe MODE} asks for something else {@value #PROBES} times, and says {@code lag MICROSECONDS}. At any time it says {@code
 * blocked METHOD}. Ends with its standard input.
 */
final class LoopProbe {
    static final int PROBES = 100;

    /** Who opens the file, and in which form it passes the pipeline. */
    enum Mode {
        /** A SendfiledFile, opened by its path. */
        FILE,
        /** The same through TLS. */
        SLICES,
        /** The application's own region, not opened, in a transparent handler. */
        REGION,
        /** The application's own chunks, of a file that it has opened elsewhere, in a transparent handler. */
        CHUNKS,
        /** The application's own region, and nothing of ours: so it is seen what is looked for. */
        NOTHING
    }

    private final Path root;
    private final SendfiledFiles files;
    private final SslContext tls;
    private final Map<Mode, NettyServer> servers = new HashMap<>();
    private final Map<String, FileChannel> opened = Collections.synchronizedMap(new HashMap<>());

    private LoopProbe(Path root, SendfiledFiles files, SslContext tls) {
        this.root = root;
        this.files = files;
        this.tls = tls;
    }

    @SuppressWarnings("try") // the engine is there for the client
    public static void main(String[] args) throws Exception {
        Transport transport = Transport.valueOf(args[0]);
        Path directory = Path.of(args[1]);
        Path root = directory.resolve("root");
        installBlockHound();
        SendfiledConfig config =
                SendfiledConfig.builder().root(root).socketDirectory(directory).build();
        boolean socket = transport == Transport.EPOLL; // either has its turn
        try (Sendfiled engine = socket ? Sendfiled.launch(config) : null;
                SendfiledClient client =
                        socket ? SendfiledClient.connect(directory, config.name()) : Sendfiled.embedded(config);
                HotRoot hot = HotRoot.open(root)) {
            LoopProbe probe = new LoopProbe(
                    root,
                    SendfiledFiles.of(client, hot),
                    SelfSigned.in(directory).server());
            for (Mode mode : Mode.values()) {
                probe.servers.put(mode, NettyServer.start(transport, pipeline -> probe.configure(mode, pipeline)));
            }
            say("ready");
            probe.obey();
        }
        System.exit(0); // the loop of Mode.NOTHING may be held for good
    }

    private static void say(String line) {
        synchronized (System.out) {
            System.out.println(line);
            System.out.flush();
        }
    }

    private static void installBlockHound() {
        BlockHound.builder()
                .loadIntegrations()
                .markAsBlocking("java/io/RandomAccessFile", "open0", "(Ljava/lang/String;I)V")
                .markAsBlocking("sun/nio/fs/UnixNativeDispatcher", "open0", "(JII)I")
                .markAsBlocking("sun/nio/ch/FileDispatcherImpl", "pread0", "(Ljava/io/FileDescriptor;JIJ)I")
                .markAsBlocking(
                        "sun/nio/ch/FileChannelImpl",
                        "transferTo0",
                        "(Ljava/io/FileDescriptor;JJLjava/io/FileDescriptor;)J")
                .blockingMethodCallback(method -> say("blocked " + method.getClassName() + "." + method.getName()))
                .install();
    }

    private void configure(Mode mode, ChannelPipeline pipeline) {
        switch (mode) {
            case FILE -> pipeline.addLast(new SendfiledHandler(), new HttpServerCodec(), new FileResponder(files));
            case SLICES ->
                pipeline.addLast(
                        tls.newHandler(pipeline.channel().alloc()),
                        new SendfiledHandler(),
                        new HttpServerCodec(),
                        new FileResponder(files));
            case REGION ->
                pipeline.addLast(
                        new SendfiledHandler().transparent(files), new HttpServerCodec(), new Application(mode));
            case CHUNKS ->
                pipeline.addLast(
                        new HttpServerCodec(),
                        new ChunkedWriteHandler(),
                        new SendfiledHandler().transparent(files),
                        new Application(mode));
            case NOTHING -> pipeline.addLast(new HttpServerCodec(), new Application(mode));
        }
    }

    /** A server that knows Netty only: {@code /SIZE/PATH}. */
    @SuppressWarnings("FutureReturnValueIgnored") // the client tells
    private final class Application extends SimpleChannelInboundHandler<HttpRequest> {
        private final Mode mode;

        Application(Mode mode) {
            this.mode = mode;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, HttpRequest request) throws IOException {
            String[] parts = request.uri().substring(1).split("/", 2);
            if (parts[0].equals("text")) {
                HttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
                response.headers().set(CONTENT_LENGTH, 0);
                ctx.writeAndFlush(response);
                return;
            }
            long size = Long.parseLong(parts[0]);
            HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
            response.headers().set(CONTENT_LENGTH, size);
            ctx.write(response);
            if (mode == Mode.CHUNKS) {
                ctx.writeAndFlush(new HttpChunkedInput(new ChunkedNioFile(opened.remove(parts[1]), 0, size, 8192)));
            } else {
                File file = root.resolve(parts[1]).toFile();
                ctx.write(new DefaultFileRegion(file, 0, size));
                ctx.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT);
            }
        }
    }

    private void obey() throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            Mode mode = Mode.valueOf(words[1]);
            Runnable action = words[0].equals("get") ? () -> get(mode, words[2], words[3]) : () -> probe(mode);
            Thread thread = new Thread(action, line);
            thread.setDaemon(true);
            thread.start();
        }
    }

    private void get(Mode mode, String size, String path) {
        try {
            if (mode == Mode.CHUNKS) {
                opened.put(path, FileChannel.open(root.resolve(path), StandardOpenOption.READ));
            }
            boolean ours = mode == Mode.FILE || mode == Mode.SLICES;
            try (Socket socket = connect(mode)) {
                HttpClientSide client = new HttpClientSide(socket.getInputStream(), socket.getOutputStream());
                client.request(List.of(ours ? path : size + "/" + path));
                HttpClientSide.Answer answer = client.answer();
                say("got " + answer.body().size() + " " + answer.body().sha256());
            }
        } catch (Exception e) {
            say("got " + e);
        }
    }

    private NettyServer server(Mode mode) {
        return Objects.requireNonNull(servers.get(mode));
    }

    private Socket connect(Mode mode) throws Exception {
        InetSocketAddress address = server(mode).address();
        Socket socket =
                mode == Mode.SLICES ? SelfSigned.client().getSocketFactory().createSocket() : new Socket();
        socket.connect(address);
        return socket;
    }

    private void probe(Mode mode) {
        long worst = 0;
        try (Socket socket = connect(mode)) {
            HttpClientSide client = new HttpClientSide(socket.getInputStream(), socket.getOutputStream());
            EventLoop loop = server(mode).loop();
            for (int i = 0; i < PROBES; i++) {
                client.request(List.of("text/0"));
                client.answer();
                CompletableFuture<Long> late = new CompletableFuture<>();
                long due = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(1);
                var unused = loop.schedule(() -> late.complete(System.nanoTime() - due), 1, TimeUnit.MILLISECONDS);
                worst = Math.max(worst, late.get());
            }
            say("lag " + TimeUnit.NANOSECONDS.toMicros(worst));
        } catch (Exception e) {
            say("lag " + e);
        }
    }
}
