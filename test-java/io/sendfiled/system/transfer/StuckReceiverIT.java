package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** Receivers that stop reading, go away, or whose file shrinks: what they get, and that nobody else notices. */
@ParameterizedClass
@EachKind
@Timeout(60)
final class StuckReceiverIT {
    private static final int BIG = 67_108_864; // more than any socket's buffers hold
    private static final int WITNESSES = 100;

    @TempDir
    private static Path directory;

    @Daemon("loops=1")
    private static TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    private static Content small;
    private static Content big;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        small = Content.write(daemon.root().resolve("small"), 4096);
        big = Content.write(daemon.root().resolve("big"), BIG);
    }

    @Test
    void shouldServeEverybodyElseBesideReceiversThatDoNotRead() throws Exception {
        List<TestDestination> destinations = new ArrayList<>();
        List<Transfer> transfers = new ArrayList<>();
        for (TestDestination.Type type : TestDestination.Type.values()) {
            if (type != TestDestination.Type.FILE) {
                TestDestination destination = TestDestination.open(type, directory);
                destinations.add(destination);
                transfers.add(daemon.client().send(FileRequest.of("big"), destination.destination()));
            }
        }
        try (FileContent unread = daemon.client().read("big").content().get(20, TimeUnit.SECONDS)) {
            for (int i = 0; i < WITNESSES; i++) {
                assertEquals(small, read("small"));
            }
            for (Transfer transfer : transfers) {
                assertFalse(transfer.result().isDone(), transfer.toString());
            }

            assertEquals(big, Content.drain(unread));
        }
        for (int i = 0; i < transfers.size(); i++) {
            try (TestDestination destination = destinations.get(i)) {
                var received = destination.receive();
                assertEquals(BIG, transfers.get(i).await(Await.LONG).bytesMoved());
                destination.finishSending();
                assertEquals(big, received.get(20, TimeUnit.SECONDS));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = TestDestination.Type.class, mode = Mode.EXCLUDE, names = "FILE")
    void shouldTellWhyWhenTheReceiverGoesAway(TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory)) {
            Transfer transfer = daemon.client().send(FileRequest.of("big"), destination.destination());
            assertTrue(destination.receivingEnd().read(ByteBuffer.allocate(1_000)) > 0);
            destination.closeReceivingEnd();

            TransferException failure = failureOf(transfer);

            assertTrue(failure.errno() == Errno.EPIPE || failure.errno() == Errno.ECONNRESET, failure.toString());
            assertFalse(failure.isRefusal());
            assertTrue(failure.bytesMoved() < BIG);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = TestDestination.Type.class,
            names = {"UNIX", "UNIX_BLOCKING", "PIPE"})
    void shouldTellThatTheReceiverWasNeverThere(TestDestination.Type type) throws Exception {
        for (String path : new String[] {"small", "big"}) {
            try (TestDestination destination = TestDestination.open(type, directory)) {
                destination.closeReceivingEnd();

                TransferException failure =
                        failureOf(daemon.client().send(FileRequest.of(path), destination.destination()));

                assertEquals("EPIPE", failure.errnoName(), failure.toString());
                assertEquals(0, failure.bytesMoved());
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = TestDestination.Type.class, mode = Mode.EXCLUDE, names = "FILE")
    void shouldLetGoOfTheDestinationWhenCancelled(TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory)) {
            Transfer transfer = daemon.client().send(FileRequest.of("big"), destination.destination());
            assertTrue(destination.receivingEnd().read(ByteBuffer.allocate(1_000)) > 0);
            transfer.cancel();

            assertEquals("ECANCELED", failureOf(transfer).errnoName());
            destination.finishSending();
            assertTrue(Content.drain(destination.receivingEnd()).size() < BIG - 1_000);
        }
    }

    @ParameterizedTest
    @EnumSource(value = TestDestination.Type.class, mode = Mode.EXCLUDE, names = "FILE")
    void shouldTellHowMuchWasMovedWhileTheReceiverIsStuck(TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory)) {
            Transfer transfer = daemon.client().send(FileRequest.of("big"), destination.destination());

            Await.until("some progress", () -> transfer.bytesMoved() > 0);
            assertTrue(transfer.bytesMoved() < BIG);
            transfer.cancel();
            assertEquals("ECANCELED", failureOf(transfer).errnoName());
        }
    }

    @ParameterizedTest
    @EnumSource(value = TestDestination.Type.class, mode = Mode.EXCLUDE, names = "FILE")
    void shouldReportTruncationWhenTheFileShrinksMidTransfer(TestDestination.Type type) throws Exception {
        Path file = daemon.root().resolve("shrinking");
        Content.write(file, BIG);
        try (TestDestination destination = TestDestination.open(type, directory)) {
            Transfer transfer = daemon.client().send(FileRequest.of("shrinking"), destination.destination());
            assertTrue(destination.receivingEnd().read(ByteBuffer.allocate(1_000)) > 0);
            try (FileChannel writer = FileChannel.open(file, StandardOpenOption.WRITE)) {
                assertEquals(0, writer.truncate(0).size());
            }
            var received = destination.receive();

            TransferException failure = failureOf(transfer);

            assertEquals("ENODATA", failure.errnoName(), failure.toString());
            destination.finishSending();
            assertTrue(received.get(20, TimeUnit.SECONDS).size() < BIG);
        }
    }

    @Test
    void shouldEndAReadEarlyWhenTheFileShrinks() throws Exception {
        Path file = daemon.root().resolve("shrinking");
        Content.write(file, BIG);
        try (FileContent content = daemon.client().read("shrinking").content().get(20, TimeUnit.SECONDS)) {
            assertTrue(content.read(ByteBuffer.allocate(1_000)) > 0);
            try (FileChannel writer = FileChannel.open(file, StandardOpenOption.WRITE)) {
                assertEquals(0, writer.truncate(0).size());
            }

            assertThrows(TransferException.class, () -> Content.drain(content));
        }
    }

    private static Content read(String path) throws Exception {
        try (FileContent content = daemon.client().read(path).content().get(20, TimeUnit.SECONDS)) {
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
