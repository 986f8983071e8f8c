package io.sendfiled.system.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.util.ResourceLeakDetector;
import io.sendfiled.config.Setting;
import io.sendfiled.netty.SendfiledHandler;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.OpenDescriptors;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Channels that end while files are being sent, from either side and at any point: nothing stays behind. */
@SuppressWarnings("FutureReturnValueIgnored") // a test asks for what it is about
final class NettyCloseIT extends NettyTestCase {
    private static final int BIG = 4 << 20;

    private final UnpooledByteBufAllocator memory = new UnpooledByteBufAllocator(true);
    private final Leaks leaks = new Leaks();
    private int descriptors;

    @BeforeAll
    static void watchEveryBuffer() {
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
    }

    @Override
    Map<String, String> settings() {
        return Map.of(Setting.LOOPS.key(), "1");
    }

    @BeforeEach
    void start() throws Exception {
        Path behind = HeldDisk.unavailableBecause().isEmpty() ? mountDisk("--read-ms", "1") : behind();
        Content.write(behind.resolve("held"), BIG);
        Content.write(behind.resolve("slow"), BIG);
        Content.write(behind.resolve("little"), 5_000);
        Content.write(engine.root().resolve("hot"), BIG);
        Content.write(engine.root().resolve("small"), 5_000);
        try (NettyServer server = serve(false); // what the first one opens, such as jars, is there to stay
                SocketChannel peer = server.connect()) {
            HttpClientSide client = new HttpClientSide(peer);
            client.request(mounted == null ? List.of("small", "hot") : List.of("small", "hot", "disk/slow"));
            for (int i = mounted == null ? 2 : 3; i > 0; i--) {
                client.answer();
            }
        }
        Await.until("all buffers to be released", () -> memory.metric().usedDirectMemory() == 0);
        descriptors = OpenDescriptors.settledCount(ProcessHandle.current().pid());
    }

    @AfterEach
    void stop() throws Exception {
        if (mounted != null) {
            mounted.release();
        }
        OpenDescriptors.awaitCount(descriptors);
        Await.until("all buffers to be released", () -> memory.metric().usedDirectMemory() == 0);
        assertEquals(0, memory.metric().usedHeapMemory());
        assertEquals(List.of(), leaks.found());
    }

    private NettyServer serve(boolean halfClosure) throws IOException {
        return NettyServer.start(transport, Map.of(ChannelOption.ALLOW_HALF_CLOSURE, halfClosure), pipeline -> {
            pipeline.channel().config().setAllocator(memory);
            pipeline.addLast(new SendfiledHandler(), new HttpServerCodec(), new FileResponder(files));
        });
    }

    /** Without HTTP: the test writes. */
    private NettyServer serveRaw() throws IOException {
        return NettyServer.start(transport, pipeline -> {
            pipeline.channel().config().setAllocator(memory);
            pipeline.addLast(new SendfiledHandler());
        });
    }

    @Test
    void shouldForgetPeersThatVanishAtAnyPoint() throws Exception {
        SplittableRandom random = new SplittableRandom(1);
        List<String> paths = mounted == null
                ? List.of("hot", "small")
                : List.of(
                        "hot", "disk/slow", "small", "lazy/4194304/disk/slow", "disk/little", "lazy/5000/disk/little");
        try (NettyServer server = serve(false)) {
            for (int i = 0; i < 150; i++) {
                try (SocketChannel peer = server.connect()) {
                    List<String> asked = new ArrayList<>();
                    for (int j = random.nextInt(1, 6); j > 0; j--) {
                        asked.add(paths.get(random.nextInt(paths.size())));
                    }
                    new HttpClientSide(peer).request(asked);
                    ByteBuffer some = ByteBuffer.allocate(random.nextInt(1, 2 << random.nextInt(20)));
                    peer.read(some);
                    switch (random.nextInt(3)) {
                        case 0 -> peer.setOption(StandardSocketOptions.SO_LINGER, 0); // a reset
                        case 1 -> peer.shutdownOutput();
                        default -> {}
                    }
                }
            }
            for (int i = 0; i < 150; i++) {
                Channel channel = server.accepted();
                Await.until("the channel to be closed", () -> !channel.isOpen());
            }
            try (SocketChannel peer = server.connect()) {
                HttpClientSide client = new HttpClientSide(peer);
                client.request(List.of("small"));
                assertEquals(
                        Content.of(engine.root().resolve("small")),
                        client.answer().body());
            }
        }
    }

    /**
     * Netty 4.2.18 forgets in its epoll a channel whose input is shut down and that has no write waiting: a later one that has
     * to wait fails with ENOENT, whatever is written.
     */
    private boolean failsSecondWaitOfAHalf() {
        return transport == Transport.EPOLL && Transport.isNetty42();
    }

    @Test
    void shouldServeAPeerThatHasClosedItsHalf() throws Exception {
        try (NettyServer server = serve(true);
                SocketChannel peer = server.connect()) {
            HttpClientSide client = new HttpClientSide(peer);
            List<String> paths = new ArrayList<>(List.of("hot"));
            if (!failsSecondWaitOfAHalf()) {
                paths.addAll(mounted == null ? List.of("small", "hot") : List.of("disk/slow", "small", "hot"));
            }
            client.request(paths);
            peer.shutdownOutput();
            for (String path : paths) {
                assertEquals(
                        Content.of(engine.root().resolve(path)), client.answer().body());
            }
            server.accepted().close();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldEndTheConnectionWhenAChannelIsClosedWhoseFileADiskHolds(boolean throughThePipeline) throws Exception {
        assumeTrue(mounted != null, "no FUSE");
        try (NettyServer server = serveRaw();
                SocketChannel peer = server.connect()) {
            Channel channel = server.accepted();
            ChannelFuture head = channel.write(Unpooled.copiedBuffer("head", StandardCharsets.US_ASCII));
            ChannelFuture file = channel.writeAndFlush(Pipelines.open(channel, files, "disk/held"));
            ChannelFuture behind = channel.writeAndFlush(Unpooled.copiedBuffer("behind", StandardCharsets.US_ASCII));
            disk().awaitHeld();
            if (throughThePipeline) {
                channel.close();
            } else {
                server.inLoop(() -> channel.unsafe().close(channel.voidPromise()));
            }
            boolean headFirst = transport.hasDescriptor(); // else it is sent with the first bytes of the file
            assertEquals(headFirst ? 4 : 0, Content.drain(peer).size(), "the head, and the end");
            assertInstanceOf(ClosedChannelException.class, Pipelines.causeOf(file));
            assertInstanceOf(ClosedChannelException.class, Pipelines.causeOf(behind));
            assertEquals(headFirst, Pipelines.causeOf(head) == null);
        }
    }

    /** As Netty has it for all other writes: who hears of the end counts what was sent. */
    @Test
    void shouldFailWhatWaitsBeforeTheChannelIsInactive() throws Exception {
        assumeTrue(mounted != null, "no FUSE");
        List<ChannelFuture> writes = new CopyOnWriteArrayList<>();
        CompletableFuture<Boolean> ended = new CompletableFuture<>();
        try (NettyServer server = NettyServer.start(transport, pipeline -> {
                    pipeline.channel().config().setAllocator(memory);
                    pipeline.addLast(new SendfiledHandler(), new ChannelInboundHandlerAdapter() {
                        @Override
                        public void channelInactive(ChannelHandlerContext ctx) {
                            ended.complete(writes.stream().allMatch(ChannelFuture::isDone));
                        }
                    });
                });
                SocketChannel peer = server.connect()) {
            Channel channel = server.accepted();
            writes.add(channel.writeAndFlush(Pipelines.open(channel, files, "disk/held")));
            writes.add(channel.writeAndFlush(Pipelines.open(channel, files, "hot")));
            disk().awaitHeld();
            peer.socket().close();
            assertTrue(ended.get(Await.LONG.toSeconds(), TimeUnit.SECONDS), "writes that have not ended");
        }
    }

    @Test
    void shouldCloseTheChannelWhenTheHandlerIsRemovedWhileItSends() throws Exception {
        try (NettyServer server = serveRaw();
                SocketChannel peer = server.connect()) {
            Channel channel = server.accepted();
            ChannelFuture write = channel.writeAndFlush(Pipelines.open(channel, files, "hot"));
            server.inLoop(() -> channel.pipeline().remove(SendfiledHandler.class));
            assertInstanceOf(ClosedChannelException.class, Pipelines.causeOf(write));
            assertTrue(Content.drain(peer).size() < BIG);
        }
    }

    @Test
    void shouldLeaveAChannelAsItIsWhenAnIdleHandlerIsRemoved() throws Exception {
        try (NettyServer server = serveRaw();
                SocketChannel peer = server.connect()) {
            Channel channel = server.accepted();
            channel.write(Unpooled.copiedBuffer("held back", StandardCharsets.US_ASCII));
            server.inLoop(() -> channel.pipeline().remove(SendfiledHandler.class));
            channel.flush();
            assertEquals(9, Content.drain(peer, 9).size());
            assertTrue(channel.isOpen());
        }
    }

    @Test
    void shouldFailWhatWaitsWhenTheEngineIsClosed() throws Exception {
        assumeTrue(mounted != null, "no FUSE");
        try (NettyServer server = serveRaw();
                SocketChannel peer = server.connect()) {
            Channel channel = server.accepted();
            ChannelFuture file = channel.writeAndFlush(Pipelines.open(channel, files, "disk/held"));
            ChannelFuture behind = channel.writeAndFlush(Pipelines.open(channel, files, "hot"));
            disk().awaitHeld();
            engine.client().close();
            assertInstanceOf(IOException.class, Pipelines.causeOf(file));
            assertInstanceOf(IOException.class, Pipelines.causeOf(behind));
            assertEquals(0, Content.drain(peer).size());
        }
    }
}
