package io.sendfiled.units;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class NumbersTest {
    @ParameterizedTest
    @ValueSource(longs = {0, 7, 999, 1000, 12_345, 999_999, 1_000_000, Long.MAX_VALUE, -1, -999, -1000, Long.MIN_VALUE})
    void shouldGroupAsTheJdkDoes(long number) {
        assertEquals(String.format(Locale.ROOT, "%,d", number), Numbers.grouped(number));
    }

    @Test
    void shouldRoundAsTheJdkDoes() {
        Random random = new Random(1);
        for (int i = 0; i < 10_000; i++) {
            double value = random.nextDouble() * Math.pow(10, random.nextInt(7));
            assertEquals(String.format(Locale.ROOT, "%.2f", value), Numbers.fixed(value, 2));
            assertEquals(String.format(Locale.ROOT, "%.0f", value), Numbers.fixed(value, 0));
        }
        assertEquals("0.5", Numbers.fixed(0.45, 1));
        assertEquals("100.0", Numbers.fixed(99.95, 1));
    }
}
