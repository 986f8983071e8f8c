package io.sendfiled.client;

import static io.sendfiled.support.ScriptedDaemon.complete;
import static io.sendfiled.support.ScriptedDaemon.fileInfo;
import static io.sendfiled.support.ScriptedDaemon.join;
import static io.sendfiled.support.ScriptedDaemon.progress;
import static io.sendfiled.support.ScriptedDaemon.refusal;
import static io.sendfiled.support.ScriptedDaemon.result;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.ScriptedDaemon.Request;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.transport.Baton;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The user's code inside the client, and the user's interrupts: whatever it throws, and however long it waits, every other
 * transfer goes on, every future ends, and nobody is told that the client was closed.
 */
@Timeout(60)
final class ForeignCodeTest extends ClientTestCase {

    /** It has a data channel. */
    private static final FileRequest WITH_OPTIONS = FileRequest.of("a").with(TransferOptions.DEFAULT.withDetails(true));

    /** What a method of the user's may throw, beside what it may. */
    private static final List<Supplier<Throwable>> THROWN = List.of(
            () -> new IllegalStateException("on purpose"),
            () -> new AssertionError("on purpose"),
            () -> new StackOverflowError("on purpose"),
            () -> new OutOfMemoryError("on purpose"),
            () -> new NoClassDefFoundError("on purpose"),
            () -> new IOException("an exception that is not declared, on purpose"));

    // ---- what is thrown ----

    @Test
    void shouldGoOnWhateverAListenerThrows() throws Exception {
        Transfer bystander = send();
        Request other = daemon.receive();
        for (Supplier<Throwable> thrown : THROWN) {
            Transfer transfer = send();
            transfer.onProgress((moved, total) -> throwAny(thrown.get()));
            daemon.status(daemon.receive(), join(fileInfo(100, ID), progress(1), complete()));

            assertEquals(100, transfer.await(Await.LONG).bytesMoved());
        }
        daemon.status(other, join(fileInfo(3, ID), complete()));
        assertEquals(3, bystander.await(Await.LONG).bytesMoved());
    }

    @Test
    void shouldGoOnWhateverADependentActionThrows() throws Exception {
        for (Supplier<Throwable> thrown : THROWN) {
            Transfer transfer = send();
            CompletableFuture<Void> ofInfo = transfer.info().thenAccept(info -> throwAny(thrown.get()));
            CompletableFuture<Void> ofResult = transfer.result().thenAccept(info -> throwAny(thrown.get()));
            daemon.status(daemon.receive(), join(fileInfo(100, ID), complete()));

            transfer.await(Await.LONG);

            assertTrue(fails(ofInfo));
            assertTrue(fails(ofResult));
        }
    }

    @Test
    void shouldFailACopyWhateverItsTargetThrows() throws Exception {
        for (Supplier<Throwable> thrown : THROWN) {
            Transfer transfer = client.readTo("a", target(bytes -> {
                throwAny(thrown.get());
                return 0;
            }));
            daemon.status(nextRequest(), join(fileInfo(5, ID), new byte[5]));

            TransferException e = failure(transfer);

            assertTrue(e.toString().contains("on purpose"), e.toString());
            assertTrue(fails(transfer.result()));
        }
    }

    @Test
    void shouldSayWhyWhenTheCopyingThreadIsInterrupted() throws Exception {
        Transfer transfer = client.readTo("a", target(bytes -> {
            bytes.position(bytes.limit());
            Thread.currentThread().interrupt();
            return 1;
        }));
        daemon.status(daemon.receive(), join(fileInfo(5, ID), new byte[1]));

        TransferException e = failure(transfer);

        assertEquals("read a: the reading thread was interrupted (EINTR) after 1 bytes", e.getMessage());
    }

    @Test
    void shouldFailACopyWhateverTheExecutorThrows() throws Exception {
        List<Supplier<Throwable>> thrown = new ArrayList<>(THROWN);
        thrown.add(() -> new RejectedExecutionException("on purpose"));
        Queue<Throwable> next = new ConcurrentLinkedQueue<>();
        Executor executor = task -> throwAny(next.remove());
        try (SendfiledClient copying = SendfiledClient.builder()
                .socketDirectory(directory)
                .name("test")
                .copyExecutor(executor)
                .connect()) {
            for (Supplier<Throwable> one : thrown) {
                next.add(one.get());
                Transfer transfer = copying.readTo("a", Channels.newChannel(new ByteArrayOutputStream()));
                daemon.status(nextRequest(), join(fileInfo(5, ID), new byte[5]));

                assertEquals(
                        "read a: the executor for copying refused (EIO)",
                        failure(transfer).getMessage());
            }
        }
    }

    @Test
    void shouldTellInTheFutureWhateverADestinationOrASourceThrows() throws Exception {
        for (Supplier<Throwable> thrown : THROWN) {
            Destination broken = () -> throwAny(thrown.get());
            Source source = () -> throwAny(thrown.get());
            CompletableFuture<OpenFile> opened = client.open("a");
            daemon.status(daemon.receive(), fileInfo(5, ID));
            for (Transfer transfer : List.of(
                    client.send(FileRequest.of("a"), broken),
                    client.send(FileRequest.of(source), Destination.of(pipe.sink())),
                    opened.get().send(broken))) {
                TransferException e = failure(transfer);

                assertTrue(e.toString().contains("on purpose"), e.toString());
                assertTrue(e.isRefusal());
            }
            assertEquals(Wire.CANCEL, daemon.receive().command());
        }
        assertTrue(failure(client.send(FileRequest.of("a"), nothing())).isRefusal());
    }

    @Test
    void shouldFailAlthoughTheNameOfASourceCannotBeTold() throws Exception {
        for (Supplier<Throwable> thrown : THROWN) {
            Source source = new Source() {
                @Override
                public OwnedFd duplicate() throws IOException {
                    throw new IOException("Permission denied");
                }

                @Override
                public String name() {
                    return throwAny(thrown.get());
                }
            };

            TransferException e = failure(client.send(FileRequest.of(source), Destination.of(pipe.sink())));

            assertEquals("send an open file: Permission denied (EACCES)", e.getMessage());
        }
    }

    @Test
    void shouldReadAlthoughTheUserHasCompletedTheInformation() throws Exception {
        for (boolean empty : new boolean[] {true, false}) {
            ReadTransfer transfer = client.read("a");
            transfer.info().cancel(true);
            daemon.status(daemon.receive(), join(fileInfo(empty ? 0 : 5, ID), new byte[empty ? 0 : 5]));

            FileContent content = transfer.content().get(20, TimeUnit.SECONDS);

            assertEquals(empty ? 0 : 5, Channels.newInputStream(content).readAllBytes().length);
            assertEquals(empty ? 0 : 5, transfer.await(Await.LONG).bytesMoved());
        }
    }

    // ---- what waits ----

    @Test
    void shouldGoOnWithOtherTransfersWhileActionsWait() throws Exception {
        CountDownLatch goOn = new CountDownLatch(1);
        AtomicInteger waiting = new AtomicInteger();
        List<Transfer> held = new ArrayList<>();
        List<Request> requests = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            Transfer transfer = send();
            Runnable waits = () -> {
                waiting.incrementAndGet();
                uninterruptibly(goOn);
            };
            if (i % 2 == 0) {
                transfer.onProgress((moved, total) -> waits.run());
            } else {
                var unused = transfer.info().thenRun(waits);
            }
            held.add(transfer);
            requests.add(daemon.receive());
            daemon.status(requests.get(i), join(fileInfo(100, ID), progress(30)));
            int expected = i + 1;
            Await.until("the action to wait", () -> waiting.get() == expected);
            daemon.status(requests.get(i), progress(30)); // nobody must read this meanwhile

            Transfer other = send();
            daemon.status(daemon.receive(), join(fileInfo(7, ID), progress(7), complete()));

            assertEquals(7, other.await(Await.LONG).bytesMoved());
            ReadTransfer read = client.read("a");
            daemon.status(daemon.receive(), join(fileInfo(5, ID), new byte[] {1, 2, 3, 4, 5}));
            FileContent content = read.content().get(20, TimeUnit.SECONDS);
            assertEquals(5, Channels.newInputStream(content).readAllBytes().length);
            ReadTransfer failing = client.read(WITH_OPTIONS);
            Request failingRequest = daemon.receive();
            daemon.status(failingRequest, fileInfo(5, ID));
            FileContent none = failing.content().get(20, TimeUnit.SECONDS);
            daemon.close(failingRequest, 1);
            daemon.status(failingRequest, result(Errno.ENODATA, 0, 1, 0, 1));
            assertThrows(TransferException.class, () -> none.read(ByteBuffer.allocate(1)));
            assertEquals(Errno.ENODATA, failure(failing).errno());
            Transfer cancelled = client.read("a");
            nextRequest();
            cancelled.cancel();
            assertEquals(Errno.ECANCELED, failure(cancelled).errno());
        }
        for (Transfer transfer : held) {
            assertFalse(transfer.result().isDone());
        }

        goOn.countDown();

        for (int i = 0; i < held.size(); i++) {
            daemon.status(requests.get(i), complete());
            assertEquals(100, held.get(i).await(Await.LONG).bytesMoved());
        }
    }

    @Test
    void shouldLetAnActionWaitForAnotherTransfer() throws Exception {
        CompletableFuture<Long> second = send().result().thenApply(result -> {
            try {
                return send().await(Await.LONG).bytesMoved();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        daemon.status(daemon.receive(), join(fileInfo(7, ID), complete()));

        daemon.status(daemon.receive(), join(fileInfo(9, ID), complete()));

        assertEquals(9, second.get(20, TimeUnit.SECONDS));
    }

    @Test
    void shouldTellAListenerInOrderAndByOneThreadAtATime() throws Exception {
        List<Long> heard = new ArrayList<>(); // by one thread at a time, or the test fails now and then
        AtomicInteger inside = new AtomicInteger();
        Transfer transfer = send();
        transfer.onProgress((moved, total) -> {
            assertEquals(1, inside.incrementAndGet());
            long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(3L * Baton.LIMIT_MS);
            while (System.nanoTime() < until) { // long enough for another thread to go on
                Thread.onSpinWait();
            }
            heard.add(moved);
            inside.decrementAndGet();
        });
        Request request = daemon.receive();
        daemon.status(request, fileInfo(10, ID));
        for (int i = 0; i < 9; i++) {
            daemon.status(request, progress(1));
        }
        daemon.status(request, complete());

        transfer.await(Await.LONG);

        assertEquals(List.of(1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L, 10L), heard);
    }

    @Test
    void shouldEndEverythingWhenItIsClosedWhileActionsWait() throws Exception {
        CountDownLatch goOn = new CountDownLatch(1);
        CountDownLatch waits = new CountDownLatch(1);
        List<Transfer> all = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            Transfer transfer = send();
            var unused = transfer.result().whenComplete((result, failure) -> {
                waits.countDown();
                uninterruptibly(goOn);
            });
            daemon.status(daemon.receive(), fileInfo(100, ID));
            transfer.info().get(20, TimeUnit.SECONDS);
            all.add(transfer);
        }
        long begin = System.nanoTime();

        client.close();

        assertTrue(Duration.ofNanos(System.nanoTime() - begin).toSeconds() < 10);
        for (Transfer transfer : all) {
            Await.until("the end", () -> transfer.result().isDone());
            assertEquals(Errno.ECANCELED, failure(transfer).errno());
        }
        goOn.countDown();
        waits.await();
    }

    @Test
    void shouldRefuseWhatHasWaitedWithoutWaitingForAnAction() throws Exception {
        List<Transfer> queued = new ArrayList<>();
        CountDownLatch goOn = new CountDownLatch(1);
        for (int i = 0; i < 40; i++) { // the kernel's queue holds some ten of them
            Transfer transfer = send();
            var unused = transfer.result().whenComplete((result, failure) -> uninterruptibly(goOn));
            queued.add(transfer);
        }

        daemon.close();

        for (Transfer transfer : queued) {
            Await.until("the end", () -> transfer.result().isDone());
        }
        goOn.countDown();
    }

    // ---- interrupts ----

    @Test
    void shouldNeitherSpinNorFailWhenItsThreadIsInterrupted() throws Exception {
        Transfer running = send();
        Request request = daemon.receive();
        daemon.status(request, fileInfo(100, ID));
        running.info().get(20, TimeUnit.SECONDS);
        List<Thread> own = clientThreads();
        assertFalse(own.isEmpty());
        CountDownLatch acted = new CountDownLatch(1);
        running.onProgress((moved, total) -> {
            Thread.currentThread().interrupt(); // as after an InterruptedException
            acted.countDown();
        });

        own.forEach(Thread::interrupt);
        daemon.status(request, progress(1));
        acted.await();

        long before = cpuNs(own);
        Transfer other = send();
        Request second = daemon.receive();
        for (int i = 0; i < 20; i++) { // gives a spinning thread the time to be seen
            daemon.status(second, i == 0 ? fileInfo(100, ID) : progress(1));
            int moved = i;
            Await.until("progress", () -> other.bytesMoved() == moved);
        }
        long begin = System.nanoTime();
        while (System.nanoTime() - begin < TimeUnit.MILLISECONDS.toNanos(200)) {
            Thread.onSpinWait();
        }
        assertTrue(cpuNs(own) - before < TimeUnit.MILLISECONDS.toNanos(100), "the watcher spins");
        daemon.status(second, complete());
        assertEquals(100, other.await(Await.LONG).bytesMoved());
        daemon.status(request, complete());
        assertEquals(100, running.await(Await.LONG).bytesMoved());
    }

    @Test
    void shouldCloseWhateverTheCallersInterruptStatus() throws Exception {
        Transfer transfer = send();
        daemon.status(daemon.receive(), fileInfo(100, ID));
        transfer.info().get(20, TimeUnit.SECONDS);

        Thread.currentThread().interrupt();
        client.close();

        assertTrue(Thread.interrupted(), "the interrupt is remembered");
        assertTrue(transfer.result().isDone(), "and the close has waited");
    }

    private List<Thread> clientThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().matches("sendfiled-client-\\d+(-spare)?"))
                .toList();
    }

    private static long cpuNs(List<Thread> threads) {
        return threads.stream()
                .mapToLong(thread ->
                        Math.max(0, ManagementFactory.getThreadMXBean().getThreadCpuTime(thread.getId())))
                .sum();
    }

    // ---- what is forgotten ----

    @Test
    void shouldReclaimAContentThatIsForgotten() throws Exception {
        for (FileRequest request : List.of(FileRequest.of("a"), WITH_OPTIONS)) {
            ReadTransfer[] transfer = {client.read(request)};
            daemon.status(daemon.receive(), fileInfo(5, ID));
            assertNotNull(transfer[0].content().get(20, TimeUnit.SECONDS));
            CompletableFuture<TransferResult> result = transfer[0].result();

            transfer[0] = null;

            untilCollected("the result", result::isDone);
            TransferException e = assertInstanceOf(
                    TransferException.class,
                    assertThrows(ExecutionException.class, result::get).getCause());
            assertEquals("read a: its content was forgotten, neither read nor closed (ECANCELED)", e.getMessage());
            assertEquals(ID, daemon.receive().transferId());
        }
    }

    @Test
    void shouldEndACopyThatItsExecutorHasDropped() throws Exception {
        try (SendfiledClient dropping = SendfiledClient.builder()
                .socketDirectory(directory)
                .name("test")
                .copyExecutor(task -> {})
                .connect()) {
            Transfer transfer = dropping.readTo("a", Channels.newChannel(new ByteArrayOutputStream()));
            daemon.status(daemon.receive(), fileInfo(5, ID));

            untilCollected("the result", () -> transfer.result().isDone());

            assertEquals(Errno.ECANCELED, failure(transfer).errno());
        }
    }

    @Test
    void shouldReclaimAnOpenFileThatIsForgotten() throws Exception {
        CompletableFuture<OpenFile> opened = client.open("a");
        Request request = daemon.receive();
        daemon.status(request, fileInfo(5, ID));
        opened.get(20, TimeUnit.SECONDS);

        opened = null;

        CompletableFuture<Request> cancel = CompletableFuture.supplyAsync(this::nextOfAll);
        untilCollected("the cancel", cancel::isDone);
        assertEquals(Wire.CANCEL, cancel.get().command());
        daemon.end(request);
    }

    @Test
    void shouldKeepWhatIsInUse() throws Exception {
        Transfer sending = SendfiledClient.connect(directory, "test").send("a", Destination.of(pipe.sink()));
        Request send = daemon.receive();
        daemon.status(send, fileInfo(5, ID));
        FileContent content;
        ReadTransfer reading = client.read("a");
        Request read = daemon.receive();
        daemon.status(read, join(fileInfo(2, ID), new byte[] {1}));
        content = reading.content().get(20, TimeUnit.SECONDS);
        reading = null;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int i = 0; i < 3; i++) {
            System.gc();
        }

        daemon.status(read, new byte[] {2});
        Channels.newInputStream(content).transferTo(bytes);
        assertEquals(2, bytes.size());
        daemon.status(send, complete());
        assertEquals(5, sending.await(Await.LONG).bytesMoved());
        sending = null;
        client.close();
        int ofThePipe = 2;
        untilCollected(
                "the forgotten client's descriptors", () -> OpenDescriptors.count() <= descriptorsBefore + ofThePipe);
    }

    @Test
    void shouldReclaimAClientThatIsForgotten() throws Exception {
        int before = clientThreads().size();
        assertThrows(TransferException.class, () -> {
            Transfer refused = SendfiledClient.connect(directory, "test").send("a", Destination.of(pipe.sink()));
            daemon.status(daemon.receive(), refusal(Errno.EACCES));
            refused.await(Await.LONG);
        });

        untilCollected("its threads", () -> clientThreads().size() <= before);
    }

    private static void untilCollected(String what, java.util.function.BooleanSupplier condition) {
        Await.until(what, () -> {
            System.gc();
            return condition.getAsBoolean();
        });
    }

    // ---- helpers ----

    private Transfer send() {
        return client.send("a", Destination.of(pipe.sink()));
    }

    /** The next request that is no Cancel. */
    private Request nextRequest() throws IOException {
        Request request = daemon.receive();
        while (request.command() == Wire.CANCEL) {
            request = daemon.receive();
        }
        return request;
    }

    private Request nextOfAll() {
        try {
            return daemon.receive();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static TransferException failure(Transfer transfer) {
        return assertThrows(TransferException.class, () -> transfer.await(Await.LONG));
    }

    private static boolean fails(CompletableFuture<?> future) {
        Await.until("the future", future::isDone);
        return future.isCompletedExceptionally();
    }

    @SuppressWarnings("NullAway") // as user's code can be that nobody checks
    private static Destination nothing() {
        return () -> null;
    }

    private interface Write {
        int of(ByteBuffer bytes);
    }

    private static WritableByteChannel target(Write write) {
        return new WritableByteChannel() {
            @Override
            public int write(ByteBuffer bytes) {
                return write.of(bytes);
            }

            @Override
            public boolean isOpen() {
                return true;
            }

            @Override
            public void close() {}
        };
    }

    /** Throws anything where nothing is declared, as Kotlin and Scala do. */
    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
    private static <R, T extends Throwable> R throwAny(Throwable t) throws T {
        throw (T) t;
    }

    private static void uninterruptibly(CountDownLatch latch) {
        boolean waiting = true;
        while (waiting) {
            try {
                latch.await();
                waiting = false;
            } catch (InterruptedException e) {
                waiting = true;
            }
        }
    }
}
