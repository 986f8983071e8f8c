package io.sendfiled.bench;

import java.util.ArrayList;
import java.util.List;

/**
 * From values to places on a line, in percent of its length.
 *
 * @param low the value at 0 %; positive if logarithmic
 * @param high the value at 100 %
 */
record Axis(double low, double high, boolean logarithmic) {
    private static final int MAX_TICKS = 5;
    /** What rounding of doubles may do to a mark. */
    private static final double EXACT = 1 + 1e-6;

    /** From here on differences of small values would not be seen on a linear axis. */
    private static final double WIDE = 20;

    /** From nothing to a value. */
    static Axis linear(double high) {
        return new Axis(0, high > 0 ? high : 1, false);
    }

    /** Of positive values, by a factor of ten at least. */
    static Axis logarithmic(double least, double most) {
        double low = roundedDown(least);
        return new Axis(low, Math.max(10 * low, roundedUp(most)), true);
    }

    /** Linear unless the values are far apart. Those that are not positive are at the end of a logarithmic one. */
    static Axis fitting(List<Double> values) {
        double most = values.stream().mapToDouble(Double::doubleValue).max().orElse(1);
        double least = values.stream()
                .mapToDouble(Double::doubleValue)
                .filter(value -> value > 0)
                .min()
                .orElse(1);
        return most / least > WIDE ? logarithmic(least, most) : linear(most);
    }

    private static double roundedDown(double value) {
        double digit = value / decade(value) * EXACT;
        return decade(value) * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1);
    }

    private static double roundedUp(double value) {
        double digit = value / decade(value) / EXACT;
        return decade(value) * (digit > 5 ? 10 : digit > 2 ? 5 : digit > 1 ? 2 : 1);
    }

    /** The power of ten that is not greater. */
    private static double decade(double value) {
        return Math.pow(10, Math.floor(Math.log10(value) + 1e-9));
    }

    /** Where a value is; what is beyond an end is at the end. */
    double percent(double value) {
        double part = logarithmic
                ? Math.log(Math.max(value, low) / low) / Math.log(high / low)
                : (value - low) / (high - low);
        return Math.max(0, Math.min(1, part)) * 100;
    }

    /** The same as an attribute. */
    String at(double value) {
        return Units.format("%.2f%%", percent(value));
    }

    /** The values at which it has marks. */
    List<Double> ticks() {
        List<Double> ticks = new ArrayList<>();
        if (logarithmic) {
            double decades = Math.log10(high / low);
            double[] digits =
                    decades > 3 ? new double[] {1} : decades > 2 ? new double[] {1, 3} : new double[] {1, 2, 5};
            double step = Math.pow(10, Math.max(1, Math.ceil(decades / MAX_TICKS)));
            for (double decade = decade(low); decade <= high * EXACT; decade *= step) {
                for (double digit : digits) {
                    if (digit * decade >= low / EXACT && digit * decade <= high * EXACT) {
                        ticks.add(digit * decade);
                    }
                }
            }
            return ticks;
        }
        double step = roundedUp((high - low) / MAX_TICKS);
        for (int i = 0; low + i * step <= high * EXACT; i++) {
            ticks.add(low + i * step);
        }
        return ticks;
    }
}
