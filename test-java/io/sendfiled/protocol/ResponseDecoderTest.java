package io.sendfiled.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.ResponseDecoder.Event;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class ResponseDecoderTest {
    private final ResponseDecoder decoder = new ResponseDecoder();

    static List<GoldenVectors.Vector> responses() {
        List<GoldenVectors.Vector> all = new ArrayList<>();
        for (String kind : List.of("file_info", "file_details", "progress", "complete", "error", "refusal", "result")) {
            all.addAll(GoldenVectors.ofKind(kind));
        }
        return all;
    }

    static List<GoldenVectors.Vector> incomplete() {
        return GoldenVectors.ofKind("incomplete");
    }

    static List<GoldenVectors.Vector> malformed() {
        return GoldenVectors.ofKind("malformed");
    }

    @ParameterizedTest
    @MethodSource("responses")
    void shouldDecodeGoldenResponses(GoldenVectors.Vector vector) {
        ByteBuffer in = ByteBuffer.wrap(vector.bytes());

        check(vector, decoder.next(in));

        assertFalse(in.hasRemaining());
        assertEquals(Event.NEED_MORE, decoder.next(in));
    }

    @ParameterizedTest
    @MethodSource("responses")
    void shouldDecodeGoldenResponsesByteByByte(GoldenVectors.Vector vector) {
        byte[] bytes = vector.bytes();
        for (int i = 0; i < bytes.length - 1; i++) {
            assertEquals(Event.NEED_MORE, decoder.next(ByteBuffer.wrap(bytes, i, 1)));
            assertTrue(decoder.isInsideMessage());
        }

        check(vector, decoder.next(ByteBuffer.wrap(bytes, bytes.length - 1, 1)));

        assertFalse(decoder.isInsideMessage());
    }

    @ParameterizedTest
    @MethodSource("incomplete")
    void shouldWaitForTheRest(GoldenVectors.Vector vector) {
        assertEquals(Event.NEED_MORE, decoder.next(ByteBuffer.wrap(vector.bytes())));
    }

    @ParameterizedTest
    @MethodSource("malformed")
    void shouldTellWhatIsNoResponse(GoldenVectors.Vector vector) {
        assertEquals(Event.MALFORMED, decoder.next(ByteBuffer.wrap(vector.bytes())));
    }

    @Test
    void shouldDecodeManyMessagesInPiecesOfAnySize() {
        List<GoldenVectors.Vector> messages = responses();
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        messages.forEach(message -> stream.writeBytes(message.bytes()));
        for (int size = 1; size <= stream.size(); size++) {
            List<Event> events = new ArrayList<>();
            for (int from = 0; from < stream.size(); from += size) {
                ByteBuffer in = ByteBuffer.wrap(stream.toByteArray(), from, Math.min(size, stream.size() - from));
                for (Event e = decoder.next(in); e != Event.NEED_MORE; e = decoder.next(in)) {
                    check(messages.get(events.size()), e);
                    events.add(e);
                }
            }
            assertEquals(messages.size(), events.size());
        }
    }

    @Test
    void shouldLeaveTheFilesBytesBehindTheFileInformation() {
        byte[] info = GoldenVectors.ofKind("file_info").get(0).bytes();
        ByteBuffer in = ByteBuffer.allocate(info.length + 3)
                .put(info)
                .put(new byte[] {7, 8, 9})
                .flip();

        assertEquals(Event.FILE_INFO, decoder.next(in));

        assertEquals(ByteBuffer.wrap(new byte[] {7, 8, 9}), in);
    }

    private void check(GoldenVectors.Vector vector, Event event) {
        switch (vector.kind()) {
            case "file_info" -> {
                assertEquals(Event.FILE_INFO, event);
                assertEquals(vector.number("size"), decoder.size());
                assertEquals(vector.number("atime"), decoder.accessTime());
                assertEquals(vector.number("mtime"), decoder.modificationTime());
                assertEquals(vector.number("ctime"), decoder.changeTime());
                assertEquals(vector.number("id"), decoder.transferId());
            }
            case "file_details" -> {
                assertEquals(Event.FILE_DETAILS, event);
                assertEquals(vector.number("size"), decoder.size());
                assertEquals(vector.number("inode"), decoder.inode());
                assertEquals(vector.number("device"), decoder.device());
                assertEquals((int) vector.number("atime_ns"), decoder.accessNanos());
                assertEquals((int) vector.number("mtime_ns"), decoder.modificationNanos());
                assertEquals((int) vector.number("ctime_ns"), decoder.changeNanos());
                assertEquals(vector.number("mode"), decoder.mode());
            }
            case "progress" -> {
                assertEquals(Event.PROGRESS, event);
                assertEquals(vector.number("moved"), decoder.size());
            }
            case "complete" -> assertEquals(Event.COMPLETE, event);
            case "refusal" -> {
                assertEquals(Event.REFUSED_EXTENDED, event);
                assertEquals(vector.number("errno"), decoder.errno());
                assertEquals((int) vector.number("fits"), decoder.fits());
            }
            case "result" -> {
                assertEquals(Event.RESULT, event);
                assertEquals(vector.number("errno"), decoder.errno());
                assertEquals(vector.number("moved"), decoder.size());
                assertEquals(vector.number("elapsed"), decoder.elapsedNs());
                assertEquals((int) vector.number("cold"), decoder.coldWindows());
                assertEquals(vector.number("technique"), decoder.technique());
                assertEquals(vector.number("fits"), decoder.fits());
            }
            default -> {
                assertEquals(vector.command() == Wire.FILE_INFO ? Event.REFUSED : Event.FAILED, event);
                assertEquals(vector.number("errno"), decoder.errno());
            }
        }
    }
}
