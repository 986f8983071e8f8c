package io.sendfiled.tools;

import io.sendfiled.units.Numbers;

/** Numbers in few columns, and text that fits into some. Pure. */
final class Columns {
    private static final String UNITS = "BKMGTPE";
    private static final long UNIT = 1024;
    private static final int THREE_DIGITS = 1000;
    private static final int TWO_DIGITS = 100;

    private static final long US = 1_000;
    private static final long MS = 1_000_000;
    private static final long SECOND = 1_000_000_000L;
    private static final long MINUTE = 60 * SECOND;
    private static final long HOUR = 60 * MINUTE;
    private static final long DAY = 24 * HOUR;

    private Columns() {}

    /** A number of bytes in at most 5 columns: {@code 999}, {@code 1.5K}, {@code 12.3M}, {@code 1000K}. */
    static String bytes(long bytes) {
        if (bytes < UNIT) {
            return Long.toString(bytes);
        }
        double value = bytes;
        int unit = 0;
        while (value >= UNIT && unit < UNITS.length() - 1) {
            value /= UNIT;
            unit++;
        }
        return Numbers.fixed(value, value < TWO_DIGITS ? 1 : 0) + UNITS.charAt(unit);
    }

    /** A time in at most 6 columns: {@code 640ns}, {@code 12.3us}, {@code 1.5ms}, {@code 42.0s}, {@code 12m}, {@code 3h}. */
    static String time(long ns) {
        if (ns < US) {
            return ns + "ns";
        }
        if (ns < MS) {
            return scaled(ns, US) + "us";
        }
        if (ns < SECOND) {
            return scaled(ns, MS) + "ms";
        }
        if (ns < 2 * MINUTE) {
            return scaled(ns, SECOND) + "s";
        }
        if (ns < 2 * HOUR) {
            return ns / MINUTE + "m";
        }
        return ns < 2 * DAY ? ns / HOUR + "h" : ns / DAY + "d";
    }

    private static String scaled(long ns, long unit) {
        double value = (double) ns / unit;
        return Numbers.fixed(Math.min(value, THREE_DIGITS - 1), value < TWO_DIGITS ? 1 : 0);
    }

    static String left(String text, int width) {
        return text + " ".repeat(Math.max(0, width - text.length()));
    }

    static String right(String text, int width) {
        return " ".repeat(Math.max(0, width - text.length())) + text;
    }

    static String right(long number, int width) {
        return right(Long.toString(number), width);
    }

    /** The end of a text that is too long, as that of a path tells more than its beginning. */
    static String end(String text, int width) {
        if (text.length() <= width) {
            return text;
        }
        return width <= 2 ? text.substring(text.length() - width) : ".." + text.substring(text.length() - width + 2);
    }
}
