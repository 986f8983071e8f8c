package io.sendfiled.units;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Numbers of bytes as people write them, by the rule of GNU coreutils: plain, with K, M, G or T, or KiB and so on, which
 * are powers of 1024, or with kB, MB, GB or TB, which are powers of 1000. Pure.
 */
public final class ByteSizes {
    /** How a help text says it, in lines for a terminal of 80. */
    public static final String SPELLING = "a number, alone or with K, M, G or T (KiB and so on: powers of 1024),\n"
            + "or with kB, MB, GB or TB (powers of 1000)";

    private static final String UNITS = "KMGT";
    private static final Pattern SIZE = Pattern.compile("(-?[0-9]+)(?:([KMGT])(I?B)?)?", Pattern.CASE_INSENSITIVE);
    private static final Pattern A_SECOND = Pattern.compile("/s$", Pattern.CASE_INSENSITIVE);

    private ByteSizes() {}

    /**
     * Reads {@code 4096}, {@code 4k}, {@code 4KiB}, {@code 4kB}.
     *
     * @throws NumberFormatException if it is no number of bytes
     * @throws ArithmeticException if it is larger than any file can be
     */
    public static long parse(String text) {
        Matcher matcher = SIZE.matcher(text);
        if (!matcher.matches()) {
            throw new NumberFormatException(text);
        }
        String unit = matcher.group(2);
        long base = "B".equalsIgnoreCase(matcher.group(3)) ? 1000 : 1024;
        long factor = 1;
        for (int n = unit == null ? 0 : UNITS.indexOf(unit.toUpperCase(Locale.ROOT)) + 1; n > 0; n--) {
            factor *= base;
        }
        return parse(matcher.group(1), factor);
    }

    /** Reads a number of bytes a second, {@code 10MB/s}: a number of bytes, with or without {@code /s}; as {@link #parse}. */
    public static long parseRate(String text) {
        return parse(A_SECOND.matcher(text).replaceFirst(""));
    }

    /** Reads decimal digits, with or without a minus sign, times {@code factor}. */
    public static long parse(String digits, long factor) {
        if (!isDecimal(digits)) {
            throw new NumberFormatException(digits);
        }
        long number;
        try {
            number = Long.parseLong(digits);
        } catch (NumberFormatException e) { // only digits, but too many of them
            throw (ArithmeticException) new ArithmeticException(digits).initCause(e);
        }
        return Math.multiplyExact(number, factor);
    }

    /* Long.parseLong takes a plus sign and the digits of every script. */
    private static boolean isDecimal(String text) {
        int first = text.startsWith("-") ? 1 : 0;
        for (int i = first; i < text.length(); i++) {
            if (text.charAt(i) < '0' || text.charAt(i) > '9') {
                return false;
            }
        }
        return text.length() > first;
    }

    /** In the largest unit of which it is a whole number: {@code 64KiB}. */
    public static String format(long bytes) {
        for (int unit = UNITS.length(); unit > 0; unit--) {
            int shift = 10 * unit;
            if (bytes >= 1L << shift && bytes % (1L << shift) == 0) {
                return (bytes >> shift) + UNITS.substring(unit - 1, unit) + "iB";
            }
        }
        return Long.toString(bytes);
    }
}
