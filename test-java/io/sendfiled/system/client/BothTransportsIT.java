package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.client.Destination;
import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileDetails;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.Segment;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Source;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferDetails;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransferOptions;
import io.sendfiled.client.TransferResult;
import io.sendfiled.counters.Counter;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.PageCache;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.system.ClientKind;
import io.sendfiled.technique.Technique;
import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The client means the same whether its engine is inside this process or behind a socket. Every descriptor is counted. */
@ParameterizedClass
@EnumSource(ClientKind.class)
@Timeout(120)
final class BothTransportsIT {
    private static final int BIG = 3_000_000;
    private static final int SMALL = 4096;

    @TempDir
    private Path directory;

    @Parameter
    ClientKind kind;

    private ClientKind.Running running;
    private SendfiledClient client;
    private Content big;
    private int descriptorsBefore;

    @BeforeEach
    void start() throws Exception {
        Path root = Files.createDirectory(directory.resolve("root"));
        big = Content.write(root.resolve("big"), BIG);
        Content.write(root.resolve("small"), SMALL);
        TestDestination.openAndCloseAll(directory); // whatever the JDK opens once and keeps
        descriptorsBefore = OpenDescriptors.settledCount(ProcessHandle.current().pid());
        running = kind.start(directory, root, Map.of());
        client = running.client();
    }

    @AfterEach
    void shouldLeakNoDescriptor() {
        running.close();
        OpenDescriptors.awaitCount(descriptorsBefore);
    }

    // ---- what arrives ----

    @Test
    void shouldSendToDestinationsOfAllTypes() throws Exception {
        for (TestDestination.Type type : TestDestination.Type.values()) {
            try (TestDestination destination = TestDestination.open(type, directory)) {
                AtomicLong reported = new AtomicLong();
                Transfer transfer = client.send(FileRequest.of("big"), destination.destination())
                        .onProgress((moved, total) -> reported.set(moved));
                CompletableFuture<Content> received = destination.receive();
                TransferResult result = transfer.await(Await.LONG);
                destination.finishSending();

                assertEquals(big, received.get(), type::toString);
                assertEquals(BIG, result.bytesMoved());
                assertEquals(BIG, result.info().size());
                assertEquals(BIG, transfer.bytesMoved());
                if (type == TestDestination.Type.PIPE) { // others may be done before there is a listener
                    assertEquals(BIG, reported.get());
                }
            }
        }
    }

    @Test
    void shouldReadThroughAPipeIntoAChannelAndIntoMemory() throws Exception {
        try (FileContent content = client.read("big").content().get()) {
            assertEquals(big, Content.drain(content));
        }
        ByteArrayOutputStream target = new ByteArrayOutputStream();
        Transfer copy = client.readTo("big", Channels.newChannel(target));
        assertEquals(BIG, copy.await(Await.LONG).bytesMoved());
        assertEquals(big, Content.of(target.toByteArray()));
        if (kind == ClientKind.JAVA) {
            return; // it has no such memory
        }
        try (SharedBuffer buffer = client.readBuffer("big").buffer().get()) {
            byte[] bytes = new byte[BIG];
            buffer.bytes().get(bytes);
            assertEquals(big, Content.of(bytes));
        }
    }

    @Test
    void shouldSendRangesSegmentsAndOpenFiles() throws Exception {
        Path file = running.root().resolve("big");
        assertEquals(
                Content.of(file, 1_000, 2_000_000), sent(FileRequest.of("big").range(1_000, 2_000_000)));
        assertEquals(Content.NOTHING, sent(FileRequest.of("big").range(1_000, 0)));
        assertEquals(
                Content.of(file, 2_999_000, 1_000), sent(FileRequest.of("big").from(2_999_000)));

        byte[] header = "HTTP/1.1 200 OK\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
        byte[] all = Files.readAllBytes(file);
        ByteArrayOutputStream expected = new ByteArrayOutputStream();
        expected.write(header);
        expected.write(all, 10, 20);
        expected.write(all, 500_000, 1_000_000);
        List<Segment> segments = List.of(Segment.of(header), Segment.range(10, 20), Segment.range(500_000, 1_000_000));
        assertEquals(
                Content.of(expected.toByteArray()), sent(FileRequest.of("big").withSegments(segments)));

        try (FileChannel open = FileChannel.open(file)) {
            assertEquals(big, sent(FileRequest.of(Source.of(open))));
        }
    }

    /** What a client may have open, and how: an object that owns it, its number, or memory. */
    private enum SourceKind {
        CHANNEL,
        STREAM,
        OWNED,
        NUMBER,
        PATH,
        BUFFER,
        OPENED
    }

    /** Sends that part of "big", as one of these. The position of an open file stays where it is, and so does the file. */
    private Transfer send(SourceKind source, long offset, long length, Destination to) throws Exception {
        Path path = running.root().resolve("big");
        switch (source) {
            case PATH -> {
                return client.send(FileRequest.of(Source.of(path)).range(offset, length), to);
            }
            case OPENED -> {
                try (OpenFile file =
                        client.open(FileRequest.of("big").range(offset, length)).get()) {
                    return file.send(to);
                }
            }
            case BUFFER -> {
                try (SharedBuffer buffer = SharedBuffer.allocate(BIG)) {
                    buffer.bytes().put(Files.readAllBytes(path));
                    return client.send(FileRequest.of(buffer).range(offset, length), to);
                }
            }
            default -> {}
        }
        try (FileInputStream stream = new FileInputStream(path.toFile());
                OwnedFd owned = Descriptors.duplicate(stream.getFD())) {
            FileChannel channel = stream.getChannel();
            channel.position(7);
            Source open =
                    switch (source) {
                        case CHANNEL -> Source.of(channel);
                        case STREAM -> Source.of(stream.getFD());
                        case OWNED -> Source.of(owned);
                        default -> Source.ofDescriptor(owned.fd());
                    };
            Transfer transfer = client.send(FileRequest.of(open).range(offset, length), to);
            assertEquals(7, channel.position());
            assertEquals(1, channel.read(ByteBuffer.allocate(1)), "it is the caller's still");
            return transfer;
        }
    }

    private void demandSource(SourceKind source) {
        boolean has = kind != ClientKind.JAVA || source == SourceKind.PATH || source == SourceKind.OPENED;
        assumeTrue(has, "Java alone makes no duplicate");
    }

    @ParameterizedTest
    @EnumSource(SourceKind.class)
    void shouldSendWhateverIsOpenToDestinationsOfAllTypes(SourceKind source) throws Exception {
        demandSource(source);
        Path path = running.root().resolve("big");
        for (boolean hot : new boolean[] {true, false}) {
            for (TestDestination.Type type : TestDestination.Type.values()) {
                for (long length : new long[] {0, 1_000, BIG - 11}) { // inside, and to the end
                    try (TestDestination destination = TestDestination.open(type, directory)) {
                        if (!hot) {
                            PageCache.evictFrom(path, 1 << 20);
                        }
                        CompletableFuture<Content> received = destination.receive();
                        Transfer transfer = send(source, 11, length, destination.destination());
                        assertEquals(length, transfer.await(Await.LONG).bytesMoved());
                        destination.finishSending();

                        String what = source + " to " + type + ", " + length + " bytes";
                        assertEquals(Content.of(path, 11, length), received.get(), what);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(SourceKind.class)
    void shouldRefuseWhatIsBehindTheEndOfWhateverIsOpen(SourceKind source) throws Exception {
        demandSource(source);
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            Throwable e = assertThrows(Exception.class, () -> send(source, 11, BIG, destination.destination())
                    .await(Await.LONG));
            Throwable cause = e instanceof ExecutionException ? e.getCause() : e; // of the open
            assertEquals(
                    Errno.ERANGE,
                    assertInstanceOf(TransferException.class, cause).errno());
        }
    }

    /** Whether what is in memory is sent by the calling thread. */
    private boolean isHot() {
        return kind == ClientKind.EMBEDDED || kind == ClientKind.CONNECTED_HOT;
    }

    @Test
    void shouldAskTheEngineForNoByteOfAnOpenFileThatIsInMemory() throws Exception {
        Path path = running.root().resolve("small");
        try (FileChannel open = FileChannel.open(path)) {
            open.position(7);
            FileRequest request = FileRequest.of(Source.of(open));
            long before = running.count(Counter.BYTES);

            assertEquals(Content.of(path), sent(request));
            assertEquals(Content.of(path, 10, 1_000), sent(request.range(10, 1_000)));

            assertEquals(7, open.position());
            if (isHot() || kind == ClientKind.JAVA) {
                assertEquals(before, running.count(Counter.BYTES));
            } else {
                Await.until("the engine to count", () -> running.count(Counter.BYTES) == before + SMALL + 1_000);
            }
        }
    }

    @Test
    void shouldGoOnByTheEngineWhereAnOpenFileIsNotInMemory() throws Exception {
        Path path = running.root().resolve("big");
        try (FileChannel open = FileChannel.open(path)) {
            PageCache.evictFrom(path, 1 << 20);
            assumeTrue(PageCache.resident(path) < BIG, "this file system keeps its pages");
            long before = running.count(Counter.BYTES);

            assertEquals(big, sent(FileRequest.of(Source.of(open))));

            if (isHot()) {
                Await.until("the engine to count", () -> running.count(Counter.BYTES) > before);
                assertTrue(running.count(Counter.BYTES) < before + BIG, "the beginning was in memory");
            }
        }
    }

    @Test
    void shouldNotWaitForTheDiskOfAnOpenFile() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectory(directory.resolve("behind"));
        Content content = Content.write(behind.resolve("held"), BIG);
        try (HeldDisk disk = HeldDisk.mount(directory.resolve("disk"), behind, "held");
                FileChannel open = FileChannel.open(directory.resolve("disk/held"));
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            CompletableFuture<Content> received = destination.receive();

            Transfer transfer = client.send(FileRequest.of(Source.of(open)), destination.destination());
            disk.awaitHeld();
            assertFalse(transfer.result().isDone());

            disk.release();
            transfer.await(Await.LONG);
            destination.finishSending();
            assertEquals(content, received.get());
        }
    }

    @Test
    void shouldRefuseARangeThatIsNotInsideAnOpenFile() throws Exception {
        try (FileChannel open = FileChannel.open(running.root().resolve("small"));
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            FileRequest request = FileRequest.of(Source.of(open)).range(1, SMALL);
            Transfer transfer = client.send(request, destination.destination());
            TransferException e = assertThrows(TransferException.class, () -> transfer.await(Await.LONG));
            assertEquals(Errno.ERANGE, e.errno());
        }
    }

    private Content sent(FileRequest request) throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            CompletableFuture<Content> received = destination.receive();
            client.send(request, destination.destination()).await(Await.LONG);
            destination.finishSending();
            return received.get();
        }
    }

    @Test
    void shouldObeyOptions() throws Exception {
        Technique technique = kind == ClientKind.JAVA ? Technique.SENDFILE : Technique.READ_WRITE;
        TransferOptions options = TransferOptions.DEFAULT.withTechnique(technique);
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            CompletableFuture<Content> received = destination.receive();
            FileRequest request = FileRequest.of("big").with(options);
            TransferDetails details = client.send(request, destination.destination())
                    .await(Await.LONG)
                    .details();
            destination.finishSending();

            assertEquals(big, received.get());
            assertNotNull(details);
            assertEquals(technique, details.technique());
        }
        try (TestDestination destination = TestDestination.open(full(), directory)) {
            FileRequest late =
                    FileRequest.of("big").with(TransferOptions.DEFAULT.withIdleTimeout(Duration.ofMillis(50)));
            TransferException e = failure(client.send(late, destination.destination()));
            assertEquals(Errno.ETIMEDOUT, e.errno());
            assertTrue(e.bytesMoved() > 0, e.toString());
        }
    }

    @Test
    void shouldSendWhatItHasOpenedAndTellWhatAnETagNeeds() throws Exception {
        Path name = running.root().resolve("big");
        Object accessed = Files.getAttribute(name, "lastAccessTime"); // before it is read
        try (OpenFile file = client.open("big").get();
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            FileDetails details = file.info().details();
            assertNotNull(details);
            assertEquals(Files.getAttribute(name, "unix:ino"), details.inode());
            assertEquals(BIG, details.size());
            assertEquals(Files.getAttribute(name, "unix:dev"), details.device());
            assertEquals(Files.getAttribute(name, "unix:mode"), details.mode());
            assertEquals(
                    Files.getLastModifiedTime(name), FileTime.from(file.info().modified()));
            assertEquals(
                    Files.getAttribute(name, "unix:ctime"),
                    FileTime.from(file.info().changed()));
            assertEquals(accessed, FileTime.from(file.info().accessed()));

            CompletableFuture<Content> received = destination.receive();
            file.send(destination.destination()).await(Await.LONG);
            destination.finishSending();
            assertEquals(big, received.get());
        }
        client.open("big").get().close(); // shows in the descriptors
    }

    @Test
    void shouldWarm() throws Exception {
        Transfer all = client.warm("big");
        assertEquals(BIG, all.await(Await.LONG).bytesMoved());
        Transfer part = client.warm(FileRequest.of("big").range(1_000, 100_000));
        assertEquals(100_000, part.await(Await.LONG).bytesMoved());
        assertEquals(Errno.ENOENT, failure(client.warm("absent")).errno());
    }

    @Test
    void shouldCompleteOnExecutorsInBatches() throws Exception {
        CountingExecutor executor = new CountingExecutor();
        CountDownLatch goOn = new CountDownLatch(1);
        executor.execute(() -> await(goOn)); // so that all of it piles up
        List<CompletableFuture<Thread>> threads = new ArrayList<>();
        FileRequest request = FileRequest.of("small").completingOn(executor);
        for (int i = 0; i < 100; i++) {
            threads.add(client.warm(request).result().thenApply(result -> Thread.currentThread()));
        }
        goOn.countDown();
        for (CompletableFuture<Thread> thread : threads) {
            assertEquals(executor.thread(), thread.get());
        }
        int tasks = executor.tasks();
        boolean batches = kind == ClientKind.JAVA || tasks <= 100; // its transfers are not in turns
        assertTrue(tasks > 1 && batches, tasks + " tasks for 100 transfers");

        try (FileContent content = client.read(request).content().get()) {
            assertEquals(Content.of(running.root().resolve("small")), Content.drain(content));
        }
        assertEquals(
                SMALL,
                client.readTo(request, Channels.newChannel(new ByteArrayOutputStream()))
                        .await(Await.LONG)
                        .bytesMoved());
        client.open(request).get().close();
        executor.close();
    }

    @Test
    void shouldCompleteWhateverAnExecutorDoes() throws Exception {
        AtomicReference<Thread> caller = new AtomicReference<>();
        List<Executor> executors = List.of(
                task -> {
                    throw new RejectedExecutionException("on purpose");
                },
                task -> {
                    throw new OutOfMemoryError("on purpose");
                },
                task -> { // in the calling thread, which may be an event loop's
                    caller.set(Thread.currentThread());
                    task.run();
                });
        for (Executor executor : executors) {
            FileRequest request = FileRequest.of("small").completingOn(executor);
            CompletableFuture<Thread> thread =
                    client.warm(request).result().thenApply(result -> Thread.currentThread());
            if (thread.get().getName().startsWith("sendfiled-loop")) {
                fail("the user's code was run by " + thread.get());
            }
        }
        assertNotNull(caller.get());
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- failures ----

    @Test
    void shouldSayThatNothingWasSentWhenItRefuses() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            TransferException absent = failure(client.send(FileRequest.of("absent"), destination.destination()));
            assertEquals(Errno.ENOENT, absent.errno());
            assertTrue(absent.isRefusal());
            assertEquals(0, absent.bytesMoved());

            FileRequest small = FileRequest.of("small");
            TransferException range = failure(client.send(small.range(0, SMALL + 1), destination.destination()));
            assertEquals(Errno.ERANGE, range.errno());
            TransferException root = failure(client.send(small.withRoot("unknown"), destination.destination()));
            assertEquals(Errno.EINVAL, root.errno());
            assertTrue(root.reason().contains("unknown"), root.reason());
        }
        CompletableFuture<OpenFile> open = client.open("absent");
        ExecutionException opened = assertThrows(ExecutionException.class, open::get);
        assertEquals(
                Errno.ENOENT,
                assertInstanceOf(TransferException.class, opened.getCause()).errno());
        assertEquals(Errno.ENOENT, failure(client.read("absent")).errno());
        if (kind != ClientKind.JAVA) {
            assertEquals(Errno.ENOENT, failure(client.readBuffer("absent")).errno());
        }
    }

    @Test
    void shouldSayHowMuchWasSentWhenThePeerGoesAway() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            FileRequest request = FileRequest.of("big").with(TransferOptions.DEFAULT.withDetails(true));
            Transfer transfer = client.send(request, destination.destination());
            long read = Content.drain(destination.receivingEnd(), 100_000).size();
            destination.closeReceivingEnd();

            TransferException e = failure(transfer);
            assertTrue(e.errno() == Errno.EPIPE || e.errno() == Errno.ECONNRESET, e.toString());
            assertTrue(e.bytesMoved() >= read && e.bytesMoved() < BIG, e.toString());
        }
    }

    @Test
    void shouldReleaseTheDestinationOfATransferThatIsCancelledInAnyWay() throws Exception {
        for (int way = 0; way < 3; way++) {
            try (TestDestination destination = TestDestination.open(full(), directory)) {
                Transfer transfer = client.send(FileRequest.of("big"), destination.destination());
                transfer.info().get();
                switch (way) {
                    case 0 -> transfer.cancel();
                    case 1 -> transfer.result().cancel(true);
                    default -> {
                        var unused = transfer.result().orTimeout(1, TimeUnit.MILLISECONDS);
                    }
                }
                TransferException e = failure(transfer);
                assertEquals(way < 2 ? Errno.ECANCELED : Errno.ETIMEDOUT, e.errno());

                destination.finishSending();
                assertTrue(Content.drain(destination.receivingEnd()).size() < BIG); // up to its end
            }
        }
    }

    /** What is full soon. Java alone cannot end a write to a pipe in blocking mode. */
    private TestDestination.Type full() {
        return kind == ClientKind.JAVA ? TestDestination.Type.UNIX : TestDestination.Type.PIPE;
    }

    private static TransferException failure(Transfer transfer) {
        return assertThrows(TransferException.class, () -> transfer.await(Await.LONG));
    }

    // ---- the end of the client ----

    @Test
    void shouldEndWhatIsInFlightWhenTheClientIsClosed() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.PIPE, directory);
                TestDestination second = TestDestination.open(TestDestination.Type.PIPE, directory)) {
            Transfer send = client.send(FileRequest.of("big"), destination.destination());
            OpenFile opened = client.open("big").get();
            send.info().get();

            expectQuickClose(List.of(send));

            destination.finishSending();
            assertTrue(Content.drain(destination.receivingEnd()).size() < BIG); // up to its end
            assertEquals(
                    Errno.ECANCELED, failure(opened.send(second.destination())).errno());
            TransferException after = failure(client.send(FileRequest.of("small"), second.destination()));
            assertTrue(after.isRefusal(), after.toString());
        }
    }

    @Test
    void shouldEndWhatADeadDiskHoldsWhenTheClientIsClosed() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectory(directory.resolve("behind"));
        Content.write(behind.resolve("held"), BIG);
        try (HeldDisk disk = HeldDisk.mount(running.root().resolve("disk"), behind, "held");
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            FileRequest held = FileRequest.of("disk/held");
            Transfer send = client.send(held, destination.destination());
            disk.awaitHeld();

            expectQuickClose(List.of(send, client.send(held, destination.destination()), client.read(held)));

            disk.release();
        }
    }

    @Test
    void shouldEndEveryTransferWhenItIsClosedAtAnyPoint() throws Exception {
        List<Transfer> all = new CopyOnWriteArrayList<>();
        AtomicLong submitted = new AtomicLong();
        long closeAfter = new SplittableRandom().nextLong(1, 3_000);
        Thread submitter = new Thread(() -> {
            FileRequest request = FileRequest.of("small");
            for (int i = 0; i < 3_000; i++) {
                Transfer transfer = client.warm(request);
                submitted.incrementAndGet();
                if (i % 10 == 0) {
                    all.add(transfer);
                }
            }
        });
        submitter.start();
        Await.until("some to be submitted", () -> submitted.get() >= closeAfter);

        client.close();

        submitter.join();
        for (Transfer transfer : all) {
            try {
                assertEquals(SMALL, transfer.await(Await.LONG).bytesMoved());
            } catch (TransferException e) {
                assertTrue(
                        e.errno() == Errno.ECANCELED
                                || e.errno() == Errno.EAGAIN
                                || e.errno() == Errno.EMFILE
                                || e.errno() == Errno.EDQUOT
                                || e.errno() == Errno.EBADF,
                        "after " + closeAfter + ": " + e);
            }
        }
    }

    private void expectQuickClose(List<Transfer> inFlight) {
        long begin = System.nanoTime();
        client.close();
        for (Transfer transfer : inFlight) {
            TransferException e = failure(transfer);
            assertEquals(Errno.ECANCELED, e.errno());
            assertTrue(e.reason().contains("closed"), e.reason());
        }
        long tookMs = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin);
        assertTrue(tookMs < 5_000, tookMs + " ms"); // one second, and a slow machine
    }
}
