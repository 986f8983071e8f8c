package io.sendfiled.system.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.Destination;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransferResult;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
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

/** Clients that are killed, that change their minds, and destinations that are used again. */
@ParameterizedClass
@EachKind
@Timeout(120)
final class DisorderIT {
    private static final int BIG = 5_000_000;
    private static final int SMALL = 10_000;
    private static final int KILLS = 5;
    private static final int CANCELS = 600;
    private static final List<TestDestination.Type> TYPES = List.of(TestDestination.Type.values());

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    private static Content small;
    private static Content big;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        small = Content.write(daemon.root().resolve("small"), SMALL);
        big = Content.write(daemon.root().resolve("big"), BIG);
    }

    @ParameterizedTest
    @EnumSource(value = TestDestination.Type.class, mode = Mode.EXCLUDE, names = "FILE")
    void shouldLeaveTheDestinationToTheNextTransfer(TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory)) {
            for (int i = 0; i < 5; i++) {
                CompletableFuture<Content> received = receive(destination.receivingEnd(), i % 2 == 0 ? SMALL : BIG);
                daemon.client()
                        .send(FileRequest.of(i % 2 == 0 ? "small" : "big"), destination.destination())
                        .await(Await.LONG);
                assertEquals(i % 2 == 0 ? small : big, received.get(20, TimeUnit.SECONDS));
            }
        }
    }

    @Test
    void shouldWriteToAFileWhereItsPositionIs() throws Exception {
        Path file = Files.createTempFile(directory, "copy", "");
        try (FileChannel out = FileChannel.open(file, StandardOpenOption.WRITE)) {
            assertEquals(3, out.write(ByteBuffer.wrap(new byte[] {1, 2, 3})));
            sendTo(out, "small");
            assertEquals(3 + SMALL, out.position());
            sendTo(out, "big");
        }
        assertEquals(3 + SMALL + BIG, Files.size(file));
        assertEquals(small, Content.of(file, 3, SMALL));
        assertEquals(big, Content.of(file, 3 + SMALL, BIG));
    }

    @Test
    void shouldAppendToAFileThatIsOpenForAppending() throws Exception {
        Path file = Files.createTempFile(directory, "copy", "");
        try (FileChannel out = FileChannel.open(file, StandardOpenOption.APPEND)) {
            sendTo(out, "small");
            sendTo(out, "big");
        }
        assertEquals(SMALL + BIG, Files.size(file));
        assertEquals(small, Content.of(file, 0, SMALL));
        assertEquals(big, Content.of(file, SMALL, BIG));
    }

    @Test
    void shouldCleanUpAfterAClientThatIsKilled() throws Exception {
        for (int i = 0; i < KILLS; i++) {
            Process process = HelperProgram.start(
                    "client_driver", directory, TestDaemon.NAME, "many", 1_000_000, 32, daemon.root(), "small", "big");
            try {
                Await.until("the client to be at work", () -> daemon.hasMoreDescriptorsThanAtItsStart(20));
            } finally {
                process.destroyForcibly();
            }
            assertEquals(137, process.waitFor());
            daemon.expectNoLeak();
        }
    }

    @Test
    void shouldEndEachTransferOnceWheneverItIsCancelled() throws Exception {
        Random random = new Random(20261120);
        List<Attempt> attempts = new ArrayList<>();
        int cancelled = 0;
        for (int i = 0; i < CANCELS; i++) {
            TestDestination destination = TestDestination.open(TYPES.get(i % TYPES.size()), directory);
            Transfer transfer = daemon.client()
                    .send(FileRequest.of(random.nextInt(4) == 0 ? "big" : "small"), destination.destination());
            attempts.add(new Attempt(transfer, destination, destination.receive()));
            if (attempts.size() >= 20) {
                cancelled += attempts.remove(0).finish() ? 0 : 1;
            }
            if (random.nextBoolean()) {
                attempts.get(random.nextInt(attempts.size())).transfer().cancel();
            }
        }
        for (Attempt attempt : attempts) {
            cancelled += attempt.finish() ? 0 : 1;
        }
        assertTrue(cancelled > 0 && cancelled < CANCELS, cancelled + " were cancelled");
    }

    private record Attempt(Transfer transfer, TestDestination destination, CompletableFuture<Content> received) {
        /** Whether it was completed; cancelled is the only other thing that may have happened. */
        boolean finish() throws Exception {
            try (destination) {
                boolean completed;
                try {
                    TransferResult result = transfer.await(Await.LONG);
                    completed = result.bytesMoved() == (transfer.request().equals(FileRequest.of("big")) ? BIG : SMALL);
                    assertTrue(completed, transfer.toString());
                } catch (TransferException e) {
                    assertEquals("ECANCELED", e.errnoName(), e.toString());
                    completed = false;
                }
                destination.finishSending();
                Content content = received.get(20, TimeUnit.SECONDS);
                if (completed) {
                    assertEquals(content.size() == BIG ? big : small, content);
                }
                return completed;
            }
        }
    }

    private static CompletableFuture<Content> receive(ReadableByteChannel in, long size) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return Content.drain(in, size);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    private static void sendTo(FileChannel out, String path) throws Exception {
        daemon.client().send(FileRequest.of(path), Destination.of(out)).await(Await.LONG);
    }
}
