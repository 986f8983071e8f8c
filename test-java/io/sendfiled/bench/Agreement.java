package io.sendfiled.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;

/**
 * Several runs of one build, figure by figure: whether they agree, or most of them have said themselves that they are not
 * certain.
 *
 * @param goals what all have judged
 * @param rows what all have measured
 */
record Agreement(List<Row> goals, List<Row> rows) {
    /** How far the medians may be apart, of their own median; and how far the ends of an interval. */
    static final double TOLERANCE = 0.1;

    /** What is said of a figure. */
    enum Finding {
        AGREES,
        /** The medians are apart, and most runs have told: by an interval that is as wide, or by a goal judged noisy. */
        NOISY,
        /** The medians are apart, and half of the runs or more have not told. */
        DIFFERS
    }

    /**
     * One figure.
     *
     * @param median of the medians of the runs
     * @param spread how far these are apart, of their median
     */
    record Row(Differences.Key key, String unit, double median, double spread, Finding finding) {}

    /** Of two runs or more. */
    static Agreement of(List<Results> runs) {
        List<Row> goals = new ArrayList<>();
        inAll(runs.stream().map(Differences.Key::goals).toList()).forEach((key, all) -> {
            List<Ratio> measured = all.stream().map(Report.Comparison::ratio).toList();
            String unit = all.get(0).isRatio() ? "" : all.get(0).unit();
            long noisy = all.stream()
                    .filter(goal -> goal.verdict() == Ratio.Verdict.NOISY || isWide(goal.ratio()))
                    .count();
            goals.add(row(key, unit, measured, noisy));
        });
        List<Row> rows = new ArrayList<>();
        inAll(runs.stream().map(Differences.Key::metrics).toList()).forEach((key, all) -> {
            List<Ratio> measured = all.stream().map(Ratio::ofSamples).toList();
            long noisy = measured.stream().filter(Agreement::isWide).count();
            rows.add(row(key, all.get(0).unit(), measured, noisy));
        });
        return new Agreement(goals, rows);
    }

    /** Those that every run has, in the order of the first. */
    private static <T> Map<Differences.Key, List<T>> inAll(List<Map<Differences.Key, T>> runs) {
        Map<Differences.Key, List<T>> all = new LinkedHashMap<>();
        for (Differences.Key key : runs.get(0).keySet()) {
            if (runs.stream().allMatch(run -> run.containsKey(key))) {
                all.put(key, runs.stream().map(run -> run.get(key)).toList());
            }
        }
        return all;
    }

    private static Row row(Differences.Key key, String unit, List<Ratio> runs, long noisy) {
        double[] medians = runs.stream().mapToDouble(Ratio::value).toArray();
        double median = Units.median(medians);
        double spread = share(
                DoubleStream.of(medians).min().orElse(0),
                DoubleStream.of(medians).max().orElse(0),
                median);
        boolean isNoisy = 2 * noisy > runs.size();
        Finding finding = spread <= TOLERANCE ? Finding.AGREES : isNoisy ? Finding.NOISY : Finding.DIFFERS;
        return new Row(key, unit, median, spread, finding);
    }

    private static boolean isWide(Ratio run) {
        return share(run.low(), run.high(), run.value()) > TOLERANCE;
    }

    /** 0 where there is nothing between them, whatever they are. */
    private static double share(double low, double high, double of) {
        return low == high ? 0 : (high - low) / Math.abs(of);
    }

    static long count(List<Row> rows, Finding finding) {
        return rows.stream().filter(row -> row.finding() == finding).count();
    }
}
