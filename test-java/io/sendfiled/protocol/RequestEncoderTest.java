package io.sendfiled.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class RequestEncoderTest {
    static List<GoldenVectors.Vector> requests() {
        return GoldenVectors.ofKind("request");
    }

    static List<GoldenVectors.Vector> extended() {
        return GoldenVectors.ofKind("extended");
    }

    @ParameterizedTest
    @MethodSource("requests")
    void shouldEncodeGoldenRequests(GoldenVectors.Vector vector) {
        ByteBuffer buf = usedBuffer();

        switch (vector.command()) {
            case Wire.SEND_OPEN_FILE -> RequestEncoder.putSendOpenFile(buf, vector.number("id"));
            case Wire.CANCEL -> RequestEncoder.putCancel(buf, vector.number("id"));
            default ->
                RequestEncoder.putFileRequest(
                        buf, vector.command(), vector.path(), vector.number("offset"), vector.number("length"));
        }

        assertEquals(ByteBuffer.wrap(vector.bytes()), buf.flip());
    }

    @ParameterizedTest
    @MethodSource("extended")
    void shouldEncodeGoldenExtendedRequests(GoldenVectors.Vector vector) {
        ByteBuffer buf = usedBuffer();
        long offset = vector.number("offset");
        long length = vector.number("length");

        if (vector.command() == Wire.SEND_DESCRIPTOR) {
            RequestEncoder.putSendDescriptor(buf, offset, length, vector.options());
        } else {
            RequestEncoder.putFileRequest(buf, vector.command(), vector.path(), offset, length, vector.options());
        }
        for (String segment : vector.segments()) {
            int plus = segment.indexOf('+');
            if (plus < 0) {
                RequestEncoder.addBytes(buf, 0, GoldenVectors.hex(segment));
            } else {
                long from = Long.parseUnsignedLong(segment.substring(0, plus));
                RequestEncoder.addRange(buf, 0, from, Long.parseUnsignedLong(segment.substring(plus + 1)));
            }
        }

        assertEquals(ByteBuffer.wrap(vector.bytes()), buf.flip());
    }

    private static ByteBuffer usedBuffer() {
        ByteBuffer buf = ByteBuffer.allocate(Wire.MAX_REQUEST_SIZE);
        for (int i = 0; i < buf.capacity(); i++) {
            buf.put(i, (byte) 0xaa); // what an earlier request left
        }
        return buf;
    }
}
