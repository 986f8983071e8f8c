package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.GoldenVectors;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Content;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Info;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.system.Connected;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;

/**
 * R1: every malformed request that has a usable status channel is answered with the error that PROTOCOL.md names, and what
 * cannot be answered does nothing. One loop, so that what was sent first is obeyed first.
 */
@ParameterizedClass
@EachKind
@Timeout(60)
final class StrictProtocolIT {
    private static final int SIZE = 5_000;

    /** A longer datagram is cut when it is received, and so is malformed whatever it says. */
    private static final int RECEIVED = 4_240;

    @TempDir
    private static Path directory;

    @Daemon("loops=1")
    private static TestDaemon daemon;

    private static Content file;
    private static long pid;

    @Connected
    private RawClient client;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        file = Content.write(daemon.root().resolve("file"), SIZE);
        Files.write(daemon.root().resolve("empty"), new byte[0]);
        pid = daemon.pid();
    }

    @AfterEach
    void shouldLive() {
        assertTrue(daemon.isAlive());
        assertEquals(pid, daemon.pid());
    }

    /** D1 D5 D34 D39: golden vectors of empty and short requests, ranges that wrap, NULs in paths, foreign versions. */
    @Test
    void shouldAnswerEveryGoldenRefusalWithItsError() throws Exception {
        List<GoldenVectors.Vector> vectors = GoldenVectors.ofKind("refused");
        for (GoldenVectors.Vector vector : vectors) {
            int errno = Errno.class.getField(vector.field("errno")).getInt(null);
            byte[] answer = vector.has("extended") ? refusal(errno) : error(errno);
            if (vector.bytes().length > RECEIVED) {
                answer = error(Errno.EBADMSG);
            }
            assertArrayEquals(answer, answerTo(vector.bytes()), vector.toString());
        }
        assertTrue(vectors.size() > 30);
    }

    /** D1 D25: no request means anything that is cut, whatever came before it. */
    @Test
    void shouldRefuseEveryRequestThatIsCut() throws Exception {
        for (String kind : List.of("request", "extended")) {
            for (GoldenVectors.Vector vector : GoldenVectors.ofKind(kind)) {
                byte[] whole = vector.bytes();
                for (int length = 0; length < Math.min(whole.length, 60); length++) {
                    byte[] cut = Arrays.copyOf(whole, length);
                    byte[] answer = answerTo(cut);
                    assertEquals(2, answer.length, () -> vector + " cut to " + cut.length);
                    assertEquals((byte) Wire.FILE_INFO, answer[0]);
                    assertEquals(Errno.EBADMSG, answer[1], () -> vector + " cut to " + cut.length);
                }
            }
        }
    }

    /** D1: and without anything to answer on. */
    @Test
    void shouldSurviveAnEmptyDatagram() throws Exception {
        for (int i = 0; i < 100; i++) {
            client.send(new byte[0], -1, -1);
        }
        expectServed("file", SIZE);
    }

    /** D5: offset and length whose sum is 5, in 64 bits. */
    @Test
    void shouldRefuseARangeThatWraps() throws Exception {
        byte[] request = RawClient.fileRequest(Wire.READ_FILE, "file", 10, -5);
        assertArrayEquals(error(Errno.ERANGE), answerTo(request));
        assertArrayEquals(
                error(Errno.ERANGE), answerTo(RawClient.fileRequest(Wire.READ_FILE, "file", 1, Long.MAX_VALUE)));
        assertArrayEquals(error(Errno.ERANGE), answerTo(RawClient.fileRequest(Wire.READ_FILE, "file", -1, 0)));
    }

    /** D16: in one turn, and again when it is gone. */
    @Test
    void shouldObeyManyCancelsOnce() throws Exception {
        for (int i = 0; i < 50; i++) {
            try (Status status = client.request(Wire.OPEN_FILE, "file")) {
                long id = status.info().id();
                client.cancel(id);
                client.cancel(id);
                client.cancel(id);
                assertEquals(0, status.rest().length);
            }
        }
        expectServed("file", SIZE);
    }

    /** D24: an id is matched whole, R11. */
    @Test
    void shouldIgnoreAnIdThatIsWrongByOneBit() throws Exception {
        try (Status status = client.request(Wire.OPEN_FILE, "file")) {
            Info info = status.info();
            for (int bit = 0; bit < 64; bit++) {
                client.cancel(info.id() ^ 1L << bit);
            }
            expectSent(status, info);
        }
    }

    /** D25: the id of the request before is still in the buffer. */
    @Test
    void shouldIgnoreACancelWithoutItsId() throws Exception {
        try (Status status = client.request(Wire.OPEN_FILE, "file")) {
            Info info = status.info();
            byte[] whole = ByteBuffer.allocate(16)
                    .order(ByteOrder.nativeOrder())
                    .put(0, (byte) Wire.CANCEL)
                    .putLong(8, info.id())
                    .array();
            for (int length = 0; length < whole.length; length++) {
                client.send(Arrays.copyOf(whole, length), -1, -1);
            }
            expectSent(status, info);
        }
    }

    /** D34: files without a byte, paths as long as they may be, and a NUL that would cut one. */
    @Test
    void shouldServeWhatTheOriginalRefused() throws Exception {
        expectServed("empty", 0);
        expectServed("./".repeat(2_045) + "/file", SIZE);
        try (TestDestination destination = TestDestination.open(TestDestination.Type.FILE, directory);
                OwnedFd fd = destination.destination().duplicate();
                Status status = client.request(Wire.SEND_FILE, "file", 0, 0, fd.fd())) {
            assertEquals(SIZE, status.info().size());
            byte[] rest = status.rest();
            assertEquals(-1, ByteBuffer.wrap(rest).getLong(rest.length - 8), "complete");
        }
        assertArrayEquals(error(Errno.EBADMSG), answerTo(RawClient.fileRequest(Wire.READ_FILE, "file\0x")));
    }

    private void expectServed(String path, int size) throws Exception {
        try (Status status = client.request(Wire.READ_FILE, path)) {
            assertEquals(size, status.info().size());
            assertEquals(size == 0 ? Content.NOTHING : file, Content.of(status.rest()));
        }
    }

    /** It is still open, and can be sent. */
    private void expectSent(Status status, Info info) throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.PIPE, directory)) {
            try (OwnedFd fd = destination.destination().duplicate()) {
                client.sendOpenFile(info.id(), fd.fd());
            }
            destination.finishSending();
            assertEquals(file, Content.drain(destination.receivingEnd()));
        }
        byte[] rest = status.rest();
        assertEquals(-1, ByteBuffer.wrap(rest).getLong(rest.length - 8), "complete");
    }

    /** Everything that comes on a fresh status channel. */
    private byte[] answerTo(byte[] request) throws Exception {
        try (Status status = new Status()) {
            client.send(request, Descriptors.numberOf(status.sink()), -1);
            status.sink().close();
            return status.rest();
        }
    }

    private static byte[] error(int errno) {
        return new byte[] {(byte) Wire.FILE_INFO, (byte) errno};
    }

    private static byte[] refusal(int errno) {
        return ByteBuffer.allocate(Wire.REFUSAL_SIZE)
                .order(ByteOrder.nativeOrder())
                .put(0, (byte) Wire.REFUSAL)
                .put(1, (byte) errno)
                .putShort(2, (short) 1)
                .putInt(4, Wire.REFUSAL_SIZE)
                .array();
    }
}
