package io.sendfiled.transport;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.jni.EngineNative;
import io.sendfiled.jni.Turn;
import io.sendfiled.protocol.ResponseDecoder;
import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.Pipe;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is told of a request may be acted on before its submitter has the handle. */
@Timeout(30)
final class LocalRequestTest {
    private static final byte[] CONTENT = "of the file".getBytes(StandardCharsets.UTF_8);

    @TempDir
    @SuppressWarnings("NullAway.Init")
    private Path directory;

    @SuppressWarnings("NullAway.Init")
    private Pipe pipe;

    private final LocalRequest request = new LocalRequest(new RecordedCall());
    private long engine;
    private long carrier;
    private long handle; // of an opened file

    @SuppressWarnings("NullAway.Init")
    private Turn turn;

    @BeforeEach
    void open() throws IOException {
        Files.write(directory.resolve("file"), CONTENT);
        SendfiledConfig config =
                SendfiledConfig.builder().root(directory).loops(1).build();
        long[] numbers = Setting.core().stream()
                .mapToLong(setting ->
                        config.get(setting) instanceof Boolean flag ? (flag ? 1 : 0) : (Long) config.get(setting))
                .toArray();
        engine = EngineNative.create(null, new byte[0], null, numbers, new long[0], false, 0, 0, new int[0], -1, null);
        long root = EngineNative.addRoot(engine, directory.toString().getBytes(StandardCharsets.UTF_8), false);
        carrier = EngineNative.carrier(EngineNative.loop(engine, 0));
        turn = new Turn(carrier);
        byte[] path = "file".getBytes(StandardCharsets.UTF_8);
        handle = EngineNative.submit(
                engine, 1, 1, Wire.OPEN_FILE, root, path, -1, -1, 0, Wire.TO_END, null, 0, 0, 0, 0, 0, 0, 0);
        assertTrue(handle > 0);
        assertFalse(awaitMessage());
        pipe = Pipe.open();
        assertTrue(request.sendOpened(Descriptors.duplicate(pipe.sink()).release()));
        pipe.sink().close();
    }

    @AfterEach
    void close() throws IOException {
        pipe.source().close();
        EngineNative.stop(EngineNative.loop(engine, 0));
        int result = 0;
        while (result == 0) {
            result = EngineNative.poll(carrier);
        }
        assertEquals(-Errno.ESHUTDOWN, result);
        EngineNative.destroy(engine);
    }

    @Test
    void shouldSendAsSoonAsThereIsAHandle() throws IOException {
        assertFalse(request.sendOpened(Descriptors.numberOf(pipe.source())), "it is sent once");
        request.begin(handle);
        assertTrue(awaitMessage());
        request.end();
        assertArrayEquals(CONTENT, Channels.newInputStream(pipe.source()).readAllBytes());
    }

    @Test
    void shouldCloseTheDestinationOfARequestThatIsOver() throws IOException {
        EngineNative.cancel(handle);
        assertTrue(awaitMessage());
        request.end();
        assertFalse(request.sendOpened(Descriptors.numberOf(pipe.source())), "it is the caller's");
        request.begin(handle);
        EngineNative.stop(EngineNative.loop(engine, 0)); // so that the turn does not wait
        assertEquals(-Errno.ESHUTDOWN, EngineNative.poll(carrier));
        assertEquals(0, Channels.newInputStream(pipe.source()).readAllBytes().length);
    }

    /** Turns until something was told; whether it was the last. */
    private boolean awaitMessage() {
        while (true) {
            assertEquals(0, EngineNative.poll(carrier));
            for (int i = 0; i < turn.offloads(); i++) {
                EngineNative.work(turn.task(i));
            }
            if (turn.messages() > 0) {
                int at = Turn.firstMessage();
                return ResponseDecoder.isFinal(turn.memory(), Turn.messageBytes(at), turn.messageLength(at));
            }
        }
    }
}
