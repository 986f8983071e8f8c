package io.sendfiled.units;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Times as people write them: {@code 500ms}, {@code 1.5s}, {@code 5m}, {@code 2h}, {@code 1d}. Pure. */
public final class Times {
    /** How a help text says it; what a number alone means depends on the program. */
    public static final String SPELLING = "a number with ms, s, m, h or d";

    private static final Pattern TIME = Pattern.compile("(-?[0-9]+(?:\\.[0-9]+)?)(ms|s|m|h|d)?");
    private static final String[] UNITS = {"d", "h", "m", "s"};
    private static final long NANOS_PER_MS = 1_000_000;

    private Times() {}

    /**
     * Reads a time, cut to whole nanoseconds.
     *
     * @param alone the unit of a number without one
     * @throws NumberFormatException if it is no time
     * @throws ArithmeticException if it is longer than a {@code Duration} of 2^63 - 1 nanoseconds
     */
    public static Duration parse(String text, Duration alone) {
        Matcher matcher = TIME.matcher(text);
        if (!matcher.matches()) {
            throw new NumberFormatException(text);
        }
        String unit = matcher.group(2);
        long nanos = unit == null ? alone.toNanos() : nanosOf(unit);
        BigDecimal number = new BigDecimal(matcher.group(1)).multiply(BigDecimal.valueOf(nanos));
        return Duration.ofNanos(number.toBigInteger().longValueExact());
    }

    private static long nanosOf(String unit) {
        return switch (unit) {
            case "ms" -> NANOS_PER_MS;
            case "s" -> 1_000 * NANOS_PER_MS;
            case "m" -> 60_000 * NANOS_PER_MS;
            case "h" -> 3_600_000 * NANOS_PER_MS;
            default -> 86_400_000 * NANOS_PER_MS;
        };
    }

    /** A number of milliseconds in the largest unit of which it is a whole number: {@code 30s}. */
    public static String format(long milliseconds) {
        if (milliseconds == 0) {
            return "0";
        }
        for (String unit : UNITS) {
            long each = nanosOf(unit) / NANOS_PER_MS;
            if (milliseconds % each == 0) {
                return milliseconds / each + unit;
            }
        }
        return milliseconds + "ms";
    }
}
