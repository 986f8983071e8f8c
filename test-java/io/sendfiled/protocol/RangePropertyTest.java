package io.sendfiled.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.sendfiled.client.FileRequest;
import io.sendfiled.sys.Errno;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** R12, D5: ranges are what whole numbers of any length say, at every corner of 64 bits. The C twin is open_range_test.cc. */
final class RangePropertyTest {
    private static final BigInteger MAX = BigInteger.valueOf(Long.MAX_VALUE);

    /** The length is unsigned on the wire. */
    private static boolean fits(long offset, long length) {
        BigInteger from = BigInteger.valueOf(offset);
        BigInteger bytes = new BigInteger(Long.toUnsignedString(length));
        return from.signum() >= 0 && from.add(bytes).compareTo(MAX) <= 0;
    }

    @Property(tries = 20_000)
    void theDecoderTakesWhatFitsIntoAFile(
            @ForAll("corners") long offset, @ForAll("corners") long length, @ForAll boolean extended) {
        ByteBuffer buf = ByteBuffer.allocate(128).order(ByteOrder.nativeOrder());
        byte[] path = {'f'};
        if (extended) {
            RequestEncoder.putFileRequest(buf, Wire.READ_FILE_EXT, path, offset, length, RequestOptions.NONE);
        } else {
            RequestEncoder.putFileRequest(buf, Wire.READ_FILE, path, offset, length);
        }
        RequestDecoder decoder = new RequestDecoder();

        int errno = decoder.decode(buf, 0, buf.position());

        assertEquals(fits(offset, length) ? 0 : Errno.ERANGE, errno);
        if (errno == 0) {
            assertEquals(offset, decoder.offset());
            assertEquals(length == 0 ? Wire.TO_END : length, decoder.length());
        }
    }

    @Property(tries = 20_000)
    void theDecoderTellsAnEmptyRangeFromOneToTheEndInVersion2(
            @ForAll("corners") long offset, @ForAll("corners") long length) {
        ByteBuffer buf = ByteBuffer.allocate(128).order(ByteOrder.nativeOrder());
        RequestOptions options = new RequestOptions(0, 0, 0, 0, 0, Wire.VERSION_2);
        RequestEncoder.putSendDescriptor(buf, offset, length, options);
        RequestDecoder decoder = new RequestDecoder();

        int errno = decoder.decode(buf, 0, buf.position());

        assertEquals(fits(offset, length == Wire.TO_END ? 0 : length) ? 0 : Errno.ERANGE, errno);
        if (errno == 0) {
            assertEquals(length, decoder.length());
        }
    }

    @Property(tries = 20_000)
    void theClientAsksForWhatFitsIntoAFile(@ForAll("corners") long offset, @ForAll("corners") long length) {
        boolean taken;
        try {
            FileRequest request = FileRequest.of("f").range(offset, length);
            assertEquals(offset, request.offset());
            taken = true;
        } catch (IllegalArgumentException e) {
            taken = false;
        }
        assertEquals(length >= 0 && fits(offset, length), taken);
    }

    @Provide
    Arbitrary<Long> corners() {
        Arbitrary<Long> powers = Arbitraries.integers().between(0, 63).map(bit -> 1L << bit);
        return Arbitraries.oneOf(
                Arbitraries.longs(),
                powers,
                powers.map(value -> value - 1),
                powers.map(value -> Long.MAX_VALUE - value),
                Arbitraries.longs().between(-2, 2),
                Arbitraries.of(Long.MAX_VALUE, Long.MIN_VALUE, Long.MAX_VALUE - 1, -1L));
    }
}
