package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.Segment;
import io.sendfiled.client.Source;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransferResult;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.TestDaemon;
import java.io.ByteArrayOutputStream;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Bytes and several ranges in one request, as an HTTP server answers with them, against a daemon. */
@Timeout(60)
final class SegmentsIT {
    private static final int SIZE = 3_000_000;

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    private static Path file;
    private static byte[] content;

    @BeforeAll
    static void makeFile() throws Exception {
        file = daemon.root().resolve("file");
        Content.write(file, SIZE);
        content = Files.readAllBytes(file);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** Sends the request, whose receiver has to get these bytes. */
    private static void expect(byte[] bytes, FileRequest request, TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory)) {
            CompletableFuture<Content> received = destination.receive();
            TransferResult result =
                    daemon.client().send(request, destination.destination()).await(Await.LONG);
            destination.finishSending();

            assertEquals(Content.of(bytes), received.get(Await.LONG.toSeconds(), TimeUnit.SECONDS), type + "");
            assertEquals(bytes.length, result.bytesMoved());
        }
    }

    @Test
    void shouldAnswerWithThreeRangesInOneRequest() throws Exception {
        int[][] ranges = {{2_000_000, 900_000}, {0, 1}, {SIZE - 500_000, 500_000}};
        List<Segment> segments = new ArrayList<>();
        ByteArrayOutputStream expected = new ByteArrayOutputStream();
        for (int[] range : ranges) {
            int end = range[0] + range[1];
            byte[] head = ascii("--b\r\nContent-Range: bytes " + range[0] + "-" + (end - 1) + "/" + SIZE + "\r\n\r\n");
            segments.add(Segment.of(head));
            segments.add(end == SIZE ? Segment.from(range[0]) : Segment.range(range[0], range[1]));
            expected.writeBytes(head);
            expected.writeBytes(Arrays.copyOfRange(content, range[0], end));
        }
        FileRequest parts = FileRequest.of("file").withSegments(segments);
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes(ascii("HTTP/1.1 206 Partial Content\r\n\r\n"));
        all.writeBytes(expected.toByteArray());
        all.writeBytes(ascii("--b--\r\n"));

        for (TestDestination.Type type : TestDestination.Type.values()) {
            if (type != TestDestination.Type.FILE) {
                expect(
                        all.toByteArray(),
                        parts.withHeader(ascii("HTTP/1.1 206 Partial Content\r\n\r\n"))
                                .withTrailer(ascii("--b--\r\n")),
                        type);
            }
        }
    }

    @Test
    void shouldPutAHeaderBeforeAnOpenFile() throws Exception {
        try (FileChannel channel = FileChannel.open(file)) {
            byte[] header = ascii("Content-Length: " + channel.size() + "\r\n\r\n");
            byte[] expected = Arrays.copyOf(header, header.length + SIZE);
            System.arraycopy(content, 0, expected, header.length, SIZE);

            expect(expected, FileRequest.of(Source.of(channel)).withHeader(header), TestDestination.Type.TCP);
        }
    }

    @Test
    void shouldReadAndOpenSegmentsAsWell() throws Exception {
        FileRequest request = FileRequest.of("file")
                .withSegments(List.of(Segment.from(SIZE - 1_000), Segment.range(0, 70_000)))
                .withHeader(ascii("header"));
        ByteArrayOutputStream expected = new ByteArrayOutputStream();
        expected.writeBytes(ascii("header"));
        expected.writeBytes(Arrays.copyOfRange(content, SIZE - 1_000, SIZE));
        expected.writeBytes(Arrays.copyOf(content, 70_000));

        try (FileContent read = daemon.client().read(request).content().get(Await.LONG.toSeconds(), TimeUnit.SECONDS)) {
            assertEquals(71_006, read.info().size());
            assertEquals(Content.of(expected.toByteArray()), Content.drain(read));
        }
        try (OpenFile opened = daemon.client().open(request).get(Await.LONG.toSeconds(), TimeUnit.SECONDS);
                TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            CompletableFuture<Content> received = destination.receive();
            opened.send(destination.destination()).await(Await.LONG);
            destination.finishSending();

            assertEquals(Content.of(expected.toByteArray()), received.get(Await.LONG.toSeconds(), TimeUnit.SECONDS));
        }
    }

    @Test
    void shouldRefuseRangesOutsideTheFileAndDestinationsThatAreNoStream() throws Exception {
        FileRequest outside = FileRequest.of("file")
                .withSegments(List.of(Segment.of(ascii("header")), Segment.range(0, 5), Segment.range(SIZE, 1)));
        FileRequest inside = FileRequest.of("file").withHeader(ascii("header"));

        assertEquals(Errno.ERANGE, refusal(outside, TestDestination.Type.TCP));
        assertEquals(Errno.EOPNOTSUPP, refusal(inside, TestDestination.Type.FILE));
    }

    private static int refusal(FileRequest request, TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory)) {
            CompletableFuture<Content> received = destination.receive();
            TransferException e = assertThrows(TransferException.class, () -> daemon.client()
                    .send(request, destination.destination())
                    .await(Await.LONG));
            destination.finishSending();

            assertEquals(Content.NOTHING, received.get(Await.LONG.toSeconds(), TimeUnit.SECONDS));
            return e.errno();
        }
    }
}
