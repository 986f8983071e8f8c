package io.sendfiled.system.netty;

import static io.netty.handler.codec.http.HttpHeaderNames.CONTENT_LENGTH;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.HttpContentCompressor;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http2.DefaultHttp2DataFrame;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersFrame;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2HeadersFrame;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2SecurityUtil;
import io.netty.handler.codec.http2.Http2StreamFrameToHttpObjectCodec;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.util.ResourceLeakDetector;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.netty.SendfiledFile;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.netty.SendfiledHandler;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.PageCache;
import io.sendfiled.support.SelfSigned;
import io.sendfiled.system.TestDaemon;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files through handlers that have to see their bytes: in buffers, a slice or two at a time. */
@ParameterizedClass
@MethodSource("io.sendfiled.system.netty.Transport#ofThisNetty")
@Timeout(120)
final class SlicedFileIT {
    private static final int SLICE = 64 * 1024;
    private static final int[] SIZES = {0, 1, 5_000, 20_000, SLICE - 1, SLICE, SLICE + 1, 300_000, 2_000_000};
    private static final long BIG = 40_000_000;
    private static final int REQUESTS = 120; // Netty 4.2 refuses more than 128 that wait for their answers
    private static final int STREAMS = 60;

    /** What a slow receiver may cost: two slices, what they are encrypted to, and some more. */
    private static final long BOUND = 1_000_000;

    @TempDir
    private static Path directory;

    private static SelfSigned certificate;
    private static HttpClient http1; // both with descriptors of their own
    private static HttpClient http2;

    @Parameter
    Transport transport;

    private TestDaemon engine;
    private HotRoot root;
    private SendfiledFiles files;
    private final UnpooledByteBufAllocator memory = new UnpooledByteBufAllocator(true);
    private final Leaks leaks = new Leaks();
    private @Nullable HeldDisk disk;
    private int descriptors;

    @BeforeParameterizedClassInvocation
    static void demandTransport(Transport transport) {
        transport.assumeAvailable();
    }

    @BeforeAll
    static void prepare() throws Exception {
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
        certificate = SelfSigned.in(directory);
        http1 = client(HttpClient.Version.HTTP_1_1);
        http2 = client(HttpClient.Version.HTTP_2);
    }

    @BeforeEach
    void start() throws Exception {
        engine = TestDaemon.start(TestDaemon.Kind.EMBEDDED, directory, TestDaemon.Options.STANDARD);
        root = HotRoot.open(engine.root());
        files = SendfiledFiles.of(engine.client(), root);
        Path behind = Files.createDirectories(directory.resolve("behind"));
        for (int size : SIZES) {
            Content.write(engine.root().resolve("f" + size), size);
            Content.write(behind.resolve("f" + size), size);
        }
        Content.write(engine.root().resolve("big"), BIG);
        if (HeldDisk.unavailableBecause().isEmpty()) {
            disk = HeldDisk.mount(engine.root().resolve("disk"), behind, "held");
        }
        descriptors = OpenDescriptors.count();
    }

    @AfterEach
    void stop() throws Exception {
        try {
            OpenDescriptors.awaitCount(descriptors);
            Await.until("all buffers to be released", () -> memory.metric().usedDirectMemory() == 0);
            assertEquals(List.of(), leaks.found());
        } finally {
            if (disk != null) {
                disk.close();
            }
            root.close();
            engine.close();
        }
    }

    private NettyServer serveTls() throws Exception {
        SslContext tls = certificate.server();
        return NettyServer.start(transport, pipeline -> {
            pipeline.channel().config().setAllocator(memory);
            pipeline.addLast(
                    tls.newHandler(memory), new SendfiledHandler(), new HttpServerCodec(), new FileResponder(files));
        });
    }

    private static Socket connect(NettyServer server) throws Exception {
        Socket socket = SelfSigned.client().getSocketFactory().createSocket();
        socket.setReceiveBufferSize(SLICE);
        socket.connect(server.address());
        return socket;
    }

    /** Past the HTTP codec, which would want a header first. */
    private static ChannelFuture write(Channel channel, SendfiledFile file) {
        return channel.pipeline().context(HttpServerCodec.class).writeAndFlush(file);
    }

    /** Hot, cold, and on a disk whose files are never hot. */
    private String path(int size, int round) throws Exception {
        if (round % 3 == 1) {
            PageCache.evict(engine.root().resolve("f" + size));
        }
        return (round % 3 == 2 && disk != null ? "disk/f" : "f") + size;
    }

    @Test
    void shouldAnswerPipelinedRequestsThroughTls() throws Exception {
        SplittableRandom random = new SplittableRandom(7);
        try (NettyServer server = serveTls();
                Socket socket = connect(server)) {
            HttpClientSide client = new HttpClientSide(socket.getInputStream(), socket.getOutputStream());
            List<String> paths = new ArrayList<>();
            List<HttpClientSide.Answer> expected = new ArrayList<>();
            for (int i = 0; i < REQUESTS; i++) {
                int size = SIZES[random.nextInt(SIZES.length)];
                switch (random.nextInt(6)) {
                    case 0 -> {
                        paths.add("missing");
                        expected.add(new HttpClientSide.Answer(404, Content.NOTHING));
                    }
                    case 1 -> {
                        paths.add("text/100");
                        expected.add(new HttpClientSide.Answer(200, Content.of(new byte[100])));
                    }
                    default -> {
                        String path = path(size, i);
                        paths.add(i % 2 == 0 ? path : "lazy/" + size + "/" + path);
                        expected.add(new HttpClientSide.Answer(
                                200, Content.of(engine.root().resolve(path))));
                    }
                }
            }
            client.request(paths);
            for (int i = 0; i < paths.size(); i++) {
                assertEquals(expected.get(i), client.answer(), i + ": " + paths.get(i));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldKeepASliceOrTwoOfASlowReceiver(boolean cold) throws Exception {
        try (NettyServer server = serveTls();
                Socket socket = connect(server)) {
            HttpClientSide client = new HttpClientSide(socket.getInputStream(), socket.getOutputStream());
            client.request(List.of("text/1"));
            client.answer(); // the handshake is over
            if (cold) {
                PageCache.evict(engine.root().resolve("big"));
            }
            ChannelFuture written = write(server.accepted(), files.file("big", 0, BIG));
            Content content = Content.drain(new Watched(socket.getInputStream(), BIG), BIG);
            assertEquals(Content.of(engine.root().resolve("big")), content);
            assertNull(Pipelines.causeOf(written));
        }
    }

    /** Reads little by little, and looks each time at what the sender keeps. */
    private final class Watched implements java.nio.channels.ReadableByteChannel {
        private final InputStream in;
        private long left;

        Watched(InputStream in, long length) {
            this.in = in;
            left = length;
        }

        @Override
        public int read(java.nio.ByteBuffer to) throws IOException {
            if (left == 0) {
                return -1;
            }
            long used = memory.metric().usedDirectMemory() + memory.metric().usedHeapMemory();
            assertTrue(used < BOUND, used + " bytes are in use");
            byte[] some = in.readNBytes((int) Math.min(Math.min(left, to.remaining()), 10_000));
            to.put(some);
            left -= some.length;
            return some.length == 0 ? -1 : some.length;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }

    @Test
    void shouldFreeEverythingWhenReceiversVanish() throws Exception {
        SplittableRandom random = new SplittableRandom(3);
        try (NettyServer server = serveTls()) {
            for (int i = 0; i < 20; i++) {
                String path = i % 2 == 0 || disk == null ? "big" : "disk/f2000000";
                if (i % 4 == 0) {
                    PageCache.evict(engine.root().resolve("big"));
                }
                try (Socket socket = connect(server)) {
                    HttpClientSide client = new HttpClientSide(socket.getInputStream(), socket.getOutputStream());
                    client.request(List.of("f1", path, "f5000", path));
                    client.answer();
                    socket.getInputStream().readNBytes(random.nextInt(1_000_000));
                    socket.setSoLinger(random.nextBoolean(), 0);
                }
                ChannelFuture closed = server.accepted().closeFuture();
                assertTrue(closed.await(20, TimeUnit.SECONDS));
            }
        }
    }

    @Test
    void shouldFailWhatIsShorterThanAnnounced() throws Exception {
        try (NettyServer server = serveTls()) {
            for (String path : disk == null ? List.of("f300000") : List.of("f300000", "disk/f300000")) {
                try (Socket socket = connect(server)) {
                    HttpClientSide client = new HttpClientSide(socket.getInputStream(), socket.getOutputStream());
                    client.request(List.of("text/1"));
                    client.answer();
                    ChannelFuture written = write(server.accepted(), files.file(path, 0, 300_001));
                    assertInstanceOf(IOException.class, Pipelines.causeOf(written));
                    assertThrows(EOFException.class, client::answer); // what follows would be taken for the file
                }
            }
        }
    }

    // ---- HTTP ----

    private static HttpClient client(HttpClient.Version version) throws Exception {
        return HttpClient.newBuilder()
                .version(version)
                .sslContext(SelfSigned.client())
                .build();
    }

    private static CompletableFuture<HttpResponse<InputStream>> get(HttpClient client, String uri) {
        HttpRequest request = HttpRequest.newBuilder(URI.create(uri))
                .header("Accept-Encoding", "gzip")
                .build();
        return client.sendAsync(request, HttpResponse.BodyHandlers.ofInputStream());
    }

    private static Content body(HttpResponse<InputStream> response) {
        boolean zipped =
                response.headers().firstValue("Content-Encoding").orElse("").equals("gzip");
        try (InputStream body = response.body();
                InputStream in = zipped ? new GZIPInputStream(body) : body) {
            return Content.drain(Channels.newChannel(in));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void shouldLetACompressorCompress() throws Exception {
        try (NettyServer server = NettyServer.start(transport, pipeline -> {
            pipeline.channel().config().setAllocator(memory);
            pipeline.addLast(
                    new HttpServerCodec(),
                    new HttpContentCompressor(),
                    new SendfiledHandler(),
                    new FileResponder(files));
        })) {
            for (int round = 0; round < 3; round++) {
                for (int size : SIZES) {
                    String path = path(size, round);
                    HttpResponse<InputStream> response = get(
                                    http1,
                                    "http://localhost:" + server.address().getPort() + "/" + path)
                            .get(20, TimeUnit.SECONDS);
                    assertEquals(
                            "gzip",
                            response.headers().firstValue("Content-Encoding").orElse("none"),
                            path);
                    assertEquals(Content.of(engine.root().resolve(path)), body(response), path);
                }
            }
        }
    }

    /** Answers with frames, and with a file between them. */
    @SuppressWarnings("FutureReturnValueIgnored") // the client tells
    private static final class FrameResponder extends SimpleChannelInboundHandler<Http2HeadersFrame> {
        private final SendfiledFiles files;

        FrameResponder(SendfiledFiles files) {
            this.files = files;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, Http2HeadersFrame request) {
            String path = request.headers().path().toString().substring(1);
            files.open(ctx.executor(), path).addListener((io.netty.util.concurrent.Future<SendfiledFile> opened) -> {
                SendfiledFile file = opened.getNow();
                var headers = new DefaultHttp2Headers().status(file == null ? "404" : "200");
                if (file == null) {
                    ctx.writeAndFlush(new DefaultHttp2HeadersFrame(headers, true));
                    return;
                }
                headers.setLong(CONTENT_LENGTH, file.count());
                ctx.write(new DefaultHttp2HeadersFrame(headers));
                ctx.write(file);
                ctx.writeAndFlush(new DefaultHttp2DataFrame(true));
            });
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldServeManyStreamsOfHttp2(boolean objects) throws Exception {
        SslContext tls = SslContextBuilder.forServer(certificate.keys())
                .ciphers(Http2SecurityUtil.CIPHERS, io.netty.handler.ssl.SupportedCipherSuiteFilter.INSTANCE)
                .applicationProtocolConfig(new ApplicationProtocolConfig(
                        ApplicationProtocolConfig.Protocol.ALPN,
                        ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
                        ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT,
                        "h2"))
                .build();
        try (NettyServer server = NettyServer.start(transport, pipeline -> {
            pipeline.channel().config().setAllocator(memory);
            pipeline.addLast(
                    tls.newHandler(memory),
                    Http2FrameCodecBuilder.forServer().build(),
                    new Http2MultiplexHandler(new ChannelInitializer<>() {
                        @Override
                        protected void initChannel(Channel stream) {
                            if (objects) {
                                stream.pipeline()
                                        .addLast(
                                                new Http2StreamFrameToHttpObjectCodec(true),
                                                new SendfiledHandler(),
                                                new FileResponder(files));
                            } else {
                                stream.pipeline().addLast(new SendfiledHandler(), new FrameResponder(files));
                            }
                        }
                    }));
        })) {
            String base = "https://localhost:" + server.address().getPort() + "/";
            assertEquals(
                    404, get(http2, base + "missing").get(20, TimeUnit.SECONDS).statusCode());
            List<String> paths = new ArrayList<>();
            List<CompletableFuture<Content>> answers = new ArrayList<>();
            for (int i = 0; i < STREAMS; i++) {
                String path = path(SIZES[i % SIZES.length], i / SIZES.length);
                paths.add(path);
                answers.add(get(http2, base + path).thenApplyAsync(response -> {
                    assertEquals(HttpClient.Version.HTTP_2, response.version());
                    return body(response);
                }));
            }
            for (int i = 0; i < STREAMS; i++) {
                assertEquals(
                        Content.of(engine.root().resolve(paths.get(i))),
                        answers.get(i).get(40, TimeUnit.SECONDS),
                        paths.get(i));
            }
        }
    }
}
