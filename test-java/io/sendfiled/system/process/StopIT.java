package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.DaemonUnavailableException;
import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.TestDaemon;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** The end of a daemon: it tells those whom it lets down, leaves nothing behind, and a new one takes its place. */
@ParameterizedClass
@EnumSource(TestDaemon.Kind.class)
@Timeout(60)
final class StopIT {
    private static final int BIG = 20_000_000;
    private static final int PARALLEL = 16;
    private static final List<TestDestination.Type> TYPES = List.of(TestDestination.Type.values());

    /** What a client may hear of the end: in words, by the end of its status channel, or by nobody who listens. */
    private static final Set<String> ENDS = Set.of("ESHUTDOWN", "ECONNABORTED", "ECONNREFUSED");

    @TempDir
    private Path directory;

    @Parameter
    TestDaemon.Kind kind;

    @Test
    void shouldTellEveryClientWhoseTransferItEnds() throws Exception {
        try (TestDaemon daemon = TestDaemon.start(kind, directory, TestDaemon.Options.STANDARD);
                RawClient raw = daemon.rawClient();
                Status opened = prepare(daemon, raw);
                FileContent unread = daemon.client().read("big").content().get(20, TimeUnit.SECONDS)) {
            List<TestDestination> destinations = new ArrayList<>();
            List<Transfer> stuck = new ArrayList<>();
            for (TestDestination.Type type : TestDestination.Type.values()) {
                if (type != TestDestination.Type.FILE) {
                    TestDestination destination = TestDestination.open(type, directory);
                    destinations.add(destination);
                    Transfer transfer = daemon.client().send(FileRequest.of("big"), destination.destination());
                    assertEquals(BIG, transfer.info().get(20, TimeUnit.SECONDS).size());
                    stuck.add(transfer);
                }
            }

            daemon.stop();

            assertArrayEquals(new byte[] {(byte) Wire.TRANSFER_STATUS, Errno.ESHUTDOWN}, opened.rest());
            for (Transfer transfer : stuck) {
                assertEquals("ESHUTDOWN", failureOf(transfer).errnoName());
            }
            assertThrows(TransferException.class, () -> Content.drain(unread));
            for (TestDestination destination : destinations) {
                destination.finishSending();
                assertTrue(Content.drain(destination.receivingEnd()).size() < BIG);
                destination.close();
            }
            assertFalse(Files.exists(daemon.socket()));
        }
    }

    @Test
    void shouldBeFoundAgainByItsClientsAfterARestart() throws Exception {
        try (TestDaemon first = TestDaemon.start(kind, directory, TestDaemon.Options.STANDARD)) {
            Content content = Content.write(first.root().resolve("file"), 5_000);
            assertEquals(content, read(first.client()));

            first.stop();
            assertThrows(DaemonUnavailableException.class, () -> SendfiledClient.connect(directory, TestDaemon.NAME));
            assertInstanceOf(
                    TransferException.class,
                    assertThrows(
                                    CompletionException.class,
                                    () -> first.client().read("file").content().join())
                            .getCause());

            try (TestDaemon second = TestDaemon.start(kind, directory, TestDaemon.Options.STANDARD)) {
                assertEquals(content, read(first.client()));
                second.expectNoLeak();
            }
        }
    }

    @RepeatedTest(3)
    void shouldEndEveryTransferWhenItStopsUnderLoad() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(PARALLEL);
        AtomicInteger completed = new AtomicInteger();
        List<Future<TransferException>> ends = new ArrayList<>();
        try (TestDaemon daemon = TestDaemon.start(kind, directory, TestDaemon.Options.STANDARD)) {
            Content.write(daemon.root().resolve("file"), 300_000);
            for (int i = 0; i < PARALLEL; i++) {
                int number = i;
                ends.add(threads.submit(() -> sendUntilFailure(daemon, number, completed)));
            }
            Await.until("some transfers", () -> completed.get() > 10 * PARALLEL);

            daemon.stop();

            for (Future<TransferException> end : ends) {
                String errno = end.get(20, TimeUnit.SECONDS).errnoName();
                assertTrue(ENDS.contains(errno), errno);
            }
            assertFalse(Files.exists(daemon.socket()));
        } finally {
            threads.shutdownNow();
        }
    }

    private TransferException sendUntilFailure(TestDaemon daemon, int number, AtomicInteger completed)
            throws Exception {
        for (int i = number; ; i++) {
            try (TestDestination destination = TestDestination.open(TYPES.get(i % TYPES.size()), directory)) {
                CompletableFuture<Content> received = destination.receive();
                try {
                    daemon.client()
                            .send(FileRequest.of("file"), destination.destination())
                            .await(Await.LONG);
                    completed.incrementAndGet();
                } catch (TransferException e) {
                    return e;
                } finally {
                    destination.finishSending();
                    received.get(20, TimeUnit.SECONDS);
                }
            }
        }
    }

    /** An opened file, and files that the tests stop in the middle of. */
    private static Status prepare(TestDaemon daemon, RawClient raw) throws Exception {
        Content.write(daemon.root().resolve("big"), BIG);
        Status opened = raw.request(Wire.OPEN_FILE, "big");
        assertEquals(BIG, opened.info().size());
        return opened;
    }

    private static Content read(SendfiledClient client) throws Exception {
        try (FileContent content = client.read("file").content().get(20, TimeUnit.SECONDS)) {
            return Content.drain(content);
        }
    }

    private static TransferException failureOf(Transfer transfer) {
        CompletionException failure = assertThrows(
                CompletionException.class,
                () -> transfer.result().orTimeout(20, TimeUnit.SECONDS).join());
        return assertInstanceOf(TransferException.class, failure.getCause());
    }
}
