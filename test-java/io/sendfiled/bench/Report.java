package io.sendfiled.bench;

import com.google.gson.annotations.SerializedName;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What a run measured: samples of each round, medians, and ratios between things measured in the same run.
 *
 * <p>Collects; {@link #results} is what is written and shown. Not thread-safe.
 */
final class Report {
    /** One number of one subject in one case, with the samples of its rounds; none: it was not measured. */
    record Metric(
            String scenario,
            @SerializedName("case") String testCase,
            String subject,
            @SerializedName("metric") String name,
            String unit,
            List<Double> samples) {
        double median() {
            return samples.isEmpty()
                    ? Double.NaN
                    : Units.median(
                            samples.stream().mapToDouble(Double::doubleValue).toArray());
        }
    }

    /** A ratio within this run (unit {@link #RATIO}) or a number with a unit, and what it should be. */
    record Comparison(
            String scenario,
            @SerializedName("case") String testCase,
            String what,
            @SerializedName("measured") Ratio ratio,
            String unit,
            @Nullable Goal goal,
            Ratio.@Nullable Verdict verdict) {
        /** The value as people read it. */
        String shown() {
            return ratio.shown()
                    + (isRatio() || unit.isEmpty() ? "" : " " + unit)
                    + (ratio.rounds() == 1 ? ", once" : "");
        }

        /** Whether it compares two of this run. */
        boolean isRatio() {
            return unit.equals(RATIO);
        }
    }

    /** A bound on a ratio or a number. */
    record Goal(boolean atLeast, double bound) {
        static Goal atLeast(double bound) {
            return new Goal(true, bound);
        }

        static Goal atMost(double bound) {
            return new Goal(false, bound);
        }

        boolean isMetBy(double ratio) {
            return atLeast ? ratio >= bound : ratio <= bound;
        }

        @Override
        public String toString() {
            return (atLeast ? "≥ " : "≤ ") + Units.ratio(bound);
        }
    }

    private static final String RATIO = "ratio";
    /** The unit of what is the same in each round, so that one round is enough. */
    private static final String CALLS = "calls";

    private final Map<String, Metric> metrics = new LinkedHashMap<>();
    private final List<Comparison> comparisons = new ArrayList<>();
    private final Map<String, String> skipped = new LinkedHashMap<>();
    private final Map<String, String> failed = new LinkedHashMap<>();
    private final List<Results.Asked> asked = new ArrayList<>();
    private final List<Results.Series> series = new ArrayList<>();
    private final List<Results.Note> notes = new ArrayList<>();
    private final Map<String, String> versions = new LinkedHashMap<>();
    private final double loadBefore;
    private final boolean quick;

    /**
     * An empty one.
     *
     * @param loadBefore load average of the minute before the run: others on the machine are in every number
     * @param quick a quick run says nothing of goals
     */
    Report(double loadBefore, boolean quick) {
        this.loadBefore = loadBefore;
        this.quick = quick;
    }

    private static String key(String scenario, String testCase, String subject, String name) {
        return String.join("\0", scenario, testCase, subject, name);
    }

    void sample(String scenario, String testCase, String subject, String name, String unit, double value) {
        metrics.computeIfAbsent(
                        key(scenario, testCase, subject, name),
                        key -> new Metric(scenario, testCase, subject, name, unit, new ArrayList<>()))
                .samples()
                .add(value);
    }

    /** Why a scenario, or a part of it, was left out: said in the output, so that nobody takes silence for success. */
    void skip(String scenario, String why) {
        skipped.put(scenario, why);
    }

    /** What broke a scenario off; its samples until then stay. */
    void fail(String scenario, String why) {
        failed.put(scenario, why);
    }

    /** That a scenario was run, and how long it took. */
    void took(String scenario, String question, double seconds) {
        asked.add(new Results.Asked(scenario, question, seconds));
    }

    /** Which version of another program or library was measured. */
    void version(String name, String version) {
        versions.put(name, version);
    }

    /** A sentence that belongs to a scenario's figures: how a side is set up, or why a figure is as it is. Once is enough. */
    void note(String scenario, String text) {
        Results.Note note = new Results.Note(scenario, text);
        if (!notes.contains(note)) {
            notes.add(note);
        }
    }

    /**
     * How many a second there were over time, of a number of each slice of it.
     *
     * @param sliceMs how long a slice is
     * @param counts one after the other, from the beginning
     */
    void rates(
            String scenario,
            String testCase,
            String subject,
            String name,
            String unit,
            int sliceMs,
            List<Long> counts) {
        double slice = sliceMs / 1e3;
        double[] seconds = IntStream.range(0, counts.size())
                .mapToDouble(i -> (i + 0.5) * slice)
                .toArray();
        double[] rates = counts.stream().mapToDouble(count -> count / slice).toArray();
        series(scenario, testCase, subject, name, unit, seconds, rates);
    }

    /**
     * One number over time, for a chart.
     *
     * @param xSeconds since the beginning, ascending
     * @param y as many values
     */
    void series(
            String scenario, String testCase, String subject, String name, String unit, double[] xSeconds, double[] y) {
        if (xSeconds.length != y.length) {
            throw new IllegalArgumentException(xSeconds.length + " times, and " + y.length + " values");
        }
        series.add(new Results.Series(
                scenario,
                testCase,
                subject,
                name,
                unit,
                DoubleStream.of(xSeconds).boxed().toList(),
                DoubleStream.of(y).boxed().toList()));
    }

    /** What was measured so far. */
    Metric metric(String scenario, String testCase, String subject, String name) {
        Metric metric = metrics.get(key(scenario, testCase, subject, name));
        return metric == null ? new Metric(scenario, testCase, subject, name, "", List.of()) : metric;
    }

    /** The median, or NaN when nothing was measured. */
    double median(String scenario, String testCase, String subject, String name) {
        return metric(scenario, testCase, subject, name).median();
    }

    /** The smallest sample, or NaN when nothing was measured: what others on the machine have delayed least. */
    double least(String scenario, String testCase, String subject, String name) {
        List<Double> samples = metric(scenario, testCase, subject, name).samples();
        return samples.isEmpty() ? Double.NaN : Collections.min(samples);
    }

    /** Adds a ratio of medians that have no rounds in common, unless one was not measured: too little to judge a goal by. */
    void compare(String scenario, String testCase, String what, double ours, double theirs, @Nullable Goal goal) {
        add(scenario, testCase, what, Ratio.ofMedians(ours, theirs), RATIO, goal);
    }

    /** Adds the ratio of two that were measured in the same rounds, unless one of them was not. */
    Ratio compare(String scenario, String testCase, String what, Metric ours, Metric theirs, @Nullable Goal goal) {
        Ratio ratio = Ratio.ofRounds(ours, theirs);
        add(scenario, testCase, what, ratio, RATIO, goal);
        return ratio;
    }

    /** The same of two subjects of one case. */
    Ratio compareRounds(
            String scenario,
            String testCase,
            String what,
            String ours,
            String theirs,
            String name,
            @Nullable Goal goal) {
        return compare(
                scenario,
                testCase,
                what,
                metric(scenario, testCase, ours, name),
                metric(scenario, testCase, theirs, name),
                goal);
    }

    /**
     * Adds the median of a number that has a goal of its own, with its interval, unless it was not measured.
     *
     * @param scale from the unit of the samples to the unit in which it is judged
     */
    Ratio judge(
            String scenario,
            String testCase,
            String what,
            Metric metric,
            double scale,
            String unit,
            @Nullable Goal goal) {
        Ratio measured = Ratio.ofSamples(metric).times(scale);
        add(scenario, testCase, what, measured, unit, goal);
        return measured;
    }

    /** Adds a number that was measured once, unless it was not: judged only if it is a count of calls. */
    void judge(String scenario, String testCase, String what, double value, String unit, @Nullable Goal goal) {
        add(scenario, testCase, what, Ratio.of(value), unit, goal);
    }

    private void add(String scenario, String testCase, String what, Ratio ratio, String unit, @Nullable Goal goal) {
        if (ratio.isMeasured()) {
            Goal judged = quick ? null : goal;
            int fewest = unit.equals(CALLS) ? 1 : Ratio.FEWEST_ROUNDS;
            comparisons.add(
                    new Comparison(scenario, testCase, what, ratio, unit, judged, ratio.verdict(judged, fewest)));
        }
    }

    List<Comparison> comparisons() {
        return comparisons;
    }

    Map<String, String> skipped() {
        return skipped;
    }

    Map<String, String> failed() {
        return failed;
    }

    /** What was measured so far. Blocks, to look at the machine. */
    Results results(int rounds) throws IOException, InterruptedException {
        return new Results(
                Results.FORMAT,
                Environment.probe(rounds, quick, loadBefore, versions),
                List.copyOf(asked),
                List.copyOf(metrics.values()),
                List.copyOf(comparisons),
                List.copyOf(series),
                List.copyOf(notes),
                skipped,
                failed);
    }
}
