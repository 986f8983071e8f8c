package io.sendfiled.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.RequestOptions;
import io.sendfiled.protocol.Wire;
import io.sendfiled.technique.Technique;
import java.time.Duration;
import org.junit.jupiter.api.Test;

final class TransferOptionsTest {
    @Test
    void shouldAskForNothingByDefault() {
        assertEquals(new RequestOptions(0, 0, 0, 0, 0, Wire.VERSION_2), TransferOptions.DEFAULT.onTheWire());
        assertFalse(FileRequest.of("a").isExtended());
        assertFalse(FileRequest.of("a").with(TransferOptions.DEFAULT).isExtended());
        assertTrue(FileRequest.of("a")
                .with(TransferOptions.DEFAULT.withDetails(true))
                .isExtended());
        assertTrue(FileRequest.of(() -> {
                    throw new AssertionError("duplicated before it was sent");
                })
                .isExtended());
    }

    @Test
    void shouldTravelAsNumbers() {
        TransferOptions options = TransferOptions.DEFAULT
                .withTechnique(Technique.READ_WRITE)
                .withRate(1_000_000)
                .withIdleTimeout(Duration.ofSeconds(5))
                .withDeadline(Duration.ofMinutes(1))
                .withDropBehind(true)
                .withMoreFollows(true)
                .withDetails(true);

        assertEquals(
                new RequestOptions(1_000_000, 5_000, 60_000, 4, Wire.FLAG_DROP_BEHIND | Wire.FLAG_MORE, Wire.VERSION_2),
                options.onTheWire());
        assertEquals(Wire.FLAG_MORE, options.withDropBehind(false).onTheWire().flags());
        assertEquals(
                Wire.FLAG_SEAL,
                TransferOptions.DEFAULT.withSeal(true).onTheWire().flags());
    }

    @Test
    void shouldRoundTimesUp() {
        TransferOptions options = TransferOptions.DEFAULT
                .withIdleTimeout(Duration.ofNanos(1)) // 0 would be the daemon's own
                .withDeadline(TransferOptions.MAX_TIME.minusNanos(1));

        assertEquals(1, options.onTheWire().idleMs());
        assertEquals(-1, options.onTheWire().deadlineMs()); // 32 bits without a sign
    }

    @Test
    void shouldRefuseWhatCannotBe() {
        TransferOptions options = TransferOptions.DEFAULT;

        assertThrows(IllegalArgumentException.class, () -> options.withRate(-1));
        assertThrows(IllegalArgumentException.class, () -> options.withIdleTimeout(Duration.ofMillis(-1)));
        assertThrows(IllegalArgumentException.class, () -> options.withDeadline(TransferOptions.MAX_TIME.plusNanos(1)));
    }

    @Test
    void shouldBelongToARequest() {
        TransferOptions options = TransferOptions.DEFAULT.withRate(1);
        FileRequest request = FileRequest.of("a").with(options).range(1, 2);

        assertEquals(options, request.options());
        assertEquals(request, FileRequest.of("a").range(1, 2).with(options));
        assertFalse(request.equals(FileRequest.of("a").range(1, 2)));
    }
}
