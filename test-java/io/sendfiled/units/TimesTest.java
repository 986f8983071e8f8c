package io.sendfiled.units;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class TimesTest {
    private static final Duration SECOND = Duration.ofSeconds(1);

    @ParameterizedTest
    @CsvSource({
        "5, PT5S",
        "0.05, PT0.05S",
        "500ms, PT0.5S",
        "1.5s, PT1.5S",
        "5m, PT5M",
        "2h, PT2H",
        "1d, PT24H",
        "-5, PT-5S"
    })
    void shouldReadAllUnits(String text, Duration time) {
        assertEquals(time, Times.parse(text, SECOND));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "s", "5x", "5 s", "1e3", "NaN", "+5", ".5", "5.", "5S", "\u0665s", "0x5", "5s5"})
    void shouldRefuseWhatIsNoTime(String text) {
        assertThrows(NumberFormatException.class, () -> Times.parse(text, SECOND));
    }

    @Test
    void shouldRefuseWhatNoDurationHolds() {
        assertThrows(ArithmeticException.class, () -> Times.parse("9".repeat(50) + "ms", SECOND));
        assertThrows(ArithmeticException.class, () -> Times.parse("200000000000", SECOND));
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "1, 1ms", "1500, 1500ms", "30000, 30s", "300000, 5m", "3600000, 1h", "86400000, 1d"})
    void shouldWriteWhatItReads(long milliseconds, String text) {
        assertEquals(text, Times.format(milliseconds));
        assertEquals(Duration.ofMillis(milliseconds), Times.parse(text, Duration.ofMillis(1)));
    }
}
