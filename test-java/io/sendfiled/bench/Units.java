package io.sendfiled.bench;

import java.util.Arrays;
import java.util.Locale;

/** Numbers as people read them. */
final class Units {
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

    static String ratio(double ratio) {
        return ratio >= 100 ? format("%.0f", ratio) : format("%.2f", ratio);
    }

    static String seconds(long ns) {
        return format("%.1f s", ns / 1e9);
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
