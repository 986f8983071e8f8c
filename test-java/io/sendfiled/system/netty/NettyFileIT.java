package io.sendfiled.system.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelProgressiveFuture;
import io.netty.channel.ChannelProgressiveFutureListener;
import io.netty.channel.ChannelProgressivePromise;
import io.netty.channel.ChannelPromise;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.util.Version;
import io.netty.util.concurrent.Future;
import io.sendfiled.counters.Counter;
import io.sendfiled.netty.FileProgress;
import io.sendfiled.netty.SendfiledFile;
import io.sendfiled.netty.SendfiledHandler;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.PageCache;
import io.sendfiled.system.ClientKind;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a write of a file does to the other writes, to its promise, and to the channel. */
@SuppressWarnings("FutureReturnValueIgnored") // a test asks for what it is about
final class NettyFileIT extends NettyTestCase {
    private static final int BIG = 8 << 20;
    private static final int CHUNK = 64 * 1024;

    private NettyServer server;
    private SocketChannel peer;
    private Channel channel;
    private final Pipelines.Events events = new Pipelines.Events();
    private final AtomicInteger writeTimeoutsReset = new AtomicInteger();
    private int descriptors;

    @BeforeEach
    void start() throws Exception {
        server = NettyServer.start(
                transport,
                pipeline -> pipeline.addLast(
                        new SendfiledHandler(),
                        new IdleStateHandler(0, 1, 0, TimeUnit.HOURS) {
                            @Override
                            public void resetWriteTimeout() {
                                super.resetWriteTimeout();
                                writeTimeoutsReset.incrementAndGet();
                            }
                        },
                        events));
        peer = server.connect();
        channel = server.accepted();
        descriptors = OpenDescriptors.settledCount(ProcessHandle.current().pid());
    }

    @AfterEach
    void stop() throws Exception {
        peer.close();
        try {
            Await.until("the channel to be closed", () -> !channel.isOpen());
        } finally {
            unmount();
        }
        try {
            OpenDescriptors.awaitCount(descriptors - 2); // the two ends
        } finally {
            server.close();
        }
    }

    private static ByteBuf text(String text) {
        return Unpooled.copiedBuffer(text, StandardCharsets.US_ASCII);
    }

    private String read(int length) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(length);
        while (bytes.hasRemaining() && peer.read(bytes) >= 0) {}
        return new String(bytes.array(), 0, bytes.position(), StandardCharsets.US_ASCII);
    }

    @Test
    void shouldRunWithTheNettyThatTheBuildMeans() {
        assertEquals(
                System.getProperty("sendfiled.test.netty"),
                Objects.requireNonNull(Version.identify().get("netty-transport"))
                        .artifactVersion());
    }

    @Test
    void shouldKeepTheOrderOfAllThatIsWrittenInOneFlush() throws Exception {
        Path behind = mountDisk();
        Content cold = Content.write(behind.resolve("held"), 300_000);
        Content hot = Content.write(engine.root().resolve("hot"), 100_000);
        Content small = Content.write(engine.root().resolve("small"), 5_000);
        channel.write(text("one"));
        ChannelFuture coldWrite = channel.write(Pipelines.open(channel, files, "disk/held"));
        channel.write(text("two"));
        channel.write(Pipelines.open(channel, files, "hot"));
        channel.write(Pipelines.open(channel, files, "small"));
        channel.write(files.file("disk/held", 10, 20));
        ChannelFuture last = channel.writeAndFlush(text("three"));
        disk().awaitHeld();
        if (transport.hasDescriptor()) { // else it is sent with the first bytes of the file
            assertEquals("one", read(3));
        }
        assertFalse(coldWrite.isDone());
        disk().release();
        if (!transport.hasDescriptor()) {
            assertEquals("one", read(3));
        }
        assertEquals(cold, Content.drain(peer, cold.size()));
        assertEquals("two", read(3));
        assertEquals(hot, Content.drain(peer, hot.size()));
        assertEquals(small, Content.drain(peer, small.size()));
        assertEquals(Content.of(behind.resolve("held"), 10, 20), Content.drain(peer, 20));
        assertEquals("three", read(5));
        assertNull(Pipelines.causeOf(last));
        assertTrue(coldWrite.isSuccess());
    }

    @Test
    void shouldSendASmallFileTogetherWithItsHeaderUnlessThatWasCancelled() throws Exception {
        Content small = Content.write(engine.root().resolve("small"), 5_000);
        SendfiledFile first = Pipelines.open(channel, files, "small");
        SendfiledFile second = Pipelines.open(channel, files, "small");
        ChannelPromise cancelled = channel.newPromise();
        ChannelPromise header = channel.newPromise();
        ChannelPromise file = channel.newPromise();
        server.inLoop(() -> {
            channel.write(text("cancelled"), cancelled);
            cancelled.cancel(false);
            channel.write(first);
            channel.write(text("header"), header);
            channel.writeAndFlush(second, file);
        });
        assertEquals(small, Content.drain(peer, small.size()));
        assertEquals("header", read(6));
        assertEquals(small, Content.drain(peer, small.size()));
        assertNull(Pipelines.causeOf(file));
        assertNull(Pipelines.causeOf(header));
        assertTrue(cancelled.isCancelled());
    }

    @Test
    void shouldSendAColdFileBehindWhatTheSocketHasNotTakenYet() throws Exception {
        Path behind = mountDisk();
        Content cold = Content.write(behind.resolve("cold"), 500_000);
        byte[] before = new byte[BIG];
        Arrays.fill(before, (byte) 1);
        SendfiledFile file = Pipelines.open(channel, files, "disk/cold");
        channel.write(Unpooled.wrappedBuffer(before));
        channel.write(file);
        ChannelFuture last = channel.writeAndFlush(text("last"));
        assertEquals(Content.of(before), Content.drain(peer, BIG));
        assertEquals(cold, Content.drain(peer, cold.size()));
        assertEquals("last", read(4));
        assertNull(Pipelines.causeOf(last));
    }

    @Test
    void shouldGoOnByTheEngineWherePagesWereEvictedInMidFile() throws Exception {
        Path path = engine.root().resolve("half");
        Content content = Content.write(path, BIG);
        PageCache.evictFrom(path, BIG / 2);
        assumeTrue(PageCache.resident(path) <= BIG / 2, "this file system keeps its pages");
        long bytes = engine.count(Counter.BYTES);
        SendfiledFile file = Pipelines.open(channel, files, "half");
        channel.write(text("head"));
        ChannelFuture write = channel.writeAndFlush(file);
        assertEquals("head", read(4));
        assertEquals(content, Content.drain(peer, BIG));
        assertNull(Pipelines.causeOf(write));
        Await.until("the engine to have moved something", () -> engine.count(Counter.BYTES) > bytes);
        assertTrue(engine.count(Counter.BYTES) - bytes < BIG, "the beginning was hot");
    }

    @Test
    void shouldTellProgressAndWritabilityOfAHotFile() throws Exception {
        Content content = Content.write(engine.root().resolve("big"), BIG);
        expectProgressAndBackpressure(Pipelines.open(channel, files, "big"), content);
    }

    @Test
    void shouldTellProgressAndWritabilityOfAColdFile() throws Exception {
        Path behind = mountDisk();
        Content content = Content.write(behind.resolve("cold"), BIG);
        expectProgressAndBackpressure(Pipelines.open(channel, files, "disk/cold"), content);
        if (transport.hasDescriptor()) { // else the handlers have seen every byte
            assertTrue(events.seen.stream().anyMatch(FileProgress.class::isInstance), "no event of progress");
            assertTrue(writeTimeoutsReset.get() > 0, "the idle handler was told nothing");
        }
    }

    private void expectProgressAndBackpressure(SendfiledFile file, Content content) throws Exception {
        AtomicLong last = new AtomicLong();
        ChannelProgressivePromise promise = channel.newProgressivePromise();
        promise.addListener(new ChannelProgressiveFutureListener() {
            @Override
            public void operationProgressed(ChannelProgressiveFuture future, long progress, long total) {
                assertTrue(progress > last.get() && progress <= total);
                assertEquals(content.size(), total);
                last.set(progress);
            }

            @Override
            public void operationComplete(ChannelProgressiveFuture future) {}
        });
        server.inLoop(() -> {
            channel.writeAndFlush(file, promise);
            assertFalse(channel.isWritable(), "8 MiB wait, and nobody reads");
        });
        assertEquals(content, Content.drain(peer, content.size()));
        assertNull(Pipelines.causeOf(promise));
        assertEquals(content.size(), last.get());
        Await.until("the channel to be writable", channel::isWritable);
    }

    @Test
    void shouldSendRangesAndNothing() throws Exception {
        Path path = engine.root().resolve("ranges");
        Content.write(path, 50_000);
        Content.write(engine.root().resolve("empty"), 0);
        channel.write(Pipelines.open(channel, files, "empty"));
        channel.write(Pipelines.open(channel, files, "ranges").range(1, 100));
        channel.write(Pipelines.open(channel, files, "ranges").range(1_000, 40_000));
        channel.write(Pipelines.open(channel, files, "ranges").range(50_000, 0));
        ChannelFuture write = channel.writeAndFlush(files.file("empty", 0, 0));
        assertEquals(Content.of(path, 1, 100), Content.drain(peer, 100));
        assertEquals(Content.of(path, 1_000, 40_000), Content.drain(peer, 40_000));
        assertNull(Pipelines.causeOf(write));
    }

    @Test
    void shouldSendARangeOfAFileThatTheEngineHasOpened() throws Exception {
        Path behind = mountDisk();
        Content.write(behind.resolve("cold"), 500_000);
        SendfiledFile file = Pipelines.open(channel, files, "disk/cold");
        assertEquals(500_000, file.size());
        ChannelFuture write = channel.writeAndFlush(file.range(70_000, 400_000));
        assertEquals(Content.of(behind.resolve("cold"), 70_000, 400_000), Content.drain(peer, 400_000));
        assertNull(Pipelines.causeOf(write));
    }

    /** An engine of this process has read and closed it; where it could not be sent, this shows the same bytes. */
    @Test
    void shouldHoldASmallColdFileInMemoryAndNotInTheEngine() throws Exception {
        Path behind = mountDisk();
        Content content = Content.write(behind.resolve("cold"), 10_000);
        long transfers = engine.count(Counter.TRANSFERS);
        long opens = engine.count(Counter.COLD_OPENS);
        int open = OpenDescriptors.settledCount(ProcessHandle.current().pid());
        SendfiledFile file = Pipelines.open(channel, files, "disk/cold");
        SendfiledFile part = Pipelines.open(channel, files, "disk/cold").range(1_000, 5_000);
        assertEquals(10_000, file.size());
        if (kind == ClientKind.EMBEDDED_COLD) {
            assertEquals(opens + 2, engine.count(Counter.COLD_OPENS));
            assertEquals(transfers, engine.count(Counter.TRANSFERS));
            OpenDescriptors.awaitCount(open);
            RandomAccessFile changed =
                    new RandomAccessFile(behind.resolve("cold").toFile(), "rw");
            changed.setLength(0); // what was read stays as it was
            changed.close();
        }
        channel.write(text("head"));
        ChannelProgressivePromise promise = channel.newProgressivePromise();
        channel.write(file, promise);
        channel.write(text("between"));
        ChannelFuture last = channel.writeAndFlush(part);
        assertEquals("head", read(4));
        assertEquals(content, Content.drain(peer, 10_000));
        assertEquals("between", read(7));
        assertEquals(5_000, Content.drain(peer, 5_000).size());
        assertNull(Pipelines.causeOf(promise));
        assertNull(Pipelines.causeOf(last));
        Await.until("the engine to have let go of all", () -> engine.count(Counter.TRANSFERS) == transfers);
    }

    @Test
    void shouldSendRangesOfSmallColdFilesThatAreOpenedWhenTheirTurnComes() throws Exception {
        Path behind = mountDisk();
        Content.write(behind.resolve("cold"), 20_000);
        for (int i = 0; i < 20; i++) {
            channel.write(text("head"));
            channel.write(files.file("disk/cold", 100L * i, 1_000));
        }
        ChannelFuture last = channel.writeAndFlush(text("last"));
        for (int i = 0; i < 20; i++) {
            assertEquals("head", read(4));
            assertEquals(Content.of(behind.resolve("cold"), 100L * i, 1_000), Content.drain(peer, 1_000));
        }
        assertEquals("last", read(4));
        assertNull(Pipelines.causeOf(last));
    }

    @Test
    void shouldAnswerOtherwiseWhereASmallColdFileCannotBeRead() throws Exception {
        Path behind = mountDisk("--eio-at", "0", "--faulty", "faulty");
        Content.write(behind.resolve("faulty"), 1_000);
        ChannelFuture head = channel.write(text("200 OK"));
        ChannelFuture file = channel.writeAndFlush(files.file("disk/faulty", 0, 1_000));
        assertInstanceOf(IOException.class, Pipelines.causeOf(file));
        if (kind == ClientKind.EMBEDDED_COLD || !transport.hasDescriptor()) {
            assertInstanceOf(IOException.class, Pipelines.causeOf(head));
            channel.writeAndFlush(text("503 Service Unavailable"));
            assertEquals("503 Service Unavailable", read(23));
        } else {
            assertEquals("200 OK", read(100), "up to the end of the connection");
        }
    }

    @Test
    void shouldForgetAColdFileWhoseOpenIsCancelled() throws Exception {
        Path behind = mountDisk();
        Content.write(behind.resolve("held"), 1_000);
        Content cold = Content.write(behind.resolve("cold"), 1_000);
        Future<SendfiledFile> opening = files.open(channel.eventLoop(), "disk/held");
        ChannelFuture lazy = channel.write(files.file("disk/held", 0, 1_000));
        if (kind == ClientKind.EMBEDDED_COLD) {
            disk().awaitHeld();
        }
        opening.cancel(false);
        disk().release();
        channel.flush();
        assertEquals(1_000, Content.drain(peer, 1_000).size());
        assertNull(Pipelines.causeOf(lazy));
        channel.writeAndFlush(Pipelines.open(channel, files, "disk/cold"));
        assertEquals(cold, Content.drain(peer, 1_000));
        Await.until("the transfers to end", () -> engine.count(Counter.TRANSFERS) == 0);
    }

    @Test
    void shouldTellOfAFileWhatStatDoesWhoeverHasOpenedIt() throws Exception {
        Path behind = mountDisk();
        Content.write(behind.resolve("cold"), 1_234);
        Content.write(engine.root().resolve("hot"), 1_234);
        for (String name : List.of("disk/cold", "hot")) {
            SendfiledFile file = Pipelines.open(channel, files, name);
            Path path = engine.root().resolve(name);
            assertEquals(1_234, file.size());
            assertEquals(Files.getLastModifiedTime(path).toInstant(), file.modified());
            assertTrue(
                    file.etag().startsWith('"' + Long.toHexString((long) Files.getAttribute(path, "unix:ino")) + '-'));
            file.release();
        }
    }

    @Test
    void shouldSendNothingOfAnAnswerWhoseFileIsNotThere() throws Exception {
        ChannelFuture head = channel.write(text("200 OK"));
        ChannelFuture file = channel.writeAndFlush(files.file("missing", 0, 100_000));
        assertInstanceOf(NoSuchFileException.class, Pipelines.causeOf(file));
        assertInstanceOf(NoSuchFileException.class, Pipelines.causeOf(head));
        channel.writeAndFlush(text("404 Not Found"));
        assertEquals("404 Not Found", read(13));
    }

    @Test
    void shouldCloseTheChannelWhenAHeaderIsOutAndTheFileIsNotThere() throws Exception {
        assertNull(Pipelines.causeOf(channel.writeAndFlush(text("200 OK"))));
        ChannelFuture file = channel.writeAndFlush(files.file("missing", 0, 100_000));
        ChannelFuture next = channel.writeAndFlush(text("next"));
        assertInstanceOf(NoSuchFileException.class, Pipelines.causeOf(file));
        assertTrue(Pipelines.causeOf(next) != null);
        assertEquals("200 OK", read(100));
    }

    @Test
    void shouldFailAFileThatIsShorterThanWasSaid() throws Exception {
        Path behind = mountDisk();
        Content.write(behind.resolve("cold"), 100);
        Content.write(engine.root().resolve("hot"), 100);
        for (String name : List.of("disk/cold", "hot")) {
            ChannelFuture head = channel.write(text("head"));
            ChannelFuture file = channel.writeAndFlush(files.file(name, 0, 101));
            assertInstanceOf(IOException.class, Pipelines.causeOf(file));
            assertInstanceOf(IOException.class, Pipelines.causeOf(head));
        }
        channel.writeAndFlush(text("error"));
        assertEquals("error", read(5));
    }

    @Test
    void shouldEndTheConnectionWhenAFileIsTruncatedWhileItIsSent() throws Exception {
        Path path = engine.root().resolve("truncated");
        Content.write(path, 4 * BIG);
        ChannelFuture write = channel.writeAndFlush(Pipelines.open(channel, files, "truncated"));
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(CHUNK);
        }
        assertTrue(Content.drain(peer).size() < 4 * BIG, "to the end of the connection");
        assertInstanceOf(IOException.class, Pipelines.causeOf(write));
    }

    @Test
    void shouldEndTheConnectionWhenAFileIsTruncatedWhileTheEngineSendsIt() throws Exception {
        Path behind = mountDisk();
        Content.write(behind.resolve("held"), BIG);
        ChannelFuture write = channel.writeAndFlush(Pipelines.open(channel, files, "disk/held"));
        ChannelFuture next = channel.writeAndFlush(text("next"));
        disk().awaitHeld();
        try (RandomAccessFile file = new RandomAccessFile(behind.resolve("held").toFile(), "rw")) {
            file.setLength(CHUNK);
        }
        disk().release();
        assertEquals(Content.of(behind.resolve("held")), Content.drain(peer, CHUNK));
        assertTrue(Content.drain(peer).size() < BIG - CHUNK, "zeros, at most, for what the kernel read ahead");
        assertInstanceOf(IOException.class, Pipelines.causeOf(write));
        assertInstanceOf(IOException.class, Pipelines.causeOf(next));
    }

    @Test
    void shouldHoldFewDescriptorsForThousandsOfFilesThatWait() throws Exception {
        Path behind = mountDisk();
        Content held = Content.write(behind.resolve("held"), CHUNK);
        Content small = Content.write(engine.root().resolve("small"), 1_000);
        int count = 3_000;
        ChannelFuture first = channel.writeAndFlush(Pipelines.open(channel, files, "disk/held"));
        disk().awaitHeld();
        List<ChannelFuture> writes = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            SendfiledFile file = i % 2 == 0 ? Pipelines.open(channel, files, "small") : files.file("small", 0, 1_000);
            writes.add(channel.writeAndFlush(file));
        }
        server.inLoop(() -> {});
        assertTrue(OpenDescriptors.count() < descriptors + 100, "descriptors: " + OpenDescriptors.count());
        disk().release();
        assertEquals(held, Content.drain(peer, CHUNK));
        for (ChannelFuture write : writes) {
            assertEquals(small, Content.drain(peer, 1_000));
            assertNull(Pipelines.causeOf(write));
        }
        assertTrue(first.isSuccess());
    }

    @Test
    void shouldRefuseAFileThatWasReplacedWhileItWaited() throws Exception {
        Path behind = mountDisk();
        Content.write(behind.resolve("held"), CHUNK);
        Path path = engine.root().resolve("replaced");
        Content.write(path, 1_000);
        channel.writeAndFlush(Pipelines.open(channel, files, "disk/held"));
        disk().awaitHeld();
        ChannelFuture write = channel.newSucceededFuture();
        for (int i = 0; i < 20; i++) {
            write = channel.writeAndFlush(Pipelines.open(channel, files, "replaced"));
        }
        server.inLoop(() -> {});
        Files.delete(path);
        Content.write(path, 1_000);
        disk().release();
        assertInstanceOf(IOException.class, Pipelines.causeOf(write));
    }

    @Test
    void shouldSkipAFileWhoseWriteWasCancelledWhileItWaited() throws Exception {
        Path behind = mountDisk();
        Content held = Content.write(behind.resolve("held"), CHUNK);
        Content.write(engine.root().resolve("hot"), 100_000);
        channel.writeAndFlush(Pipelines.open(channel, files, "disk/held"));
        disk().awaitHeld();
        ChannelFuture cancelled = channel.writeAndFlush(Pipelines.open(channel, files, "hot"));
        channel.writeAndFlush(text("next"));
        server.inLoop(() -> {});
        assertTrue(cancelled.cancel(false));
        disk().release();
        assertEquals(held, Content.drain(peer, CHUNK));
        assertEquals("next", read(4));
    }

    @Test
    void shouldNotSpinForASlowReceiver() throws Exception {
        Content content = Content.write(engine.root().resolve("slow"), 2L * BIG);
        long[] loopThread = new long[1];
        server.inLoop(() -> loopThread[0] = Thread.currentThread().getId());
        ChannelFuture write = channel.writeAndFlush(Pipelines.open(channel, files, "slow"));
        var threads = ManagementFactory.getThreadMXBean();
        long cpu = threads.getThreadCpuTime(loopThread[0]);
        long begin = System.nanoTime();
        ByteBuffer some = ByteBuffer.allocate(CHUNK);
        long received = 0;
        for (int i = 0; i < 50; i++) { // a receiver of 6 MiB a second
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
            received += peer.read(some.clear());
        }
        long busy = threads.getThreadCpuTime(loopThread[0]) - cpu;
        long elapsed = System.nanoTime() - begin;
        assertTrue(busy < elapsed / 4, busy + " ns of CPU in " + elapsed);
        assertEquals(
                content.size() - received,
                Content.drain(peer, content.size() - received).size());
        assertNull(Pipelines.causeOf(write));
    }

    @Test
    void shouldServeHotFilesInAPipelineWithoutTheHandler() throws Exception {
        Content content = Content.write(engine.root().resolve("hot"), 300_000);
        server.inLoop(() -> channel.pipeline().remove(SendfiledHandler.class));
        ChannelFuture write = channel.writeAndFlush(Pipelines.open(channel, files, "hot"));
        assertEquals(content, Content.drain(peer, 300_000));
        assertNull(Pipelines.causeOf(write));
        ChannelFuture lazy = channel.writeAndFlush(files.file("hot", 0, 300_000));
        Throwable cause = Pipelines.causeOf(lazy);
        assertTrue(String.valueOf(cause).contains("SendfiledHandler"), String.valueOf(cause));
        assertEquals(
                0,
                Content.drain(Channels.newChannel(peer.socket().getInputStream()))
                        .size());
    }
}
