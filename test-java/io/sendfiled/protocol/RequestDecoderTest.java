package io.sendfiled.protocol;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.sendfiled.sys.Errno;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
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

    static List<GoldenVectors.Vector> extended() {
        return GoldenVectors.ofKind("extended");
    }

    static List<GoldenVectors.Vector> extendedWithPadding() {
        return GoldenVectors.ofKind("extended_decode");
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
        assertEquals(0, decoder.version());
        if (vector.has("id")) {
            assertEquals(vector.number("id"), decoder.transferId());
        } else {
            assertEquals(vector.number("offset"), decoder.offset());
            assertEquals(vector.meantLength(), decoder.length());
            assertPath(vector, buf);
        }
    }

    @ParameterizedTest
    @MethodSource({"extended", "extendedWithPadding"})
    void shouldDecodeGoldenExtendedRequests(GoldenVectors.Vector vector) {
        ByteBuffer buf = bufferWith(vector.bytes());

        assertEquals(0, decoder.decode(buf, POSITION, vector.bytes().length));

        assertEquals(vector.number("asks"), decoder.command());
        assertEquals(vector.version(), decoder.version());
        assertEquals(vector.number("offset"), decoder.offset());
        assertEquals(vector.meantLength(), decoder.length());
        assertEquals(vector.options(), optionsOf(decoder));
        assertEquals(vector.segments().size(), decoder.segments());
        if (vector.has("path")) {
            assertPath(vector, buf);
        } else {
            assertEquals(0, decoder.pathLength());
        }
    }

    private void assertPath(GoldenVectors.Vector vector, ByteBuffer buf) {
        byte[] path = new byte[decoder.pathLength()];
        buf.get(decoder.pathPosition(), path);
        assertArrayEquals(vector.path(), path);
        assertEquals(0, buf.get(decoder.pathPosition() + decoder.pathLength()));
    }

    private static RequestOptions optionsOf(RequestDecoder request) {
        return new RequestOptions(
                request.rate(),
                request.idleMs(),
                request.deadlineMs(),
                request.technique(),
                request.flags(),
                request.version());
    }

    @ParameterizedTest
    @MethodSource("refused")
    void shouldRefuseGoldenRefusals(GoldenVectors.Vector vector) {
        int errno = decoder.decode(bufferWith(vector.bytes()), POSITION, vector.bytes().length);

        assertEquals(vector.field("errno"), Errno.name(errno));
        assertEquals(0, decoder.command());
        assertEquals(vector.has("extended") ? vector.version() : 0, decoder.version());
    }

    @Test
    void shouldForgetTheRequestBeforeARefusedOne() {
        byte[] good = extended().get(2).bytes();
        assertEquals(0, decoder.decode(bufferWith(good), POSITION, good.length));

        assertEquals(Errno.EBADMSG, decoder.decode(bufferWith(good), POSITION, 1));

        assertEquals(0, decoder.command() | decoder.offset() | decoder.length() | decoder.pathLength());
        assertEquals(new RequestOptions(0, 0, 0, 0, 0, 0), optionsOf(decoder));
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
            accepted += acceptOnlyWhatIsEncodedAgain(bytes);
        }
        assertTrue(accepted > 1_000, "only " + accepted + " were accepted");
    }

    @Test
    void shouldAcceptOnlyExtendedRequestsThatTheEncoderWouldWriteAgain() {
        SplittableRandom random = new SplittableRandom(20261120);
        List<GoldenVectors.Vector> vectors = extended();
        int accepted = 0;
        for (int i = 0; i < 200_000; i++) {
            byte[] golden = vectors.get(random.nextInt(vectors.size())).bytes();
            byte[] bytes = Arrays.copyOf(golden, Math.min(golden.length, 42 + random.nextInt(60)));
            bytes[random.nextInt(42)] = (byte) random.nextInt(256);
            if (bytes.length > Wire.EXTENDED_REQUEST_HEADER_SIZE && bytes[Wire.REQUEST_SEGMENTS] == 0) { // a path
                bytes[bytes.length - 1] = (byte) random.nextInt(2);
            }
            if (random.nextInt(8) != 0) {
                ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).putInt(4, bytes.length);
            }
            accepted += acceptOnlyWhatIsEncodedAgain(bytes);
        }
        assertTrue(accepted > 1_000, "only " + accepted + " were accepted");
    }

    /** 1 if the decoder accepts the bytes. */
    private int acceptOnlyWhatIsEncodedAgain(byte[] bytes) {
        ByteBuffer again = ByteBuffer.allocate(256);
        ByteBuffer buf = bufferWith(bytes);
        if (decoder.decode(buf, POSITION, bytes.length) != 0) {
            return 0;
        }
        byte[] path = new byte[decoder.pathLength()];
        buf.get(decoder.pathPosition(), path);
        long offset = decoder.offset();
        boolean newer = decoder.version() >= Wire.VERSION_2;
        long length = decoder.length() == Wire.TO_END && !newer ? 0 : decoder.length();
        switch (decoder.command()) {
            case Wire.CANCEL -> RequestEncoder.putCancel(again, decoder.transferId());
            case Wire.SEND_OPEN_FILE -> RequestEncoder.putSendOpenFile(again, decoder.transferId());
            case Wire.SEND_DESCRIPTOR -> RequestEncoder.putSendDescriptor(again, offset, length, optionsOf(decoder));
            default -> {
                if (decoder.version() > 0) {
                    int command = decoder.command() | 0x10;
                    RequestEncoder.putFileRequest(again, command, path, offset, length, optionsOf(decoder));
                } else {
                    RequestEncoder.putFileRequest(again, decoder.command(), path, offset, length);
                }
            }
        }
        addSegmentsOf(bytes, again);
        assertEquals(ByteBuffer.wrap(bytes), again.flip());
        return 1;
    }

    /** Those behind what {@code again} has already. */
    private void addSegmentsOf(byte[] bytes, ByteBuffer again) {
        ByteBuffer from = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).position(again.position());
        for (int i = 0; i < decoder.segments(); i++) {
            long offset = from.getLong();
            long length = from.getLong();
            if (offset == Wire.SEGMENT_BYTES) {
                byte[] literal = new byte[(int) length];
                from.get(literal);
                RequestEncoder.addBytes(again, 0, literal);
            } else {
                RequestEncoder.addRange(again, 0, offset, length);
            }
        }
    }

    @Test
    void shouldAllocateNothing() {
        byte[] plain = requests().get(1).bytes();
        byte[] options = extended().get(2).bytes();
        ByteBuffer plainBuf = bufferWith(plain);
        ByteBuffer optionsBuf = bufferWith(options);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        decodeMany(plainBuf, plain.length); // warm
        decodeMany(optionsBuf, options.length);

        long before = threads.getCurrentThreadAllocatedBytes();
        decodeMany(plainBuf, plain.length);
        decodeMany(optionsBuf, options.length);
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;

        assertTrue(allocated < 1_000, allocated + " bytes for 200,000 requests");
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
