package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.Descriptor;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Info;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Target;
import io.sendfiled.support.TestDestination;
import io.sendfiled.support.Way;
import io.sendfiled.system.Connected;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.Sending;
import io.sendfiled.system.Sending.Operation;
import io.sendfiled.system.TestDaemon;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Files that shrink or grow while they are sent, by every technique that fits: the bytes that are left and a count of them,
 * or the range that was asked for and no more. Never a byte that is not the file's.
 */
@ParameterizedClass
@EachKind
@Timeout(120)
final class ChangingFileIT {
    private static final int SIZE = 300_003;
    private static final int[] SHRUNK = {0, 98_304, 100_000, SIZE - 3}; // none, whole pages, not, the last page's
    private static final int BIG = 16 * 1024 * 1024; // more than any receiver's buffers hold
    private static final int SLOW = 64 * 1024; // bytes a second: minutes for a big file
    private static final int GROWN = 500_000;

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    /** What the changing file was in the beginning. */
    private static Path original;

    private static Path bigOriginal;

    @Connected
    private RawClient client;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        original = directory.resolve("original");
        bigOriginal = directory.resolve("big-original");
        Content.write(original, SIZE);
        Content.write(bigOriginal, BIG);
    }

    static Stream<Arguments> cellsThatFit() {
        return Stream.of(Target.values()).flatMap(target -> Stream.of(Way.values())
                .filter(target::takes)
                .filter(way -> way != Way.COPY_FILE_RANGE || !target.isElsewhere())
                .map(way -> Arguments.of(target, way)));
    }

    static Stream<Arguments> cellsThatCanBeFull() {
        return cellsThatFit().filter(cell -> ((Target) cell.get()[0]).canBeFull());
    }

    static Stream<Arguments> cellsThatAreNeverFull() {
        return cellsThatFit().filter(cell -> !((Target) cell.get()[0]).canBeFull());
    }

    @ParameterizedTest
    @MethodSource("cellsThatFit")
    void shouldSendWhatIsLeftOfAFileThatShrankAfterItsOpening(Target target, Way way) throws Exception {
        for (int left : SHRUNK) {
            Path file = copy(original);
            try (TestDestination destination = target.open(directory);
                    Status status = client.request(open(way), -1, -1)) {
                Info info = status.info();
                CompletableFuture<Content> received = destination.receive();
                truncate(file, left);

                client.sendOpenFile(info.id(), destination.fd());
                Outcome outcome = Outcome.ofRest(status);

                expectTruncated(left, outcome);
                destination.finishSending();
                expectReceived(target, original, left, received);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cellsThatFit")
    void shouldSendNoMoreOfAFileThatGrewAfterItsOpening(Target target, Way way) throws Exception {
        Path file = copy(original);
        try (TestDestination destination = target.open(directory);
                Status status = client.request(open(way), -1, -1)) {
            Info info = status.info();
            CompletableFuture<Content> received = destination.receive();
            grow(file);

            client.sendOpenFile(info.id(), destination.fd());
            Outcome outcome = Outcome.ofRest(status);

            assertTrue(outcome.complete(), outcome.toString());
            assertEquals(SIZE, outcome.moved());
            destination.finishSending();
            expectReceived(target, original, SIZE, received);
        }
    }

    @ParameterizedTest
    @MethodSource("cellsThatCanBeFull")
    void shouldCountWhatWasSentOfAFileThatShrinksBeforeAFullReceiver(Target target, Way way) throws Exception {
        Path file = copy(bigOriginal);
        try (TestDestination destination = target.open(directory);
                Sending sending = Sending.start(daemon, client, Operation.SEND_FILE, send(way), destination.fd())) {
            int flags = Descriptor.flags(destination.fd());
            int begun = destination.receivingEnd().read(ByteBuffer.allocate(1));
            truncate(file, 0);
            assertEquals(flags, Descriptor.flags(destination.fd()));
            CompletableFuture<Content> received = destination.receive();

            Outcome outcome = sending.await();

            expectTruncated(outcome.moved(), outcome);
            assertTrue(outcome.moved() > 0 && outcome.moved() < BIG, outcome.toString());
            destination.finishSending();
            assertEquals(Content.of(bigOriginal, begun, outcome.moved() - begun), received.get(20, TimeUnit.SECONDS));
        }
    }

    @ParameterizedTest
    @MethodSource("cellsThatCanBeFull")
    void shouldSendTheRangeOnlyOfAFileThatGrowsBeforeAFullReceiver(Target target, Way way) throws Exception {
        Path file = copy(bigOriginal);
        int size = target == Target.TERMINAL ? 1_000_000 : BIG; // it is slow
        try (TestDestination destination = target.open(directory);
                Sending sending = Sending.start(
                        daemon, client, Operation.SEND_FILE, send(way).range(0, size), destination.fd())) {
            int begun = destination.receivingEnd().read(ByteBuffer.allocate(1));
            grow(file);
            CompletableFuture<Content> received = destination.receive();

            Outcome outcome = sending.await();

            assertTrue(outcome.complete(), outcome.toString());
            destination.finishSending();
            assertEquals(Content.of(bigOriginal, begun, size - begun), received.get(20, TimeUnit.SECONDS));
        }
    }

    /* What is never full is held by its rate. */
    @ParameterizedTest
    @MethodSource("cellsThatAreNeverFull")
    void shouldCountWhatWasCopiedOfAFileThatShrinks(Target target, Way way) throws Exception {
        Path file = copy(bigOriginal);
        try (TestDestination destination = target.open(directory);
                Status status = client.request(send(way).withRate(SLOW), destination.fd(), -1)) {
            CompletableFuture<Content> received = destination.receive();
            assertEquals(BIG, status.info().size());
            assertEquals(16, status.read(16).length); // some progress
            truncate(file, 0);

            Outcome outcome = Outcome.ofRest(status);

            expectTruncated(outcome.moved(), outcome);
            assertTrue(outcome.moved() > 0 && outcome.moved() < BIG, outcome.toString());
            destination.finishSending();
            expectReceived(target, bigOriginal, outcome.moved(), received);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Way.class, names = "COPY_FILE_RANGE", mode = EnumSource.Mode.EXCLUDE)
    void shouldEndAReadEarlyWhenTheFileShrinks(Way way) throws Exception {
        Path file = copy(bigOriginal);
        try (Status status = new Status()) {
            status.sink().configureBlocking(false);
            client.request(status, ExtendedRequest.read("changing").by(way.number()), -1, -1);
            assertEquals(BIG, status.info().size());
            assertEquals(1, status.read(1).length);
            truncate(file, 0);

            Content rest = Content.drain(status.source());

            assertTrue(rest.size() < BIG - 1, rest.toString());
            assertEquals(Content.of(bigOriginal, 1, rest.size()), rest); // and no Result at its end
        }
        expectWell();
    }

    @ParameterizedTest
    @EnumSource(value = Way.class, names = "COPY_FILE_RANGE", mode = EnumSource.Mode.EXCLUDE)
    void shouldReadTheRangeOnlyOfAFileThatGrows(Way way) throws Exception {
        Path file = copy(bigOriginal);
        try (Status status = new Status()) {
            status.sink().configureBlocking(false);
            client.request(status, ExtendedRequest.read("changing").by(way.number()), -1, -1);
            assertEquals(BIG, status.info().size());
            grow(file);

            assertEquals(Content.of(bigOriginal), Content.drain(status.source(), BIG));
            assertTrue(Outcome.ofTrailer(status).complete());
        }
    }

    private void expectWell() throws Exception {
        copy(original);
        try (Status status = client.request(ExtendedRequest.read("changing"), -1, -1)) {
            assertEquals(SIZE, status.info().size());
            assertEquals(Content.of(original), Content.drain(status.source(), SIZE));
            assertTrue(Outcome.ofTrailer(status).complete());
        }
    }

    private static void expectTruncated(long moved, Outcome outcome) {
        assertFalse(outcome.refused(), outcome.toString());
        assertEquals("ENODATA", outcome.errnoName(), outcome.toString());
        assertEquals(moved, outcome.moved(), outcome.toString());
    }

    private static void expectReceived(Target target, Path file, long size, CompletableFuture<Content> received)
            throws Exception {
        assertEquals(
                target.keepsBytes() ? Content.of(file, 0, size) : Content.NOTHING, received.get(20, TimeUnit.SECONDS));
    }

    private static ExtendedRequest open(Way way) {
        return ExtendedRequest.open("changing").by(way.number());
    }

    private static ExtendedRequest send(Way way) {
        return ExtendedRequest.send("changing").by(way.number());
    }

    /** A new file each time: an old one may still be open. */
    private static Path copy(Path from) throws Exception {
        Path file = daemon.root().resolve("changing");
        Files.deleteIfExists(file);
        return Files.copy(from, file, StandardCopyOption.REPLACE_EXISTING);
    }

    private static void truncate(Path file, int size) throws Exception {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            assertEquals(size, channel.truncate(size).size());
        }
    }

    private static void grow(Path file) throws Exception {
        Files.write(file, new byte[GROWN], StandardOpenOption.APPEND);
    }
}
