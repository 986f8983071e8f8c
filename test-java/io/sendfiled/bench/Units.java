package io.sendfiled.bench;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Arrays;
import java.util.Locale;

/** Numbers as people read them. */
final class Units {
    private static final String BARS = " ▁▂▃▄▅▆▇█";

    private Units() {}

    static String size(long bytes) {
        String[] names = {"B", "KiB", "MiB", "GiB"};
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < names.length - 1) {
            value /= 1024;
            unit++;
        }
        return format(value == Math.rint(value) ? "%.0f %s" : "%.1f %s", value, names[unit]);
    }

    static String megabytesPerSecond(double value) {
        return value >= 1000 ? format("%.2f GB/s", value / 1000) : format("%.0f MB/s", value);
    }

    static String micros(double us) {
        if (us >= 1_000_000) {
            return format("%.2f s", us / 1_000_000);
        }
        if (us >= 1000) {
            return format(us >= 10_000 ? "%.0f ms" : "%.1f ms", us / 1000);
        }
        return format(us >= 10 ? "%.0f µs" : "%.1f µs", us);
    }

    static String rate(double perSecond) {
        return format("%,.0f /s", perSecond);
    }

    /** A hundredth and less with one digit: what a stall leaves is not nothing. */
    static String ratio(double ratio) {
        if (ratio == Double.POSITIVE_INFINITY) {
            return "∞";
        }
        return ratio >= 100 ? format("%.0f", ratio) : format(ratio > 0 && ratio < 0.01 ? "%.1g" : "%.2f", ratio);
    }

    static String seconds(long ns) {
        return format("%.1f s", ns / 1e9);
    }

    /** With three digits or more. */
    static String number(double value) {
        if (!Double.isFinite(value)) {
            return "–";
        }
        double size = Math.abs(value);
        if (size >= 100 || value == 0) {
            return format("%,.0f", value);
        }
        return size >= 10 ? format("%.1f", value) : size >= 1 ? format("%.2f", value) : format("%.3g", value);
    }

    /** A number with the unit of its samples. */
    static String value(double value, String unit) {
        if (!Double.isFinite(value)) {
            return "–";
        }
        return switch (unit) {
            case "us" -> micros(value);
            case "ms" -> micros(value * 1000);
            case "MB/s" -> megabytesPerSecond(value);
            case "" -> number(value);
            default -> number(value) + " " + unit.replace("us/", "µs/");
        };
    }

    /** The same at the mark of an axis, which is a round number. */
    static String mark(double value, String unit) {
        return switch (unit) {
            case "us", "ms", "MB/s" -> value(value, unit);
            default -> {
                String plain = BigDecimal.valueOf(value)
                        .round(new MathContext(3))
                        .stripTrailingZeros()
                        .toPlainString();
                yield (Math.abs(value) >= 1000 ? number(value) : plain) + (unit.isEmpty() ? "" : " " + unit);
            }
        };
    }

    /** Whether more of a unit is better: of rates. Of times, memory, processors and calls it is worse. */
    static boolean isMoreBetter(String unit) {
        return unit.endsWith("/s");
    }

    /** A line of bars, one for each number: a blank is none, the tallest is the largest. */
    static String bars(long... values) {
        long most = Math.max(1, Arrays.stream(values).max().orElse(1));
        StringBuilder line = new StringBuilder();
        for (long value : values) {
            line.append(BARS.charAt((int) Math.ceil((double) value / most * (BARS.length() - 1))));
        }
        return line.toString();
    }

    static double median(double... values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    static String format(String format, Object... args) {
        return String.format(Locale.ROOT, format, args);
    }
}
