package io.sendfiled.system.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Scale;
import io.sendfiled.support.Target;
import io.sendfiled.support.TestDestination;
import io.sendfiled.support.Way;
import io.sendfiled.sys.Errno;
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
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Disks that fail in the middle of a file, and files that lose their end: the client is told, and gets no wrong byte. */
@ParameterizedClass
@EachKind
@Timeout(120)
final class DiskFaultIT {
    private static final int SIZE = 3_000_000;
    private static final int BAD = 1_000_000; // neither a page's nor a window's border
    private static final int BIG = 4_000_000;
    private static final int PAGE = 4096;
    private static final List<Operation> OPERATIONS = List.of(Operation.values());

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    private static Path original;

    @Connected
    private RawClient client;

    @Parameter
    TestDaemon.Kind kind;

    private @Nullable HeldDisk mounted;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        original = Files.createDirectories(directory.resolve("behind")).resolve("faulty");
        Content.write(original, SIZE);
        Content.write(directory.resolve("behind/sound"), SIZE);
    }

    @AfterEach
    void unmount() {
        if (mounted != null) {
            mounted.close();
            daemon.rememberDescriptors();
        }
    }

    /** What moves bytes from this disk; mmap(2) wants a local one. */
    static Stream<Arguments> cells() {
        return Stream.of(Target.TCP, Target.UNIX_BLOCKING, Target.PIPE, Target.FILE, Target.NULL_DEVICE)
                .flatMap(target -> Stream.of(Way.values())
                        .filter(target::takes)
                        .filter(way -> way != Way.MMAP && way != Way.COPY_FILE_RANGE)
                        .map(way -> Arguments.of(target, way)));
    }

    private void mount(String... options) throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        mounted =
                HeldDisk.mount(daemon.root().resolve("disk"), directory.resolve("behind"), "nothing is held", options);
        daemon.rememberDescriptors(); // an embedded engine shares them with the disk's process
    }

    /* R3, R13 */
    @ParameterizedTest
    @MethodSource("cells")
    void shouldTellThatTheDiskFailed(Target target, Way way) throws Exception {
        mount("--faulty", "faulty", "--eio-at", Integer.toString(BAD));
        for (Operation operation : Operation.values()) {
            send(target, way, operation, "disk/faulty", (outcome, received) -> {
                assertEquals("EIO", outcome.errnoName(), outcome.toString());
                assertTrue(outcome.moved() <= BAD, outcome.toString());
                assertTrue(outcome.moved() >= BAD - BAD % PAGE - SIZE / 2, outcome.toString());
            });
            send(target, way, operation, "disk/sound", (outcome, received) -> {
                assertTrue(outcome.complete(), outcome.toString());
                assertEquals(SIZE, outcome.moved());
            });
        }
    }

    /* R3: without a word the end has to come before the last byte. */
    @Test
    void shouldEndAReadEarlyWhenTheDiskFails() throws Exception {
        mount("--faulty", "faulty", "--eio-at", Integer.toString(BAD));
        try (Status status = client.request(Wire.READ_FILE, "disk/faulty");
                Status range = client.request(Wire.READ_FILE, "disk/faulty", BAD + PAGE, 0, -1)) {
            assertEquals(SIZE, status.info().size());
            Content received = Content.drain(status.source());
            assertTrue(received.size() <= BAD, received.toString());
            assertEquals(Content.of(original, 0, received.size()), received);

            byte[] answer = range.read(Wire.FILE_INFO_SIZE);
            if (answer.length == Wire.FILE_INFO_SIZE) {
                assertEquals(0, range.rest().length);
            } else {
                assertArrayEquals(new byte[] {(byte) Wire.FILE_INFO, Errno.EIO}, answer);
            }
        }
    }

    /*
     * D4. The kernel does not see at once that the server's file is shorter: what it has read ahead of the new end is zeros,
     * to whoever reads there.
     */
    @ParameterizedTest
    @MethodSource("cells")
    void shouldSendWhatIsLeftOfAFileThatItsDiskShrinks(Target target, Way way) throws Exception {
        byte[] bytes = Files.readAllBytes(original);
        for (Operation operation : Operation.values()) {
            String what = target + " by " + way + ", " + operation;
            mount("--faulty", "faulty", "--shrink-to", Integer.toString(BAD));
            try (TestDestination destination = target.open(directory);
                    Sending sending = Sending.start(
                            daemon,
                            client,
                            operation,
                            ExtendedRequest.send("disk/faulty").by(way.number()),
                            destination.fd())) {
                CompletableFuture<byte[]> arriving = destination.receiveBytes();
                Outcome outcome = sending.await();
                destination.finishSending();
                byte[] received = arriving.get(20, TimeUnit.SECONDS);

                assertEquals("ENODATA", outcome.errnoName(), what);
                assertTrue(outcome.moved() >= BAD && outcome.moved() < SIZE, what + ": " + outcome);
                assertEquals(target.keepsBytes() ? outcome.moved() : 0, received.length, what);
                expectNoWrongByte(bytes, BAD, received, 0, what);
            }
            client.close();
            daemon.expectNoLeak();
            unmount();
            client = daemon.rawClient();
        }
    }

    /** R12, D4: wherever the file ends and however far the transfer is. */
    @Test
    void shouldSurviveAFileThatIsTruncatedAnywhereAtAnyTime() throws Exception {
        Random random = new Random(4711);
        Path source = directory.resolve("long");
        Content.write(source, BIG);
        byte[] bytes = Files.readAllBytes(source);
        Target[] targets = {Target.TCP, Target.UNIX, Target.UNIX_BLOCKING, Target.PIPE, Target.PIPE_NON_BLOCKING};
        int truncated = 0;
        int points = Scale.of("truncations", 100);
        for (int i = 0; i < points; i++) {
            Target target = targets[i % targets.length];
            int before = random.nextInt(BIG);
            int left = random.nextInt(BIG);
            Way[] ways = Stream.of(Way.values()).filter(target::takes).toArray(Way[]::new);
            Way way = ways[random.nextInt(ways.length)];
            String what = target + " by " + way + ", cut to " + left + " after " + before + " bytes";
            Path file = daemon.root().resolve("changing");
            Files.deleteIfExists(file);
            Files.copy(source, file);
            try (TestDestination destination = target.open(directory);
                    Sending sending = Sending.start(
                            daemon,
                            client,
                            OPERATIONS.get(i % OPERATIONS.size()),
                            ExtendedRequest.send("changing").by(way.number()),
                            destination.fd())) {
                ByteBuffer head = ByteBuffer.allocate(before);
                while (head.hasRemaining()) {
                    assertTrue(destination.receivingEnd().read(head) > 0, what);
                }
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    channel.truncate(left);
                }
                CompletableFuture<byte[]> rest = destination.receiveBytes();
                Outcome outcome = sending.await();
                destination.finishSending();

                assertFalse(outcome.refused(), what + ": " + outcome);
                assertTrue(outcome.moved() >= before, what + ": " + outcome);
                if (outcome.complete()) {
                    assertEquals(BIG, outcome.moved(), what);
                } else {
                    truncated++;
                    assertEquals("ENODATA", outcome.errnoName(), what);
                }
                byte[] received = rest.get(20, TimeUnit.SECONDS);
                assertEquals(outcome.moved() - before, received.length, what);
                expectNoWrongByte(bytes, left, head.array(), 0, what);
                expectNoWrongByte(bytes, way == Way.READ_WRITE ? BIG : left, received, before, what);
            }
        }
        assertTrue(truncated > points / 4, truncated + " of " + points + " were cut in time");
    }

    /**
     * What is sent by reference is the file's page until its receiver takes it, and a cut clears the rest of that page.
     *
     * @param left from there on a byte may be 0
     * @param position of the first of the received bytes
     */
    private static void expectNoWrongByte(byte[] original, int left, byte[] received, int position, String what) {
        int wrong = Arrays.mismatch(original, position, position + received.length, received, 0, received.length);
        for (int i = Math.max(wrong, 0); wrong >= 0 && i < received.length; i++) {
            if (received[i] != original[position + i] && (received[i] != 0 || position + i < left)) {
                throw new AssertionError(what + ": byte " + (position + i) + " is wrong");
            }
        }
    }

    private interface Check {
        void accept(Outcome outcome, Content received) throws Exception;
    }

    /** One transfer; whatever came of it has to be the beginning of the file, as long as the daemon says. */
    private void send(Target target, Way way, Operation operation, String path, Check check) throws Exception {
        try (TestDestination destination = target.open(directory)) {
            CompletableFuture<Content> arriving = destination.receive();
            Outcome outcome;
            try (Sending sending = Sending.start(
                    daemon, client, operation, ExtendedRequest.send(path).by(way.number()), destination.fd())) {
                outcome = sending.await();
            }
            destination.finishSending();
            Content received = arriving.get(20, TimeUnit.SECONDS);
            Path file = directory.resolve("behind").resolve(Path.of(path).getFileName());
            if (target.keepsBytes()) {
                assertEquals(Content.of(file, 0, outcome.moved()), received, target + " by " + way + ": " + outcome);
            }
            check.accept(outcome, received);
        }
    }
}
