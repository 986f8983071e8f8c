package io.sendfiled.units;

import java.util.Locale;

/** Numbers of bytes as people write them: plain or with K, M, G or T, always powers of 1024. Pure. */
public final class ByteSizes {
    /** How a help text says it. */
    public static final String SPELLING = "a number, alone or with K, M, G or T (KiB and so on: powers of 1024)";

    private static final String UNITS = "KMGT";

    private ByteSizes() {}

    /**
     * Reads {@code 4096}, {@code 4k}, {@code 4KiB}.
     *
     * @throws NumberFormatException if it is no number of bytes
     * @throws ArithmeticException if it is larger than any file can be
     */
    public static long parse(String text) {
        String upper = text.toUpperCase(Locale.ROOT);
        String digits = upper.endsWith("IB") ? upper.substring(0, upper.length() - 2) : upper;
        int last = digits.length() - 1;
        int unit = last < 0 ? -1 : UNITS.indexOf(digits.charAt(last));
        long factor = 1L << (10 * (unit + 1));
        if (factor == 1 && digits.length() != upper.length()) {
            throw new NumberFormatException(text);
        }
        return parse(factor == 1 ? digits : digits.substring(0, last), factor);
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
