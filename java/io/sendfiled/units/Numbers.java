package io.sendfiled.units;

import java.math.BigDecimal;
import java.math.RoundingMode;

/**
 * Numbers as people read them. Not by {@link String#format}: the first number that it formats loads the JDK's locales, 100 ms
 * and 200 KB of the heap. Pure.
 */
public final class Numbers {
    private static final int GROUP = 3;

    private Numbers() {}

    /** With so many decimals, rounded half up: {@code 1.5}. */
    public static String fixed(double value, int decimals) {
        return BigDecimal.valueOf(value)
                .setScale(decimals, RoundingMode.HALF_UP)
                .toPlainString();
    }

    /** With a comma between thousands: {@code 1,234,567}. */
    public static String grouped(long number) {
        StringBuilder text = new StringBuilder(Long.toString(number));
        for (int at = text.length() - GROUP; at > (number < 0 ? 1 : 0); at -= GROUP) {
            text.insert(at, ',');
        }
        return text.toString();
    }
}
