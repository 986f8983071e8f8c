package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Info;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.system.Connected;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.TestDaemon;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * PROTOCOL.md's bytes, as a client sees them that knows nothing but them. One loop, so that a request is answered before
 * the next one is looked at.
 */
@ParameterizedClass
@EnumSource(TestDaemon.Kind.class)
@Timeout(60)
final class StatusChannelIT {
    private static final int OPEN_TIMEOUT_MS = 2_000;
    private static final int SIZE = 10_000;
    private static final int BIG = 3_000_000;

    @TempDir
    private static Path directory;

    @Daemon({"loops=1", "open-timeout=" + OPEN_TIMEOUT_MS})
    private static TestDaemon daemon;

    private static Content small;
    private static Content big;

    @Connected
    private RawClient client;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        small = Content.write(daemon.root().resolve("small"), SIZE);
        big = Content.write(daemon.root().resolve("big"), BIG);
    }

    @Test
    void shouldTellTheFilesSizeAndTimes() throws Exception {
        Path file = daemon.root().resolve("times");
        Content.write(file, 77);
        Files.setLastModifiedTime(file, FileTime.from(Instant.ofEpochSecond(1_234_567_890)));
        try (Status status = client.request(Wire.OPEN_FILE, "times")) {
            Info info = status.info();

            assertEquals(77, info.size());
            assertEquals(1_234_567_890, info.mtime());
            assertEquals(seconds(file, "unix:ctime"), info.ctime());
            assertEquals(seconds(file, "unix:lastAccessTime"), info.atime());
            client.cancel(info.id());
        }
    }

    @Test
    void shouldTellTheRangesSize() throws Exception {
        try (Status status = client.request(Wire.READ_FILE, "small", 4_000, 1_000, -1)) {
            assertEquals(1_000, status.info().size());
            assertEquals(Content.of(daemon.root().resolve("small"), 4_000, 1_000), Content.of(status.rest()));
        }
    }

    /** R11 */
    @Test
    void shouldGiveUnpredictableIds() throws Exception {
        Set<Long> ids = new HashSet<>();
        Set<Long> differences = new HashSet<>();
        long last = 0;
        for (int i = 0; i < 100; i++) {
            try (Status status = client.request(Wire.OPEN_FILE, "small")) {
                Info info = status.info();
                assertNotEquals(0, info.id());
                assertNotEquals(-1, info.id());
                assertTrue(ids.add(info.id()));
                differences.add(info.id() - last);
                last = info.id();
                client.cancel(info.id());
            }
        }
        assertEquals(100, differences.size());
    }

    @Test
    void shouldSendInformationThenTheFileThenTheEnd() throws Exception {
        try (Status status = client.request(Wire.READ_FILE, "big")) {
            assertEquals(BIG, status.info().size());
            assertEquals(big, Content.drain(status.source()));
        }
    }

    @Test
    void shouldEndASendWithProgressAndComplete() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            CompletableFuture<Content> received = destination.receive();
            try (Status status = send(new Status(), "big", destination)) {
                assertEquals(BIG, status.info().size());
                expectComplete(BIG, status.rest());
            }
            assertEquals(big, received.get(20, TimeUnit.SECONDS));
        }
    }

    @Test
    void shouldCompleteAnEmptyRangeAtOnce() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.PIPE, directory);
                OwnedFd fd = destination.destination().duplicate();
                Status status = client.request(Wire.SEND_FILE, "small", SIZE, 0, fd.fd())) {
            assertEquals(0, status.info().size());
            assertArrayEquals(message(Wire.TRANSFER_STATUS, -1), status.rest());
        }
        try (Status status = client.request(Wire.READ_FILE, "small", SIZE, 0, -1)) {
            assertEquals(0, status.info().size());
            assertEquals(0, status.rest().length);
        }
    }

    /** D13 */
    @Test
    void shouldSendAnOpenedFileOnceOnly() throws Exception {
        try (TestDestination first = TestDestination.open(TestDestination.Type.UNIX, directory);
                TestDestination second = TestDestination.open(TestDestination.Type.PIPE, directory);
                Status status = client.request(Wire.OPEN_FILE, "small")) {
            Info info = status.info();
            sendOpenFile(info.id(), first);
            sendOpenFile(info.id(), second);

            expectComplete(SIZE, status.rest());
            assertEquals(small, Content.drain(first.receivingEnd()));
            assertEquals(0, Content.drain(second.receivingEnd()).size());
        }
    }

    @Test
    void shouldCloseTheDestinationOfATransferThatIsNotThere() throws Exception {
        try (Status status = client.request(Wire.OPEN_FILE, "small")) {
            Info info = status.info();
            for (long wrong : new long[] {0, -1, info.id() + 1, info.id() - 1, info.id() ^ (1L << 40), ~info.id()}) {
                try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
                    sendOpenFile(wrong, destination);
                    assertEquals(0, Content.drain(destination.receivingEnd()).size());
                }
            }
            expectStillOpen(status, info);
        }
    }

    @Test
    void shouldEndACancelledTransferWithoutAWord() throws Exception {
        try (Status status = client.request(Wire.OPEN_FILE, "small")) {
            client.cancel(status.info().id());
            assertEquals(0, status.rest().length);
        }
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX_BLOCKING, directory);
                Status status = send(new Status(), "big", destination)) {
            client.cancel(status.info().id());
            expectNoTerminalMessage(status.rest());
        }
        try (Status status = client.request(Wire.READ_FILE, "big")) {
            client.cancel(status.info().id());
            assertTrue(Content.drain(status.source()).size() < BIG);
        }
    }

    @Test
    void shouldCloseTheDestinationWhenASendIsCancelled() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory);
                Status status = send(new Status(), "big", destination)) {
            client.cancel(status.info().id());
            assertTrue(Content.drain(destination.receivingEnd()).size() < BIG);
        }
    }

    @Test
    void shouldGiveUpAnOpenedFileThatNobodySends() throws Exception {
        try (Status status = client.request(Wire.OPEN_FILE, "small")) {
            status.info();
            assertArrayEquals(error(Wire.TRANSFER_STATUS, Errno.ETIMEDOUT), status.rest());
        }
    }

    @Test
    void shouldNotTimeOutAFileThatIsBeingSent() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory);
                Status slow = client.request(Wire.OPEN_FILE, "big");
                Status witness = client.request(Wire.OPEN_FILE, "small")) {
            sendOpenFile(slow.info().id(), destination);
            witness.info();
            assertEquals(2, witness.rest().length); // the timeout of both is over

            assertEquals(big, Content.drain(destination.receivingEnd()));
            expectComplete(BIG, slow.rest());
        }
    }

    /** R11 D20 */
    @Test
    void shouldObeyTheProcessThatOpenedAFileOnly() throws Exception {
        try (Status status = client.request(Wire.OPEN_FILE, "small")) {
            Info info = status.info();
            String id = Long.toUnsignedString(info.id());

            assertEquals(
                    0,
                    HelperProgram.start("client_driver", directory, TestDaemon.NAME, "cancel-id", id)
                            .waitFor());
            Process foreign = HelperProgram.start("client_driver", directory, TestDaemon.NAME, "send-id", id);
            assertEquals("0", new String(foreign.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip());
            assertEquals(0, foreign.waitFor());

            expectStillOpen(status, info);
        }
    }

    @Test
    void shouldDeliverEveryMessageHoweverLongTheStatusChannelIsFull() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory);
                Status status = new Status()) {
            int garbage = status.fill();
            CompletableFuture<Content> received = destination.receive();
            send(status, "big", destination);
            assertEquals(big, received.get(20, TimeUnit.SECONDS)); // it does not wait for its status channel

            assertEquals(garbage, status.read(garbage).length);
            assertEquals(BIG, status.info().size());
            expectComplete(BIG, status.rest());
        }
    }

    @Test
    void shouldDeliverARefusalHoweverLongTheStatusChannelIsFull() throws Exception {
        try (Status status = new Status()) {
            int garbage = status.fill();
            client.request(status, Wire.READ_FILE, "missing", 0, 0, -1);
            expectWell();

            assertEquals(garbage, status.read(garbage).length);
            assertArrayEquals(error(Wire.FILE_INFO, Errno.ENOENT), status.rest());
        }
    }

    @Test
    void shouldPutTheHeaderBeforeTheFileHoweverLongTheStatusChannelIsFull() throws Exception {
        for (String path : new String[] {"small", "big"}) {
            try (Status status = new Status()) {
                int garbage = status.fill();
                client.request(status, Wire.READ_FILE, path, 0, 0, -1);
                expectWell();

                assertEquals(garbage, status.read(garbage).length);
                assertEquals(path.equals("big") ? BIG : SIZE, status.info().size());
                assertEquals(path.equals("big") ? big : small, Content.drain(status.source()));
            }
        }
    }

    @Test
    void shouldEndATransferWhoseClientIsGone() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            try (Status status = send(new Status(), "big", destination)) {
                status.info();
            }
            assertTrue(Content.drain(destination.receivingEnd()).size() < BIG);
        }
    }

    @Test
    void shouldRefuseMalformedRequestsWithBadMessage() throws Exception {
        expectError(Errno.EBADMSG);
        expectError(Errno.EBADMSG, 0x02);
        expectError(Errno.EBADMSG, 0x02, 1);
        expectError(Errno.EBADMSG, 0x00, 0);
        expectError(Errno.EBADMSG, 0x06, 0);
        expectError(Errno.EBADMSG, 0x80, 0);
        expectError(Errno.EBADMSG, 0xff, 0);
        expectError(Errno.EPROTONOSUPPORT, 0x10, 0);
        expectError(Errno.EPROTONOSUPPORT, 0x7f, 0);
        byte[] sound = RawClient.fileRequest(Wire.READ_FILE, "small");
        expectError(Errno.EBADMSG, Arrays.copyOf(sound, 24)); // no path at all
        expectError(Errno.EBADMSG, Arrays.copyOf(sound, sound.length - 1)); // no NUL
        expectError(Errno.EBADMSG, RawClient.fileRequest(Wire.READ_FILE, "sm\0all"));
        expectError(Errno.ENOENT, RawClient.fileRequest(Wire.READ_FILE, ""));
        byte[] bad = sound.clone();
        bad[1] = 5;
        expectError(Errno.EBADMSG, bad); // stat
        expectError(Errno.ERANGE, RawClient.fileRequest(Wire.READ_FILE, "small", -1, 0));
        expectError(Errno.ERANGE, RawClient.fileRequest(Wire.READ_FILE, "small", 1, Long.MAX_VALUE));
        expectError(Errno.ERANGE, RawClient.fileRequest(Wire.READ_FILE, "small", 0, -1));
        expectError(Errno.EBADMSG, Arrays.copyOf(sound, 5_000)); // longer than any request
        expectError(Errno.EBADMSG, RawClient.fileRequest(Wire.SEND_FILE, "small")); // no destination
    }

    @Test
    void shouldSurviveRequestsThatCannotBeAnswered() throws Exception {
        byte[] read = RawClient.fileRequest(Wire.READ_FILE, "small");
        client.send(new byte[0], -1, -1);
        client.send(new byte[1], -1, -1);
        client.send(read, -1, -1); // no status channel
        client.send(RawClient.fileRequest(Wire.CANCEL, "small"), -1, -1);
        client.send(Arrays.copyOf(new byte[] {Wire.CANCEL}, 10), -1, -1);
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory);
                OwnedFd socket = destination.destination().duplicate();
                Status status = new Status()) {
            client.send(read, socket.fd(), -1); // a socket is no status channel
            client.send(read, Descriptors.numberOf(status.source()), -1); // and neither is a pipe's read end
            client.send(Arrays.copyOf(new byte[] {Wire.CANCEL}, 16), socket.fd(), -1); // a surplus descriptor
            client.send(Arrays.copyOf(new byte[] {Wire.SEND_OPEN_FILE}, 16), -1, -1);
            expectWell();
        }
    }

    // ---- helpers ----

    private void expectWell() throws Exception {
        try (Status status = client.request(Wire.READ_FILE, "small")) {
            assertEquals(SIZE, status.info().size());
            assertEquals(small, Content.drain(status.source()));
        }
    }

    private void expectStillOpen(Status status, Info info) throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            sendOpenFile(info.id(), destination);
            expectComplete(SIZE, status.rest());
            assertEquals(small, Content.drain(destination.receivingEnd()));
        }
    }

    /** Passes the sending end on, and closes our own. */
    private Status send(Status status, String path, TestDestination destination) throws Exception {
        try (OwnedFd fd = destination.destination().duplicate()) {
            client.request(status, Wire.SEND_FILE, path, 0, 0, fd.fd());
        }
        destination.finishSending();
        return status;
    }

    /** Passes the sending end on, and closes our own. */
    private void sendOpenFile(long id, TestDestination destination) throws Exception {
        try (OwnedFd fd = destination.destination().duplicate()) {
            client.sendOpenFile(id, fd.fd());
        }
        destination.finishSending();
    }

    private void expectError(int errno, int... bytes) throws Exception {
        byte[] request = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            request[i] = (byte) bytes[i];
        }
        expectError(errno, request);
    }

    private void expectError(int errno, byte[] request) throws Exception {
        try (Status status = new Status()) {
            client.send(request, Descriptors.numberOf(status.sink()), -1);
            status.sink().close();
            assertArrayEquals(error(Wire.FILE_INFO, errno), status.rest(), Arrays.toString(request));
        }
    }

    /** Progress messages whose sum is at most the size, and one complete as the last. */
    private static void expectComplete(long size, byte[] rest) {
        assertEquals(0, rest.length % Wire.TRANSFER_STATUS_SIZE, Arrays.toString(rest));
        long moved = progress(rest, rest.length - Wire.TRANSFER_STATUS_SIZE);
        assertTrue(moved <= size, Arrays.toString(rest));
        assertArrayEquals(
                message(Wire.TRANSFER_STATUS, Wire.COMPLETE),
                Arrays.copyOfRange(rest, rest.length - Wire.TRANSFER_STATUS_SIZE, rest.length));
    }

    private static void expectNoTerminalMessage(byte[] rest) {
        assertEquals(0, rest.length % Wire.TRANSFER_STATUS_SIZE, Arrays.toString(rest));
        assertTrue(progress(rest, rest.length) < BIG);
    }

    private static long progress(byte[] rest, int end) {
        long moved = 0;
        for (int at = 0; at < end; at += Wire.TRANSFER_STATUS_SIZE) {
            long size = ByteBuffer.wrap(rest).order(ByteOrder.nativeOrder()).getLong(at + 8);
            assertArrayEquals(
                    message(Wire.TRANSFER_STATUS, size), Arrays.copyOfRange(rest, at, at + Wire.TRANSFER_STATUS_SIZE));
            assertTrue(size > 0);
            moved += size;
        }
        return moved;
    }

    private static byte[] message(int command, long value) {
        return ByteBuffer.allocate(Wire.TRANSFER_STATUS_SIZE)
                .order(ByteOrder.nativeOrder())
                .put(0, (byte) command)
                .putLong(8, value)
                .array();
    }

    private static byte[] error(int command, int errno) {
        return new byte[] {(byte) command, (byte) errno};
    }

    private static long seconds(Path file, String attribute) throws Exception {
        return ((FileTime) Files.getAttribute(file, attribute)).to(TimeUnit.SECONDS);
    }
}
