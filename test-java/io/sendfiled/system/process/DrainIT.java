package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.DaemonUnavailableException;
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
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;

/** R15, R24: the time between the wish to stop and the end, in which what was accepted goes on and nothing new begins. */
@ParameterizedClass
@EachKind
@Timeout(60)
final class DrainIT {
    private static final int BIG = 20_000_000; // more than any receiver's buffers hold
    private static final int FOR_EVER_MS = 3_600_000;
    private static final int SHORT_MS = 300;
    private static final List<TestDestination.Type> TYPES = Stream.of(TestDestination.Type.values())
            .filter(type -> type != TestDestination.Type.FILE)
            .toList();

    @TempDir
    private Path directory;

    @Parameter
    TestDaemon.Kind kind;

    private TestDaemon start(int stopTimeoutMs) throws Exception {
        TestDaemon daemon =
                TestDaemon.start(kind, directory, TestDaemon.Options.STANDARD.with("stop-timeout", stopTimeoutMs));
        Content.write(daemon.root().resolve("big"), BIG);
        return daemon;
    }

    /** Begins to stop it, and returns once nobody can connect any more. */
    private static CompletableFuture<Void> beginStop(TestDaemon daemon) {
        CompletableFuture<Void> stopped = CompletableFuture.runAsync(daemon::stop);
        Await.until("the socket to go", () -> !Files.exists(daemon.socket()));
        return stopped;
    }

    @Test
    void shouldFinishWhatItHasAccepted() throws Exception {
        List<TestDestination> destinations = new ArrayList<>();
        List<Transfer> transfers = new ArrayList<>();
        try (TestDaemon daemon = start(FOR_EVER_MS);
                RawClient raw = daemon.rawClient();
                Status opened = raw.request(Wire.OPEN_FILE, "big");
                Status sent = raw.request(Wire.OPEN_FILE, "big");
                TestDestination early = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            long id = opened.info().id();
            raw.sendOpenFile(sent.info().id(), early.fd());
            early.finishSending();
            for (TestDestination.Type type : TYPES) {
                TestDestination destination = TestDestination.open(type, directory);
                destinations.add(destination);
                Transfer transfer = daemon.client().send(FileRequest.of("big"), destination.destination());
                assertEquals(BIG, transfer.info().get(20, TimeUnit.SECONDS).size());
                transfers.add(transfer);
            }

            CompletableFuture<Void> stopped = beginStop(daemon);

            assertArrayEquals(
                    new byte[] {(byte) Wire.TRANSFER_STATUS, Errno.ESHUTDOWN},
                    opened.rest(),
                    "it would not end by itself");
            try (TestDestination late = TestDestination.open(TestDestination.Type.UNIX, directory)) {
                raw.sendOpenFile(id, late.fd());
                late.finishSending();
                assertEquals(0, Content.drain(late.receivingEnd()).size());
            }
            assertFalse(stopped.isDone());
            assertEquals(Content.of(daemon.root().resolve("big")), Content.drain(early.receivingEnd()));
            for (int i = 0; i < transfers.size(); i++) {
                CompletableFuture<Content> received = destinations.get(i).receive();
                transfers.get(i).await(Await.LONG);
                destinations.get(i).finishSending();
                assertEquals(Content.of(daemon.root().resolve("big")), received.get(20, TimeUnit.SECONDS));
                destinations.get(i).close();
            }
            stopped.get(20, TimeUnit.SECONDS); // and not after an hour
        }
    }

    @Test
    void shouldRefuseWhatIsNew() throws Exception {
        try (TestDaemon daemon = start(FOR_EVER_MS);
                RawClient raw = daemon.rawClient();
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            Transfer moves = daemon.client().send(FileRequest.of("big"), destination.destination());
            assertEquals(BIG, moves.info().get(20, TimeUnit.SECONDS).size());

            CompletableFuture<Void> stopped = beginStop(daemon);

            for (int command : new int[] {Wire.OPEN_FILE, Wire.READ_FILE}) {
                try (Status refused = raw.request(command, "big")) {
                    assertArrayEquals(new byte[] {(byte) Wire.FILE_INFO, Errno.ESHUTDOWN}, refused.rest());
                }
            }
            CompletionException failure = assertThrows(
                    CompletionException.class,
                    () -> daemon.client().read("big").content().join());
            assertEquals(
                    "ESHUTDOWN",
                    assertInstanceOf(TransferException.class, failure.getCause())
                            .errnoName());
            assertThrows(DaemonUnavailableException.class, () -> SendfiledClient.connect(directory, TestDaemon.NAME));
            assertFalse(stopped.isDone());

            daemon.hurry();
            stopped.get(20, TimeUnit.SECONDS);
            assertThrows(
                    CompletionException.class,
                    () -> moves.result().orTimeout(20, TimeUnit.SECONDS).join());
        }
    }

    @Test
    void shouldEndAtOnceWhenFilesAreOpenedAndNoneIsSent() throws Exception { // R24
        try (TestDaemon daemon = start(FOR_EVER_MS);
                RawClient raw = daemon.rawClient();
                Status opened = raw.request(Wire.OPEN_FILE, "big");
                Status other = raw.request(Wire.OPEN_FILE, "big")) {
            assertEquals(BIG, opened.info().size());
            assertEquals(BIG, other.info().size());

            beginStop(daemon).get(20, TimeUnit.SECONDS); // and not after an hour

            assertArrayEquals(new byte[] {(byte) Wire.TRANSFER_STATUS, Errno.ESHUTDOWN}, opened.rest());
            assertArrayEquals(new byte[] {(byte) Wire.TRANSFER_STATUS, Errno.ESHUTDOWN}, other.rest());
        }
    }

    @Test
    void shouldEndWhatDoesNotGoOnWhenTheTimeIsOver() throws Exception {
        try (TestDaemon daemon = start(SHORT_MS);
                RawClient raw = daemon.rawClient();
                Status opened = raw.request(Wire.OPEN_FILE, "big");
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            assertEquals(BIG, opened.info().size());
            Transfer stuck = daemon.client().send(FileRequest.of("big"), destination.destination());
            assertEquals(BIG, stuck.info().get(20, TimeUnit.SECONDS).size());
            long begin = System.nanoTime();

            daemon.stop();

            assertTrue(System.nanoTime() - begin >= TimeUnit.MILLISECONDS.toNanos(SHORT_MS), "it did not wait");
            assertArrayEquals(new byte[] {(byte) Wire.TRANSFER_STATUS, Errno.ESHUTDOWN}, opened.rest());
            CompletionException failure = assertThrows(
                    CompletionException.class,
                    () -> stuck.result().orTimeout(20, TimeUnit.SECONDS).join());
            assertEquals(
                    "ESHUTDOWN",
                    assertInstanceOf(TransferException.class, failure.getCause())
                            .errnoName());
            destination.finishSending();
            assertTrue(Content.drain(destination.receivingEnd()).size() < BIG);
        }
    }

    @Test
    void shouldEndAtOnceWhenItHasNothingToDo() throws Exception {
        try (TestDaemon daemon = start(FOR_EVER_MS)) {
            daemon.stop(); // a forked one is waited for 20 seconds
            assertFalse(Files.exists(daemon.socket()));
        }
    }
}
