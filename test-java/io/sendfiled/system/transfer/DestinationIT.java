package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Content;
import io.sendfiled.support.Descriptor;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
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
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
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
 * Every kind of destination, by every operation and every technique: each byte where the technique fits, a refusal that
 * tells what would fit where it does not. {@link Target} is the table.
 */
@ParameterizedClass
@EachKind
@Timeout(120)
final class DestinationIT {
    private static final int BIG = 8 * 1024 * 1024;
    private static final int[] SIZES = {0, 1, 4_096, 32 * 1024 + 1, 1024 * 1024 + 1, BIG};

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    private static Map<Integer, Content> contents;

    @Connected
    private RawClient client;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        contents = new TreeMap<>();
        for (int size : SIZES) {
            contents.put(size, Content.write(daemon.root().resolve("file" + size), size));
        }
    }

    static Stream<Arguments> cells() {
        return Stream.of(Target.values())
                .flatMap(target -> Stream.of(Way.values()).map(way -> Arguments.of(target, way)));
    }

    @ParameterizedTest
    @MethodSource("cells")
    void shouldSendByWhatFitsAndTellWhatWouldFit(Target target, Way way) throws Exception {
        for (Operation operation : Operation.values()) {
            for (int size : SIZES) {
                if (size == BIG && (operation != Operation.SEND_FILE || target == Target.TERMINAL)) {
                    continue; // it would tell nothing new, slowly
                }
                String cell = operation + " of " + size + " bytes to " + target + " by " + way;
                ExtendedRequest request = ExtendedRequest.send("file" + size).by(way.number());
                try (TestDestination destination = target.open(directory)) {
                    CompletableFuture<Content> received = destination.receive();
                    int flags = Descriptor.flags(destination.fd());
                    Outcome outcome;
                    try (Sending sending = Sending.start(daemon, client, operation, request, destination.fd())) {
                        outcome = sending.await();
                    }
                    assertEquals(flags, Descriptor.flags(destination.fd()), cell);
                    destination.finishSending();
                    Content content = received.get(20, TimeUnit.SECONDS);
                    if (target.isElsewhere() && outcome.errno() == Errno.EXDEV) {
                        assertEquals(Way.COPY_FILE_RANGE, way, cell); // forced is forced
                        assertEquals(0, outcome.moved(), cell);
                    } else if (target.takes(way)) {
                        expectComplete(cell, target, way, size, outcome);
                        assertEquals(target.keepsBytes() ? contents.get(size) : Content.NOTHING, content, cell);
                    } else {
                        assertEquals(operation != Operation.OPEN_AND_SEND_FILE, outcome.refused(), cell);
                        expectUnfit(cell, target.fits(), outcome);
                        assertEquals(Content.NOTHING, content, cell);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Way.class)
    void shouldReadByWhatFitsAndTellWhatWouldFit(Way way) throws Exception {
        for (boolean nonBlocking : new boolean[] {false, true}) {
            Target pipe = nonBlocking ? Target.PIPE_NON_BLOCKING : Target.PIPE;
            for (int size : SIZES) {
                String cell = "READ_FILE of " + size + " bytes through " + pipe + " by " + way;
                ExtendedRequest request = ExtendedRequest.read("file" + size).by(way.number());
                try (Status status = new Status()) {
                    status.sink().configureBlocking(!nonBlocking);
                    client.request(status, request, -1, -1);
                    if (!pipe.takes(way)) {
                        expectUnfit(cell, pipe.fits(), Outcome.ofSend(status));
                        continue;
                    }
                    assertEquals(size, status.info().size(), cell);
                    assertEquals(contents.get(size), Content.drain(status.source(), size), cell);
                    expectComplete(cell, pipe, way, size, Outcome.ofTrailer(status));
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void shouldServeVersion1AsBefore(Target target) throws Exception {
        for (int size : new int[] {0, 4_096, 1024 * 1024 + 1}) {
            try (TestDestination destination = target.open(directory)) {
                CompletableFuture<Content> received = destination.receive();
                try (Status status = client.request(Wire.SEND_FILE, "file" + size, 0, 0, destination.fd())) {
                    assertEquals(size, status.info().size());
                    byte[] rest = status.rest();
                    assertEquals(0, rest.length % Wire.TRANSFER_STATUS_SIZE);
                    assertEquals(
                            Wire.COMPLETE,
                            ByteBuffer.wrap(rest).order(ByteOrder.nativeOrder()).getLong(rest.length - Long.BYTES));
                }
                destination.finishSending();
                assertEquals(
                        target.keepsBytes() ? contents.get(size) : Content.NOTHING, received.get(20, TimeUnit.SECONDS));
            }
        }
    }

    private static void expectComplete(String cell, Target target, Way way, int size, Outcome outcome) {
        assertTrue(outcome.complete(), cell + ": " + outcome);
        assertEquals(size, outcome.moved(), cell);
        assertTrue(outcome.elapsedNs() > 0, cell + ": " + outcome);
        if (target.isElsewhere() && way == Way.AUTO) {
            assertTrue(target.takes(outcome.way()), cell + ": " + outcome);
        } else {
            assertEquals(way == Way.AUTO ? target.auto(size) : way, outcome.way(), cell);
        }
    }

    private static void expectUnfit(String cell, int fits, Outcome outcome) {
        assertEquals("EOPNOTSUPP", outcome.errnoName(), cell + ": " + outcome);
        assertEquals(0, outcome.moved(), cell + ": " + outcome);
        assertEquals(fits, outcome.fits(), cell + ": " + outcome);
    }
}
