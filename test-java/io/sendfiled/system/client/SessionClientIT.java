package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.RegisteredBuffer;
import io.sendfiled.client.RegisteredDestination;
import io.sendfiled.client.RegisteredFile;
import io.sendfiled.client.RegisteredRequest;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransportKind;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.ClientKind;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What only a client over a session has to cope with. Daemon and client run in this process; every descriptor is counted. */
@Timeout(120)
final class SessionClientIT extends RegisteredCase {
    private static final int DEPTH = 512; // of the client
    private static final int QUEUED = 1_024; // likewise

    @Override
    ClientKind kind() {
        return ClientKind.CONNECTED;
    }

    private static int errnoOf(CompletableFuture<?> future) throws Exception {
        try {
            get(future);
            return 0;
        } catch (ExecutionException e) {
            return assertInstanceOf(TransferException.class, e.getCause()).errno();
        }
    }

    // ---- the ends of requests ----

    @Test
    void shouldEndARequestThatIsCancelled() throws Exception {
        try (TestDestination target = TestDestination.open(TestDestination.Type.UNIX, directory);
                RegisteredDestination to = client.register(target.destination());
                RegisteredFile file = get(client.registerFile("big"))) {
            CompletableFuture<Long> stuck = client.submit(RegisteredRequest.send(file, to));
            CompletableFuture<Long> waiting = client.submit(RegisteredRequest.send(file, to));
            assertEquals(TransportKind.SESSION, client.transport());
            assertTrue(stuck.cancel(true));
            assertTrue(waiting.cancel(true));
            close(to);
            target.finishSending();
            // the end comes only when no transfer of the daemon's has the socket any more
            assertTrue(get(target.receive()).size() < BIG);
        }
    }

    @Test
    void shouldReleaseWhatIsClosedBeforeItsRegistrationIsComplete() throws Exception {
        try (RegisteredFile file = get(client.registerFile("big"))) {
            for (int i = 0; i < 30; i++) { // it is complete soon, and nothing can hold it up
                try (TestDestination target = TestDestination.open(TestDestination.Type.UNIX, directory)) {
                    RegisteredDestination to = client.register(target.destination());
                    assertTrue(client.submit(RegisteredRequest.send(file, to)).cancel(true));
                    close(to);
                    target.finishSending();
                    assertTrue(get(target.receive()).size() < BIG);
                }
            }
        }
    }

    @Test
    void shouldEndRequestsThatWaitWhenTheyAreWithdrawn() throws Exception {
        try (TestDestination target = TestDestination.open(TestDestination.Type.UNIX, directory);
                RegisteredDestination to = client.register(target.destination());
                RegisteredFile file = get(client.registerFile("big"))) {
            RegisteredRequest send = RegisteredRequest.send(file, to);
            List<CompletableFuture<Long>> all = client.submitAll(Collections.nCopies(DEPTH + 2, send));
            CompletableFuture<Long> last = all.get(DEPTH + 1);
            assertFalse(last.isDone());
            client.withdraw(last);
            TransferException withdrawn = failure(last);
            assertEquals(Errno.ECANCELED, withdrawn.errno());
            assertTrue(withdrawn.isRefusal());
            assertFalse(all.get(0).isDone());
            all.forEach(client::withdraw);
            for (CompletableFuture<Long> one : all) {
                assertNotEquals(0, errnoOf(one));
            }
        }
    }

    @Test
    void shouldEndRequestsOnceWhenClosed() throws Exception {
        AtomicInteger ends = new AtomicInteger();
        List<CompletableFuture<Long>> futures = new ArrayList<>();
        try (TestDestination target = TestDestination.open(TestDestination.Type.UNIX, directory);
                RegisteredDestination to = client.register(target.destination());
                RegisteredFile file = get(client.registerFile("big"))) {
            for (int i = 0; i < 20; i++) {
                futures.add(client.submit(RegisteredRequest.send(file, to)));
            }
            for (CompletableFuture<Long> future : futures) {
                var unused = future.whenComplete((bytes, failure) -> ends.incrementAndGet());
            }
            client.close();
            for (CompletableFuture<Long> future : futures) {
                assertEquals(Errno.ECANCELED, failure(future).errno());
            }
            assertEquals(
                    Errno.ECANCELED,
                    failure(client.submit(RegisteredRequest.send(file, to))).errno());
            Await.until("each future to end", () -> ends.get() >= futures.size());
        }
        assertEquals(futures.size(), ends.get());
    }

    @Test
    void shouldGoOnWithTheNextDaemon() throws Exception {
        ClientKind.Running next = null;
        try (TestDestination target = TestDestination.open(TestDestination.Type.TCP, directory);
                RegisteredDestination to = client.register(target.destination());
                SharedBuffer buffer = SharedBuffer.allocate(SMALL);
                RegisteredBuffer into = client.register(buffer);
                RegisteredFile file = get(client.registerFile("small"))) {
            CompletableFuture<Content> received = target.receive();
            RegisteredRequest read = RegisteredRequest.read(FileRequest.of("small"), into, 0);
            assertEquals(SMALL, get(client.submit(read)));
            assertEquals(TransportKind.SESSION, client.transport());
            Objects.requireNonNull(running.engine()).close();
            Await.until("the session to end", () -> client.transport() == TransportKind.DATAGRAMS);
            next = startEngine();
            Await.until("another session", () -> {
                assertEquals(SMALL, client.submit(read).join());
                return client.transport() == TransportKind.SESSION;
            });
            assertEquals(SMALL, get(client.submit(read)));
            TransferException gone = failure(client.submit(RegisteredRequest.read(file, into, 0)));
            assertEquals(Errno.ECONNABORTED, gone.errno());
            assertTrue(gone.toString().contains("register it again"), gone.toString());
            assertEquals(BIG, get(client.submit(RegisteredRequest.send(FileRequest.of("big"), to))));
            close(to);
            target.finishSending();
            assertEquals(big, get(received));
            assertEquals(TransportKind.SESSION, client.transport());
        } finally {
            if (next != null) {
                next.close();
            }
        }
    }

    private void withoutSessions() throws IOException {
        try (var sockets = Files.newDirectoryStream(directory, "*.session")) {
            for (Path socket : sockets) {
                Files.delete(socket);
                Files.createFile(socket); // where nobody listens
            }
        }
    }

    @Test
    void shouldDoWithoutSessions() throws Exception {
        withoutSessions();
        try (TestDestination target = TestDestination.open(TestDestination.Type.TCP, directory);
                RegisteredDestination to = client.register(target.destination());
                SharedBuffer buffer = SharedBuffer.allocate(SMALL);
                RegisteredBuffer into = client.register(buffer);
                RegisteredFile file = get(client.registerFile("small"))) {
            CompletableFuture<Content> received = target.receive();
            assertEquals(SMALL, get(client.submit(RegisteredRequest.read(file, into, 0))));
            byte[] bytes = new byte[SMALL];
            buffer.view(0, SMALL).get(bytes);
            assertArrayEquals(small, bytes);
            assertEquals(0, get(client.submit(RegisteredRequest.warm(file))));
            assertEquals(BIG, get(client.submit(RegisteredRequest.send(FileRequest.of("big"), to))));
            close(to);
            target.finishSending();
            assertEquals(big, get(received));
            assertEquals(TransportKind.DATAGRAMS, client.transport());
        }
    }

    @Test
    void shouldWithdrawRequestsThatGoByDatagrams() throws Exception {
        withoutSessions();
        try (TestDestination target = TestDestination.open(TestDestination.Type.UNIX, directory);
                RegisteredDestination to = client.register(target.destination())) {
            CompletableFuture<Long> stuck = client.submit(RegisteredRequest.send(FileRequest.of("big"), to));
            int first = target.receivingEnd().read(ByteBuffer.allocate(PART)); // it has begun
            client.withdraw(stuck);
            TransferException withdrawn = failure(stuck);
            assertEquals(Errno.ECANCELED, withdrawn.errno());
            close(to);
            target.finishSending();
            assertTrue(withdrawn.bytesMoved() <= first + get(target.receive()).size());
            assertEquals(TransportKind.DATAGRAMS, client.transport());
        }
    }

    // ---- many ----

    @Test
    void shouldServeManyThreads() throws Exception {
        int threads = 8;
        int wave = 32;
        int waves = 80;
        ExecutorService executor = Executors.newFixedThreadPool(threads);
        try (SharedBuffer buffer = SharedBuffer.allocate((long) threads * wave * SMALL);
                RegisteredBuffer into = client.register(buffer);
                RegisteredFile file = get(client.registerFile("small"))) {
            List<Future<?>> readers = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                int from = t * wave;
                readers.add(executor.submit(() -> {
                    byte[] bytes = new byte[SMALL];
                    for (int w = 0; w < waves; w++) {
                        List<CompletableFuture<Long>> futures = new ArrayList<>();
                        for (int i = 0; i < wave; i++) {
                            buffer.view((long) (from + i) * SMALL, SMALL).put(new byte[SMALL]);
                            futures.add(client.submit(RegisteredRequest.read(file, into, (long) (from + i) * SMALL)));
                        }
                        for (int i = 0; i < wave; i++) {
                            assertEquals(SMALL, get(futures.get(i)));
                            buffer.view((long) (from + i) * SMALL, SMALL).get(bytes);
                            assertArrayEquals(small, bytes);
                        }
                    }
                    return null;
                }));
            }
            for (Future<?> one : readers) {
                one.get(60, TimeUnit.SECONDS);
            }
            assertEquals(TransportKind.SESSION, client.transport());
        } finally {
            executor.shutdownNow();
        }
    }

    @Test
    void shouldLetWaitWhatIsMoreThanThereAreSlotsFor() throws Exception {
        int most = DEPTH + QUEUED;
        try (SharedBuffer buffer = SharedBuffer.allocate((long) (most + 100) * PART);
                RegisteredBuffer into = client.register(buffer);
                RegisteredFile file = get(client.registerFile("small"))) {
            List<RegisteredRequest> reads = new ArrayList<>();
            for (int i = 0; i < most + 100; i++) {
                reads.add(RegisteredRequest.read(file, into, (long) i * PART).range(i, PART));
            }
            assertEquals(PART, get(client.submit(reads.get(0)))); // the buffer is registered
            List<CompletableFuture<Long>> all = client.submitAll(reads);
            assertEquals(Errno.EAGAIN, errnoOf(all.get(most + 99)));
            close(file); // what was submitted goes on
            close(into);
            byte[] bytes = new byte[PART];
            for (int i = 0; i < most; i++) {
                assertEquals(0, errnoOf(all.get(i)));
                buffer.view((long) i * PART, PART).get(bytes);
                assertArrayEquals(Arrays.copyOfRange(small, i, i + PART), bytes);
            }
            for (int i = most; i < all.size(); i++) {
                assertEquals(Errno.EAGAIN, errnoOf(all.get(i)));
            }
            assertEquals(Errno.EBADF, failure(client.submit(reads.get(0))).errno());
        }
    }

    @Test
    void shouldSendAHeaderOfAnySize() throws Exception {
        try (TestDestination target = TestDestination.open(TestDestination.Type.TCP, directory);
                RegisteredDestination to = client.register(target.destination());
                RegisteredFile file = get(client.registerFile("small"))) {
            CompletableFuture<byte[]> received = target.receiveBytes();
            byte[] header = "HTTP/1.1 200 OK\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
            RegisteredRequest send = RegisteredRequest.send(file, to);
            assertEquals(header.length + SMALL, get(client.submit(send.withHeader(header))));
            byte[] longer = new byte[4_058]; // the longest that a request can have
            assertEquals(longer.length + SMALL, get(client.submit(send.withHeader(longer))));
            close(to);
            target.finishSending();
            byte[] expected = new byte[header.length + SMALL + longer.length + SMALL];
            System.arraycopy(header, 0, expected, 0, header.length);
            System.arraycopy(small, 0, expected, header.length, SMALL);
            System.arraycopy(small, 0, expected, expected.length - SMALL, SMALL);
            assertArrayEquals(expected, get(received));
        }
    }

    // ---- what it costs ----

    @Test
    void shouldAllocateLittleButTheFuture() throws Exception {
        int wave = 64;
        try (SharedBuffer buffer = SharedBuffer.allocate((long) wave * SMALL);
                RegisteredBuffer into = client.register(buffer);
                RegisteredFile file = get(client.registerFile("small"))) {
            RegisteredRequest[] reads = new RegisteredRequest[wave];
            for (int i = 0; i < wave; i++) {
                reads[i] = RegisteredRequest.read(file, into, (long) i * SMALL);
            }
            @SuppressWarnings({"unchecked", "rawtypes"})
            CompletableFuture<Long>[] futures = new CompletableFuture[wave];
            assertEquals(SMALL, get(client.submit(reads[0])));
            run(reads, futures, 300); // the compiler, and what grows once
            long before = allocated();
            run(reads, futures, 300);
            long each = (allocated() - before) / (300L * wave);
            assertNotEquals(0, each); // it is measured
            assertTrue(each <= 160, each + " bytes a request");
        }
    }

    private void run(RegisteredRequest[] requests, CompletableFuture<Long>[] futures, int waves) throws Exception {
        for (int w = 0; w < waves; w++) {
            for (int i = 0; i < futures.length; i++) {
                futures[i] = client.submit(requests[i]);
            }
            for (CompletableFuture<Long> future : futures) {
                while (!future.isDone()) {
                    Thread.onSpinWait(); // to wait for a future allocates
                }
                assertEquals(SMALL, future.get().intValue());
            }
        }
    }

    /** By this thread, and those of clients. */
    private static long allocated() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long sum = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
        for (ThreadInfo thread : threads.getThreadInfo(threads.getAllThreadIds())) {
            if (thread != null && thread.getThreadName().startsWith("sendfiled-client-")) {
                sum += threads.getThreadAllocatedBytes(thread.getThreadId());
            }
        }
        return sum;
    }
}
