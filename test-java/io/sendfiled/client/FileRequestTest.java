package io.sendfiled.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

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
    void shouldEqualWhatAsksForTheSame() {
        assertEquals(
                FileRequest.of("a").range(1, 2),
                FileRequest.ofBytes(new byte[] {'a'}).range(1, 2));
        assertEquals(
                FileRequest.of("a").range(1, 2).hashCode(),
                FileRequest.of("a").range(1, 2).hashCode());
    }
}
