package io.sendfiled.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.jni.EngineNative;
import io.sendfiled.jni.Turn;
import io.sendfiled.protocol.ResponseDecoder;
import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.Pipe;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Requests through the natives of an engine without a socket, turn by turn on the test's thread. */
@Timeout(30)
final class LocalRequestsTest {
    private static final byte[] CONTENT = "of the file".getBytes(StandardCharsets.UTF_8);
    private static final int ROUNDS = 10_000;

    private final Map<Long, List<String>> told = new ConcurrentHashMap<>();

    @TempDir
    @SuppressWarnings("NullAway.Init")
    private Path directory;

    private long engine;
    private long root;
    private long carrier;

    @SuppressWarnings("NullAway.Init")
    private Turn turn;

    @BeforeEach
    void start() throws IOException {
        CoreNumbers.check();
        Files.write(directory.resolve("file"), CONTENT);
        SendfiledConfig config =
                SendfiledConfig.builder().root(directory).loops(1).build();
        engine = EngineNative.create(
                null, new byte[0], null, CoreNumbers.of(config), new long[0], false, 0, 0, new int[0], -1, null);
        assertTrue(engine > 0, () -> Errno.describe((int) -engine));
        root = EngineNative.addRoot(engine, bytes(directory.toString()), false);
        assertTrue(root > 0, () -> Errno.describe((int) -root));
        carrier = EngineNative.carrier(EngineNative.loop(engine, 0));
        turn = new Turn(carrier);
    }

    @AfterEach
    void stop() {
        EngineNative.stop(EngineNative.loop(engine, 0));
        int result = 0;
        while (result == 0) {
            result = turn();
        }
        assertEquals(-Errno.ESHUTDOWN, result);
        EngineNative.destroy(engine);
    }

    @Test
    void shouldSendAFile() throws IOException {
        Pipe pipe = Pipe.open();
        long request = send(1, "file", Descriptors.duplicate(pipe.sink()).release());
        pipe.sink().close();
        awaitEnd(1);
        EngineNative.release(request);
        assertEquals(List.of("FILE_DETAILS 11", "FILE_INFO 11", "RESULT 0"), told.get(1L));
        assertArrayEquals(CONTENT, Channels.newInputStream(pipe.source()).readAllBytes());
        pipe.source().close();
    }

    @Test
    void shouldSendAnOpenedFile() throws IOException {
        Pipe pipe = Pipe.open();
        long request = submit(2, Wire.OPEN_FILE, bytes("file"), -1);
        await(2, 2);
        EngineNative.sendOpened(request, Descriptors.duplicate(pipe.sink()).release());
        pipe.sink().close();
        awaitEnd(2);
        EngineNative.release(request);
        assertEquals(List.of("FILE_DETAILS 11", "FILE_INFO 11", "RESULT 0"), told.get(2L));
        assertArrayEquals(CONTENT, Channels.newInputStream(pipe.source()).readAllBytes());
        pipe.source().close();
    }

    @Test
    void shouldTellACancelAndARefusalByName() {
        long opened = submit(3, Wire.OPEN_FILE, bytes("file"), -1);
        long missing = submit(4, Wire.OPEN_FILE, bytes("missing"), -1);
        await(3, 2);
        EngineNative.cancel(opened);
        EngineNative.cancel(opened);
        awaitEnd(3);
        awaitEnd(4);
        EngineNative.release(opened);
        EngineNative.release(missing);
        assertEquals(List.of("FILE_DETAILS 11", "FILE_INFO 11", "RESULT " + Errno.ECANCELED), told.get(3L));
        assertEquals(List.of("REFUSED_EXTENDED " + Errno.ENOENT), told.get(4L));
    }

    @Test
    void shouldRefuseWhatDoesNotFit() throws IOException {
        Pipe pipe = Pipe.open();
        assertEquals(-Errno.EINVAL, submit(5, Wire.OPEN_FILE | 0x100, bytes("file"), -1));
        assertEquals(
                -Errno.EINVAL,
                send(5, "a\0b", Descriptors.duplicate(pipe.sink()).release()));
        assertEquals(-Errno.ENAMETOOLONG, submit(5, Wire.OPEN_FILE, new byte[100_000], -1));
        assertEquals(-Errno.ENOENT, submit(5, Wire.OPEN_FILE, new byte[0], -1));
        assertEquals(
                -Errno.EINVAL,
                submit(
                        5,
                        Wire.SEND_FILE,
                        null,
                        Descriptors.duplicate(pipe.sink()).release()));
        assertEquals(-Errno.ENAMETOOLONG, EngineNative.addRoot(engine, new byte[5000], false));
        assertEquals(-Errno.ENOENT, EngineNative.addRoot(engine, bytes("/missing"), false));
        pipe.sink().close();
        assertEquals(-1, pipe.source().read(ByteBuffer.allocate(1)), "a destination that was taken is still open");
        pipe.source().close();
    }

    @Test
    void shouldEndWhatIsUnderWayBeforeItHasStopped() {
        long opened = submit(6, Wire.OPEN_FILE, bytes("file"), -1);
        await(6, 2);
        EngineNative.stop(EngineNative.loop(engine, 0));
        awaitEnd(6);
        EngineNative.release(opened);
        assertEquals(
                "RESULT " + Errno.ESHUTDOWN, told.getOrDefault(6L, List.of()).get(2));
        assertEquals(-Errno.ESHUTDOWN, submit(7, Wire.OPEN_FILE, bytes("file"), -1));
    }

    private long send(long ticket, String path, int destination) {
        return submit(ticket, Wire.SEND_FILE, bytes(path), destination);
    }

    private long submit(long ticket, int command, byte @Nullable [] path, int destination) {
        long result = EngineNative.submit(
                engine, ticket, 1, command, root, path, destination, -1, 0, -1, null, 0, 0, 0, 0, 0, 0, 0);
        if (result > 0) {
            told.put(ticket, new ArrayList<>());
        }
        return result;
    }

    private void awaitEnd(long ticket) {
        await(ticket, 1, "RE");
    }

    private void await(long ticket, int messages) {
        await(ticket, messages, "");
    }

    private void await(long ticket, int messages, String last) {
        List<String> of = told.getOrDefault(ticket, List.of());
        for (int i = 0; i < ROUNDS; i++) {
            if (of.size() >= messages && of.get(of.size() - 1).startsWith(last)) {
                return;
            }
            assertEquals(0, turn());
        }
        throw new AssertionError("only " + of);
    }

    private int turn() {
        int result = EngineNative.poll(carrier);
        if (result != 0) {
            return result;
        }
        int at = Turn.firstMessage();
        for (int i = 0; i < turn.messages(); i++) {
            read(at);
            at = turn.nextMessage(at);
        }
        for (int i = 0; i < turn.offloads(); i++) {
            EngineNative.work(turn.task(i));
        }
        return 0;
    }

    private void read(int position) {
        List<String> of = told.getOrDefault(turn.messageTicket(position), List.of());
        ResponseDecoder decoder = new ResponseDecoder();
        ByteBuffer bytes = turn.memory().duplicate().order(turn.memory().order());
        bytes.position(Turn.messageBytes(position));
        bytes.limit(bytes.position() + turn.messageLength(position));
        while (bytes.hasRemaining()) {
            ResponseDecoder.Event event = decoder.next(bytes);
            boolean ends = event == ResponseDecoder.Event.RESULT || event == ResponseDecoder.Event.REFUSED_EXTENDED;
            of.add(event + " " + (ends ? decoder.errno() : decoder.size()));
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
