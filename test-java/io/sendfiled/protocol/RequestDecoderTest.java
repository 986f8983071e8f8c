package io.sendfiled.protocol;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.sendfiled.jni.Errno;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class RequestDecoderTest {
    private static final int POSITION = 64;

    private final RequestDecoder decoder = new RequestDecoder();

    static List<GoldenVectors.Vector> requests() {
        return GoldenVectors.ofKind("request");
    }

    static List<GoldenVectors.Vector> requestsWithPadding() {
        return GoldenVectors.ofKind("request_decode");
    }

    static List<GoldenVectors.Vector> refused() {
        return GoldenVectors.ofKind("refused");
    }

    @ParameterizedTest
    @MethodSource({"requests", "requestsWithPadding"})
    void shouldDecodeGoldenRequests(GoldenVectors.Vector vector) {
        ByteBuffer buf = bufferWith(vector.bytes());

        assertEquals(0, decoder.decode(buf, POSITION, vector.bytes().length));

        assertEquals(vector.command(), decoder.command());
        if (vector.has("id")) {
            assertEquals(vector.number("id"), decoder.transferId());
        } else {
            assertEquals(vector.number("offset"), decoder.offset());
            assertEquals(vector.number("length"), decoder.length());
            byte[] path = new byte[decoder.pathLength()];
            buf.get(decoder.pathPosition(), path);
            assertArrayEquals(vector.path(), path);
            assertEquals(0, buf.get(decoder.pathPosition() + decoder.pathLength()));
        }
    }

    @ParameterizedTest
    @MethodSource("refused")
    void shouldRefuseGoldenRefusals(GoldenVectors.Vector vector) {
        int errno = decoder.decode(bufferWith(vector.bytes()), POSITION, vector.bytes().length);

        assertEquals(vector.field("errno"), Errno.name(errno));
        assertEquals(0, decoder.command());
    }

    @Test
    void shouldForgetTheRequestBeforeARefusedOne() {
        byte[] good = requests().get(1).bytes();
        assertEquals(0, decoder.decode(bufferWith(good), POSITION, good.length));

        assertEquals(Errno.EBADMSG, decoder.decode(bufferWith(good), POSITION, 1));

        assertEquals(0, decoder.command() | decoder.offset() | decoder.length() | decoder.pathLength());
    }

    @Test
    void shouldRefuseABufferInForeignByteOrder() {
        ByteOrder foreign =
                ByteOrder.nativeOrder() == ByteOrder.BIG_ENDIAN ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
        ByteBuffer buf = ByteBuffer.allocate(32).order(foreign);

        assertThrows(IllegalArgumentException.class, () -> decoder.decode(buf, 0, 16));
    }

    @Test
    void shouldAcceptOnlyWhatTheEncoderWouldWriteAgain() {
        SplittableRandom random = new SplittableRandom(20261120);
        ByteBuffer again = ByteBuffer.allocate(POSITION + 256);
        int accepted = 0;
        for (int i = 0; i < 200_000; i++) {
            byte[] bytes = new byte[random.nextInt(64)];
            random.nextBytes(bytes);
            if (bytes.length > 1) { // most of them: nearly right
                bytes[0] = (byte) random.nextInt(8);
                bytes[1] = (byte) (random.nextInt(8) == 0 ? 1 : 0);
                bytes[bytes.length - 1] = (byte) random.nextInt(3);
            }
            for (int p = 2; p < Math.min(8, bytes.length); p++) {
                bytes[p] = 0;
            }
            ByteBuffer buf = bufferWith(bytes);
            if (decoder.decode(buf, POSITION, bytes.length) != 0) {
                continue;
            }
            accepted++;
            again.clear();
            if (decoder.command() == Wire.CANCEL) {
                RequestEncoder.putCancel(again, decoder.transferId());
            } else if (decoder.command() == Wire.SEND_OPEN_FILE) {
                RequestEncoder.putSendOpenFile(again, decoder.transferId());
            } else {
                byte[] path = new byte[decoder.pathLength()];
                buf.get(decoder.pathPosition(), path);
                RequestEncoder.putFileRequest(again, decoder.command(), path, decoder.offset(), decoder.length());
            }
            assertEquals(ByteBuffer.wrap(bytes), again.flip());
        }
        assertTrue(accepted > 1_000, "only " + accepted + " were accepted");
    }

    @Test
    void shouldAllocateNothing() {
        byte[] bytes = requests().get(1).bytes();
        ByteBuffer buf = bufferWith(bytes);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        decodeMany(buf, bytes.length); // warm

        long before = threads.getCurrentThreadAllocatedBytes();
        decodeMany(buf, bytes.length);
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;

        assertTrue(allocated < 1_000, allocated + " bytes for 100,000 requests");
    }

    private void decodeMany(ByteBuffer buf, int size) {
        for (int i = 0; i < 100_000; i++) {
            if (decoder.decode(buf, POSITION, size) != 0) {
                throw new AssertionError("refused");
            }
        }
    }

    private static ByteBuffer bufferWith(byte[] bytes) {
        return ByteBuffer.allocateDirect(POSITION + bytes.length + 8)
                .order(ByteOrder.nativeOrder())
                .put(POSITION, bytes)
                .clear();
    }
}
