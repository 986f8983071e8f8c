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

    @ParameterizedTest
    @MethodSource("requests")
    void shouldEncodeGoldenRequests(GoldenVectors.Vector vector) {
        ByteBuffer buf = ByteBuffer.allocate(Wire.MAX_REQUEST_SIZE);
        for (int i = 0; i < buf.capacity(); i++) {
            buf.put(i, (byte) 0xaa); // what an earlier request left
        }

        switch (vector.command()) {
            case Wire.SEND_OPEN_FILE -> RequestEncoder.putSendOpenFile(buf, vector.number("id"));
            case Wire.CANCEL -> RequestEncoder.putCancel(buf, vector.number("id"));
            default ->
                RequestEncoder.putFileRequest(
                        buf, vector.command(), vector.path(), vector.number("offset"), vector.number("length"));
        }

        assertEquals(ByteBuffer.wrap(vector.bytes()), buf.flip());
    }
}
