package io.sendfiled.system;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.sendfiled.config.DestinationType;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.counters.Counter;
import io.sendfiled.daemon.Sendfiled;
import io.sendfiled.daemon.TechniqueSelector;
import io.sendfiled.protocol.Technique;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.RawClient;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A selector of techniques that whoever launches the engine has given it. */
final class SelectorIT {
    private static final int SIZE = 100_000;

    @TempDir
    Path directory;

    private Sendfiled launch(TechniqueSelector selector) throws Exception {
        Path root = Files.createDirectories(directory.resolve("root"));
        Content.write(root.resolve("file"), SIZE);
        return Sendfiled.launch(
                SendfiledConfig.builder()
                        .name("selector")
                        .root(root)
                        .socketDirectory(directory)
                        .build(),
                selector);
    }

    /** Reads the file by an extended request; the technique that its Result names. */
    private @Nullable Technique read(Sendfiled engine, ExtendedRequest request) throws Exception {
        try (RawClient client = new RawClient(engine.socketPath());
                RawClient.Status status = client.request(request, -1, -1)) {
            byte[] bytes = status.read(Wire.FILE_INFO_SIZE + SIZE + Wire.RESULT_SIZE);
            assertEquals(Wire.FILE_INFO_SIZE + SIZE + Wire.RESULT_SIZE, bytes.length);
            assertArrayEquals(
                    Files.readAllBytes(directory.resolve("root/file")),
                    Arrays.copyOfRange(bytes, Wire.FILE_INFO_SIZE, Wire.FILE_INFO_SIZE + SIZE));
            ByteBuffer result = ByteBuffer.wrap(bytes, Wire.FILE_INFO_SIZE + SIZE, Wire.RESULT_SIZE)
                    .slice()
                    .order(ByteOrder.nativeOrder());
            assertEquals((byte) Wire.RESULT, result.get(0));
            assertEquals(0, result.get(1));
            return Technique.of(result.get(28));
        }
    }

    @Test
    void shouldBeAskedForWhatTheRequestLeavesOpenAndBeObeyed() throws Exception {
        List<String> asked = new CopyOnWriteArrayList<>();
        try (Sendfiled engine = launch((size, type, blocking) -> {
            asked.add(size + " " + type + " " + blocking);
            return Technique.MMAP;
        })) {
            assertEquals(Technique.MMAP, read(engine, ExtendedRequest.read("file")));
            assertEquals(List.of(SIZE + " " + DestinationType.PIPE + " true"), asked);
            assertEquals(
                    Technique.READ_WRITE,
                    read(engine, ExtendedRequest.read("file").by(Technique.READ_WRITE.code())));
            assertEquals(1, asked.size());
            assertEquals(0, engine.counters().get(Counter.UNFIT_CHOICES));
        }
    }

    @Test
    void shouldLeaveToTheRulesWhatItDoesNotCareAbout() throws Exception {
        try (Sendfiled engine = launch((size, type, blocking) -> Technique.AUTO)) {
            assertEquals(Technique.SPLICE, read(engine, ExtendedRequest.read("file")));
            assertEquals(0, engine.counters().get(Counter.UNFIT_CHOICES));
        }
    }

    @Test
    void shouldNotBeObeyedWhenItsChoiceDoesNotFit() throws Exception {
        try (Sendfiled engine = launch((size, type, blocking) -> Technique.COPY_FILE_RANGE)) {
            assertEquals(Technique.SPLICE, read(engine, ExtendedRequest.read("file")));
            assertEquals(1, engine.counters().get(Counter.UNFIT_CHOICES));
        }
    }

    @Test
    void shouldEndNoLoopWhenItThrows() throws Exception {
        try (Sendfiled engine = launch((size, type, blocking) -> {
            throw new AssertionError("a selector's fault, on purpose");
        })) {
            assertEquals(Technique.SPLICE, read(engine, ExtendedRequest.read("file")));
            assertEquals(Technique.SPLICE, read(engine, ExtendedRequest.read("file")));
            assertEquals(2, engine.counters().get(Counter.UNFIT_CHOICES));
            assertNull(engine.failure());
        }
    }
}
