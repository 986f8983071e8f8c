package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferResult;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.io.ByteArrayOutputStream;
import java.nio.channels.Channels;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every operation to every kind of destination, at the sizes where things change: the right bytes, and all of them. */
@ParameterizedClass
@EachKind
@Timeout(120)
final class DeliveryIT {
    private static final long[] SIZES = {0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1_048_577, 67_108_864};
    private static final int RANGE_FILE_SIZE = 300_000;
    private static final long[][] RANGES = {
        {0, 1}, {1, 0}, {4095, 2}, {4096, 4096}, {65_537, 131_073}, {299_999, 1}, {300_000, 0}, {0, 300_000}
    };

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    private static Content[] contents;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        contents = new Content[SIZES.length];
        for (int i = 0; i < SIZES.length; i++) {
            contents[i] = Content.write(daemon.root().resolve("file" + SIZES[i]), SIZES[i]);
        }
        Content.write(daemon.root().resolve("ranges"), RANGE_FILE_SIZE);
    }

    @ParameterizedTest
    @EnumSource(TestDestination.Type.class)
    void shouldSendFilesOfAllSizes(TestDestination.Type type) throws Exception {
        for (int i = 0; i < SIZES.length; i++) {
            assertEquals(contents[i], send(FileRequest.of("file" + SIZES[i]), type), type + " " + SIZES[i]);
        }
    }

    @ParameterizedTest
    @EnumSource(TestDestination.Type.class)
    void shouldSendOpenedFilesOfAllSizes(TestDestination.Type type) throws Exception {
        for (int i = 0; i < SIZES.length; i++) {
            assertEquals(contents[i], openAndSend(FileRequest.of("/file" + SIZES[i]), type), type + " " + SIZES[i]);
        }
    }

    @ParameterizedTest
    @EnumSource(TestDestination.Type.class)
    void shouldSendRanges(TestDestination.Type type) throws Exception {
        for (long[] range : RANGES) {
            assertEquals(contentOf(range), send(request(range), type), type + " " + range[0] + " +" + range[1]);
            assertEquals(contentOf(range), openAndSend(request(range), type), type + " " + range[0] + " +" + range[1]);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
    void shouldReadFilesOfAllSizes(int index) throws Exception {
        assertEquals(contents[index], read(FileRequest.of("file" + SIZES[index])));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7})
    void shouldReadRanges(int index) throws Exception {
        assertEquals(contentOf(RANGES[index]), read(request(RANGES[index])));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 4096, 1_048_577})
    void shouldReadIntoAnyChannel(int size) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();

        daemon.client().readTo("file" + size, Channels.newChannel(out)).await(Await.LONG);

        assertEquals(Content.of(daemon.root().resolve("file" + size)), Content.of(out.toByteArray()));
    }

    @ParameterizedTest
    @EnumSource(TestDestination.Type.class)
    void shouldTellProgressThatNeverExceedsWhatWasMoved(TestDestination.Type type) throws Exception {
        long size = 67_108_864;
        long[] last = new long[1];
        boolean[] rising = {true};
        try (TestDestination destination = TestDestination.open(type, directory)) {
            CompletableFuture<Content> received = destination.receive();
            Transfer transfer = daemon.client()
                    .send(FileRequest.of("file" + size), destination.destination())
                    .onProgress((moved, total) -> {
                        rising[0] &= moved > last[0] && moved <= total && total == size;
                        last[0] = moved;
                    });
            transfer.await(Await.LONG);
            destination.finishSending();
            received.get(20, TimeUnit.SECONDS);

            assertTrue(rising[0]);
            assertEquals(size, last[0]);
        }
    }

    private static Content send(FileRequest request, TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory)) {
            CompletableFuture<Content> received = destination.receive();
            Transfer transfer = daemon.client().send(request, destination.destination());
            return finish(transfer, destination, received);
        }
    }

    private static Content openAndSend(FileRequest request, TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory)) {
            CompletableFuture<Content> received = destination.receive();
            OpenFile file = daemon.client().open(request).get(20, TimeUnit.SECONDS);
            return finish(file.send(destination.destination()), destination, received);
        }
    }

    private static Content finish(Transfer transfer, TestDestination destination, CompletableFuture<Content> received)
            throws Exception {
        TransferResult result = transfer.await(Await.LONG);
        destination.finishSending();
        Content content = received.get(20, TimeUnit.SECONDS);
        assertEquals(content.size(), result.info().size());
        assertEquals(content.size(), result.bytesMoved());
        return content;
    }

    private static Content read(FileRequest request) throws Exception {
        try (FileContent content = daemon.client().read(request).content().get(20, TimeUnit.SECONDS)) {
            Content read = Content.drain(content);
            assertEquals(read.size(), content.info().size());
            return read;
        }
    }

    private static FileRequest request(long[] range) {
        FileRequest file = FileRequest.of("ranges");
        return range[1] == 0 ? file.from(range[0]) : file.range(range[0], range[1]);
    }

    private static Content contentOf(long[] range) throws Exception {
        return Content.of(
                daemon.root().resolve("ranges"), range[0], range[1] == 0 ? RANGE_FILE_SIZE - range[0] : range[1]);
    }
}
