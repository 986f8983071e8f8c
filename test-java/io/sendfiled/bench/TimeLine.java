package io.sendfiled.bench;

import io.sendfiled.bench.Results.Series;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A number over time in three parts of the same length: before, while and after something goes on beside it, as all scenarios
 * have it that make one.
 */
record TimeLine(Series series) {
    /** What goes on in the part in the middle. */
    static final String BESIDE = "cold downloads";
    /** How the parts are called. */
    static final List<String> PARTS = List.of("before", "beside " + BESIDE, "after");
    /** A burst beyond so many times what there is before does not set the scale. */
    private static final double BURST = 2;

    /** When it ends, in seconds: each value stands in the middle of its slice. */
    double end() {
        List<Double> seconds = series.seconds();
        return seconds.isEmpty() ? 0 : seconds.get(seconds.size() - 1) + seconds.get(0);
    }

    /** The median of a part, from 0; NaN if it has no value. */
    double median(int part) {
        double[] values = IntStream.range(0, series.values().size())
                .filter(i -> (int) (series.seconds().get(i) / end() * PARTS.size()) == part)
                .mapToDouble(i -> series.values().get(i))
                .toArray();
        return values.length == 0 ? Double.NaN : Units.median(values);
    }

    double most() {
        return series.values().stream().mapToDouble(Double::doubleValue).max().orElse(0);
    }

    /** What happens, in words. */
    String told() {
        List<String> parts = new ArrayList<>();
        for (int part = 0; part < PARTS.size(); part++) {
            parts.add(PARTS.get(part) + " " + Units.value(median(part), series.unit()));
        }
        return series.subject() + ": " + String.join(", ", parts);
    }

    /** How far an axis goes for several of them: so that one that catches up does not flatten the others. */
    static double scale(List<TimeLine> lines) {
        double before = lines.stream()
                .mapToDouble(line -> line.median(0))
                .filter(Double::isFinite)
                .max()
                .orElse(0);
        double most = lines.stream().mapToDouble(TimeLine::most).max().orElse(0);
        return before > 0 ? Math.min(most, BURST * before) : most;
    }
}
