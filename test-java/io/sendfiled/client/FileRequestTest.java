package io.sendfiled.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.sendfiled.buffer.SharedBuffer;
import java.io.IOException;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

final class FileRequestTest {
    @Test
    void shouldBeTheWholeFileUnlessToldOtherwise() {
        FileRequest request = FileRequest.of("a");

        assertEquals(0, request.offset());
        assertEquals(FileRequest.TO_END, request.length());
        assertEquals("a", request.toString());
        assertEquals("a[7 to the end]", request.from(7).toString());
        assertEquals("a[7 +2]", request.range(7, 2).toString());
        assertEquals("a[0 +0]", request.range(0, 0).toString());
    }

    @Test
    void shouldKeepBytesThatAreNoText() {
        byte[] path = {(byte) 0xff, 'a'};
        FileRequest request = FileRequest.ofBytes(path);
        path[1] = 'b';

        assertArrayEquals(new byte[] {(byte) 0xff, 'a'}, request.pathBytes());
        assertEquals("\udcffa", request.path());
        assertEquals(request, FileRequest.of(request.path()));
    }

    /** Its file has whole pages. */
    @Test
    void shouldEndWhereABufferEnds() throws IOException {
        try (SharedBuffer some = SharedBuffer.allocate(10);
                SharedBuffer none = SharedBuffer.allocate(0)) {
            for (FileRequest request : List.of(FileRequest.of(some), FileRequest.of(Source.of(some)))) {
                assertEquals(10, request.length());
                assertEquals(7, request.from(3).length());
                assertEquals(0, request.from(10).length());
                assertThrows(IllegalArgumentException.class, () -> request.from(11));
                assertThrows(IllegalArgumentException.class, () -> request.withSegments(List.of(Segment.from(11))));
            }
            for (FileRequest request : List.of(FileRequest.of(none), FileRequest.of(Source.of(none)))) {
                assertEquals(0, request.length());
                assertEquals(0, request.from(0).length());
                assertThrows(IllegalArgumentException.class, () -> request.from(1));
                assertThrows(IllegalArgumentException.class, () -> request.withSegments(List.of(Segment.from(1))));
            }
        }
    }

    @Test
    void shouldRefuseWhatNoFileHas() {
        FileRequest request = FileRequest.of("a");

        assertThrows(IllegalArgumentException.class, () -> FileRequest.of("a\0b"));
        assertThrows(IllegalArgumentException.class, () -> request.from(-1));
        assertThrows(IllegalArgumentException.class, () -> request.range(-1, 1));
        assertThrows(IllegalArgumentException.class, () -> request.range(0, -1));
        assertEquals(0, request.range(0, 0).length());
        assertThrows(IllegalArgumentException.class, () -> request.range(Long.MAX_VALUE, 1));
        assertEquals(Long.MAX_VALUE - 1, request.range(1, Long.MAX_VALUE - 1).length());
    }

    @Test
    void shouldPutBytesAroundItsRangeOrItsSegments() {
        FileRequest request = FileRequest.of("a");
        byte[] header = {1, 2};
        FileRequest answer = request.range(5, 6).withHeader(header).withTrailer(new byte[] {3});
        header[0] = 9;

        assertEquals(
                List.of(Segment.of(new byte[] {1, 2}), Segment.range(5, 6), Segment.of(new byte[] {3})),
                answer.segments());
        assertEquals("a[2 bytes, 5 +6, 1 bytes]", answer.toString());
        assertEquals(0, answer.offset());
        assertEquals(0, answer.length());
        assertEquals("a[1 bytes, 0 to the end]", request.withHeader(new byte[1]).toString());
        assertEquals(List.of(), answer.range(1, 2).segments());
        assertEquals(List.of(), request.withSegments(List.of()).segments());
        assertEquals(request.range(0, 0), request.withSegments(List.of()));
        assertEquals(answer.segments(), answer.with(TransferOptions.DEFAULT).segments());
    }

    @Test
    void shouldTakeAsManySegmentsAsARequestHasRoomFor() {
        FileRequest request = FileRequest.of("a".repeat(79));
        Segment fits = Segment.of(new byte[4096 - 80 - 16]);
        Segment large = Segment.of(new byte[4096 - 80 - 16 + 1]);

        assertEquals(1, request.withSegments(List.of(fits)).segments().size());
        assertThrows(IllegalArgumentException.class, () -> request.withSegments(List.of(large)));
        assertThrows(IllegalArgumentException.class, () -> request.withSegments(List.of(fits))
                .withTrailer(new byte[0]));
        assertEquals(
                64,
                request.withSegments(Collections.nCopies(64, Segment.from(1)))
                        .segments()
                        .size());
        assertThrows(
                IllegalArgumentException.class, () -> request.withSegments(Collections.nCopies(65, Segment.from(1))));
        assertThrows(IllegalArgumentException.class, () -> Segment.from(-1));
        assertThrows(IllegalArgumentException.class, () -> Segment.range(-1, 0));
        assertThrows(IllegalArgumentException.class, () -> Segment.range(0, -1));
        assertThrows(IllegalArgumentException.class, () -> Segment.range(Long.MAX_VALUE, 1));
    }

    @Test
    void shouldEqualWhatAsksForTheSame() {
        assertEquals(
                FileRequest.of("a").range(1, 2),
                FileRequest.ofBytes(new byte[] {'a'}).range(1, 2));
        assertEquals(
                FileRequest.of("a").range(1, 2).hashCode(),
                FileRequest.of("a").range(1, 2).hashCode());
    }
}
