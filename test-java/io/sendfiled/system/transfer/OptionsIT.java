package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Target;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Connected;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.Sending;
import io.sendfiled.system.Sending.Operation;
import io.sendfiled.system.TestDaemon;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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

/**
 * What an extended request may ask for beside a technique: how fast, for how long. One loop; its idle timeout is short, its
 * drain timeout as well. Nothing here is timed: what is limited would take hours, or ends by itself.
 */
@ParameterizedClass
@EachKind
@Timeout(60)
final class OptionsIT {
    private static final int SHORT_MS = 150;
    private static final int LONG_MS = 3_600_000;
    private static final int SMALL = 10_000;
    private static final int MEDIUM = 300_000;
    private static final int BIG = 16 * 1024 * 1024; // more than any receiver's buffers hold
    private static final int WITNESSES = 20;

    @TempDir
    private static Path directory;

    @Daemon({"loops=1", "idle-timeout=" + SHORT_MS, "drain-timeout=" + SHORT_MS})
    private static TestDaemon daemon;

    private static Content small;
    private static Content medium;
    private static Content big;

    @Connected
    private RawClient client;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        small = Content.write(daemon.root().resolve("small"), SMALL);
        medium = Content.write(daemon.root().resolve("medium"), MEDIUM);
        big = Content.write(daemon.root().resolve("big"), BIG);
    }

    // ---- rate ----

    @ParameterizedTest
    @EnumSource(Target.class)
    void shouldLetOthersOvertakeATransferWithARate(Target target) throws Exception {
        try (TestDestination destination = target.open(directory);
                Status slow = client.request(ExtendedRequest.send("big").withRate(4_096), destination.fd(), -1)) {
            CompletableFuture<Content> received = destination.receive();
            long id = slow.info().id();
            for (int i = 0; i < WITNESSES; i++) {
                expectWell();
            }
            client.cancel(id);

            assertEquals(0, slow.rest().length % Wire.TRANSFER_STATUS_SIZE); // no Result
            destination.finishSending();
            assertTrue(received.get(20, TimeUnit.SECONDS).size() < BIG);
        }
    }

    @Test
    void shouldCompleteTransfersWithARate() throws Exception {
        List<Target> targets = List.of(Target.values());
        List<TestDestination> destinations = new ArrayList<>();
        List<CompletableFuture<Content>> received = new ArrayList<>();
        List<Status> slow = new ArrayList<>();
        for (Target target : targets) {
            TestDestination destination = target.open(directory);
            destinations.add(destination);
            received.add(destination.receive());
            slow.add(client.request(
                    ExtendedRequest.send("medium").withRate(2 * MEDIUM).withIdleMs(LONG_MS), destination.fd(), -1));
        }
        try (Status read = client.request(ExtendedRequest.read("medium").withRate(2 * MEDIUM), -1, -1)) {
            assertEquals(MEDIUM, read.info().size());
            assertEquals(medium, Content.drain(read.source(), MEDIUM));
            assertTrue(Outcome.ofTrailer(read).complete());
        }
        for (int i = 0; i < slow.size(); i++) {
            Target target = targets.get(i);
            try (Status status = slow.get(i);
                    TestDestination destination = destinations.get(i)) {
                Outcome outcome = Outcome.ofSend(status);
                assertTrue(outcome.complete(), target + ": " + outcome);
                destination.finishSending();
                assertEquals(
                        target.keepsBytes() ? medium : Content.NOTHING,
                        received.get(i).get(20, TimeUnit.SECONDS),
                        target.toString());
            }
        }
    }

    // ---- idle timeout ----

    @ParameterizedTest
    @EnumSource(Operation.class)
    void shouldGiveUpAReceiverThatTakesNothing(Operation operation) throws Exception {
        for (Target target : Target.values()) {
            if (target.canBeFull()) {
                expectTimeout(operation, target, ExtendedRequest.send("big"));
            }
        }
    }

    @Test
    void shouldGiveUpAReaderThatTakesNothing() throws Exception {
        try (Status status = client.request(ExtendedRequest.read("big"), -1, -1)) {
            assertEquals(BIG, status.info().size());
            daemon.expectNoLeak(2); // the client's socket, and the channel: the daemon has let go of it
            Content rest = Content.drain(status.source());
            assertTrue(rest.size() < BIG, rest.toString());
            assertEquals(Content.of(daemon.root().resolve("big"), 0, rest.size()), rest);
        }
    }

    @Test
    void shouldGiveUpAReceiverOfVersion1AsWell() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory);
                Status status = client.request(Wire.SEND_FILE, "big", 0, 0, destination.fd())) {
            assertEquals(BIG, status.info().size());
            byte[] rest = status.rest();
            assertArrayEquals(
                    new byte[] {(byte) Wire.TRANSFER_STATUS, (byte) Errno.ETIMEDOUT},
                    Arrays.copyOfRange(rest, rest.length - 2, rest.length));
        }
    }

    @Test
    void shouldBeAsPatientAsTheRequestWantsItToBe() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory);
                Status patient =
                        client.request(ExtendedRequest.send("big").withIdleMs(LONG_MS), destination.fd(), -1)) {
            expectTimeout(Operation.SEND_FILE, Target.UNIX, ExtendedRequest.send("big"));
            expectTimeout(Operation.SEND_FILE, Target.TCP, ExtendedRequest.send("big"));

            CompletableFuture<Content> received = destination.receive();
            assertTrue(Outcome.ofSend(patient).complete());
            destination.finishSending();
            assertEquals(big, received.get(20, TimeUnit.SECONDS));
        }
    }

    @Test
    void shouldNotTakeATransferWithARateForIdle() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.PIPE, directory);
                Status slow = client.request(
                        ExtendedRequest.send("small").range(0, 8).withRate(8).withIdleMs(10), destination.fd(), -1)) {
            assertEquals(8, slow.info().size());
            assertTrue(Outcome.ofRest(slow).complete());
            assertEquals(8, Content.drain(destination.receivingEnd(), 8).size());
        }
    }

    // ---- deadline ----

    @ParameterizedTest
    @EnumSource(Operation.class)
    void shouldEndATransferAtItsDeadline(Operation operation) throws Exception {
        for (Target target : Target.values()) {
            if (target.canBeFull()) {
                expectTimeout(
                        operation,
                        target,
                        ExtendedRequest.send("big").withIdleMs(LONG_MS).withDeadlineMs(SHORT_MS));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void shouldEndATransferWithARateAtItsDeadline(Target target) throws Exception {
        expectTimeout(
                Operation.SEND_FILE,
                target,
                ExtendedRequest.send("big").withRate(8_192).withDeadlineMs(SHORT_MS));
    }

    @Test
    void shouldEndAnOpenedFileAtItsDeadline() throws Exception {
        try (Status status = client.request(ExtendedRequest.open("small").withDeadlineMs(SHORT_MS), -1, -1)) {
            assertEquals(SMALL, status.info().size());
            Outcome outcome = Outcome.ofRest(status);
            assertEquals("ETIMEDOUT", outcome.errnoName(), outcome.toString());
            assertEquals(0, outcome.moved());
        }
    }

    @Test
    void shouldNotMindADeadlineThatIsMet() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory);
                Status status =
                        client.request(ExtendedRequest.send("small").withDeadlineMs(LONG_MS), destination.fd(), -1)) {
            assertTrue(Outcome.ofSend(status).complete());
            assertEquals(small, Content.drain(destination.receivingEnd(), SMALL));
        }
    }

    // ---- drain timeout ----

    @Test
    void shouldForgetATransferWhoseLastMessageNobodyMakesRoomForD10() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory);
                Status status = new Status()) {
            int garbage = status.fill();
            client.request(status, ExtendedRequest.send("small"), destination.fd(), -1);
            destination.finishSending();
            assertEquals(small, Content.drain(destination.receivingEnd()));

            daemon.expectNoLeak(3); // the client's socket, the channel and the receiving end

            byte[] all = status.rest();
            assertEquals(garbage, all.length, "File Information and a Result had no room");
        }
    }

    // ---- what is no option ----

    @Test
    void shouldRefuseWhatItDoesNotKnow() throws Exception {
        expectRefusal(Errno.EINVAL, ExtendedRequest.read("small").by(6));
        expectRefusal(Errno.EINVAL, ExtendedRequest.read("small").by(255));
        expectRefusal(Errno.EINVAL, ExtendedRequest.read("small").withFlags(4));
        expectRefusal(Errno.EINVAL, ExtendedRequest.read("small").withFlags(0x80));
        expectRefusal(Errno.ENOENT, ExtendedRequest.read("missing"));
        expectRefusal(Errno.ERANGE, ExtendedRequest.read("small").range(SMALL + 1, 0));
        expectRefusal(Errno.EINVAL, ExtendedRequest.read("/"));
    }

    @Test
    void shouldRefuseWhatIsNoExtendedRequestAsVersion1Does() throws Exception {
        byte[] sound = ExtendedRequest.read("small").bytes();
        byte[] version = sound.clone();
        version[2] = 3;
        expectError(Errno.EPROTONOSUPPORT, version);
        byte[] command = sound.clone();
        command[0] = 0x15;
        expectError(Errno.EPROTONOSUPPORT, command);
        expectError(Errno.EBADMSG, Arrays.copyOf(sound, sound.length - 1));
        expectError(Errno.EBADMSG, Arrays.copyOf(sound, sound.length + 1));
    }

    @Test
    void shouldServeAllOptionsAtOnce() throws Exception {
        ExtendedRequest all = ExtendedRequest.send("small")
                .range(5, 9_000)
                .withRate(1 << 30)
                .withIdleMs(LONG_MS)
                .withDeadlineMs(LONG_MS)
                .withFlags(ExtendedRequest.DROP_BEHIND | ExtendedRequest.MORE);
        for (Operation operation : Operation.values()) {
            for (Target target : Target.values()) {
                try (TestDestination destination = target.open(directory);
                        Sending sending = Sending.start(daemon, client, operation, all, destination.fd())) {
                    CompletableFuture<Content> received = destination.receive();
                    Outcome outcome = sending.await();
                    assertTrue(outcome.complete(), operation + " to " + target + ": " + outcome);
                    destination.finishSending();
                    assertEquals(
                            target.keepsBytes()
                                    ? Content.of(daemon.root().resolve("small"), 5, 9_000)
                                    : Content.NOTHING,
                            received.get(20, TimeUnit.SECONDS));
                }
            }
        }
    }

    // ---- helpers ----

    /** Nobody reads until the daemon has given up; then what it counted is there, and the end. */
    private void expectTimeout(Operation operation, Target target, ExtendedRequest request) throws Exception {
        String cell = operation + " to " + target;
        try (TestDestination destination = target.open(directory);
                Sending sending = Sending.start(daemon, client, operation, request, destination.fd())) {
            Outcome outcome = sending.await();

            assertFalse(outcome.refused(), cell);
            assertEquals("ETIMEDOUT", outcome.errnoName(), cell + ": " + outcome);
            assertTrue(outcome.moved() < BIG, cell + ": " + outcome);
            CompletableFuture<Content> received = destination.receive();
            destination.finishSending();
            assertEquals(
                    target.keepsBytes()
                            ? Content.of(daemon.root().resolve("big"), 0, outcome.moved())
                            : Content.NOTHING,
                    received.get(20, TimeUnit.SECONDS),
                    cell);
        }
    }

    private void expectWell() throws Exception {
        try (Status status = client.request(ExtendedRequest.read("small"), -1, -1)) {
            assertEquals(SMALL, status.info().size());
            assertEquals(small, Content.drain(status.source(), SMALL));
            assertTrue(Outcome.ofTrailer(status).complete());
        }
    }

    private void expectRefusal(int errno, ExtendedRequest request) throws Exception {
        try (Status status = client.request(request, -1, -1)) {
            Outcome outcome = Outcome.ofSend(status);
            assertTrue(outcome.refused(), outcome.toString());
            assertEquals(Errno.name(errno), outcome.errnoName());
            assertEquals(0, outcome.fits());
        }
    }

    private void expectError(int errno, byte[] request) throws Exception {
        try (Status status = new Status()) {
            client.send(request, Descriptors.numberOf(status.sink()), -1);
            status.sink().close();
            assertEquals(
                    ByteBuffer.wrap(new byte[] {(byte) Wire.FILE_INFO, (byte) errno}),
                    ByteBuffer.wrap(status.rest()),
                    Arrays.toString(request));
        }
    }
}
