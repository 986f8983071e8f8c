package io.sendfiled.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A run beside an older one, row by row. Such rows have no rounds in common: an interval is as wide as those of both medians
 * allow, and what lies within it is noise.
 *
 * @param goals what both have judged: ratios within each run, which depend less on the hour than the rest
 * @param rows what both have measured
 * @param onlyOld what the newer has not
 * @param onlyNew what the older has not
 */
record Differences(List<Row> goals, List<Row> rows, List<String> onlyOld, List<String> onlyNew) {
    /** What became of a figure. */
    enum Change {
        BETTER,
        WORSE,
        NOISE,
        /** One side has fewer than {@link Ratio#FEWEST_ROUNDS} rounds, so that its interval says nothing. */
        UNKNOWN
    }

    /** One figure in both runs, and the new over the old. */
    record Row(Key key, String unit, Ratio older, Ratio newer, Ratio ratio, Change change) {}

    /** What a figure is of. */
    record Key(String scenario, String testCase, String subject, String name) {
        static Key of(Report.Metric metric) {
            return new Key(metric.scenario(), metric.testCase(), metric.subject(), metric.name());
        }

        /** What is judged, without what it says in parentheses: that is of one run, as the name of the fastest loop. */
        static Key of(Report.Comparison goal) {
            return new Key(goal.scenario(), goal.testCase(), "", goal.what().replaceAll(" \\([^)]*\\)", ""));
        }

        /** All that a run has measured, in its order. */
        static Map<Key, Report.Metric> metrics(Results run) {
            Map<Key, Report.Metric> metrics = new LinkedHashMap<>();
            run.metrics().forEach(metric -> metrics.put(of(metric), metric));
            return metrics;
        }

        /** All that a run has judged, in its order. */
        static Map<Key, Report.Comparison> goals(Results run) {
            Map<Key, Report.Comparison> goals = new LinkedHashMap<>();
            run.judged().forEach(goal -> goals.put(of(goal), goal));
            return goals;
        }

        @Override
        public String toString() {
            return Stream.of(scenario, testCase, subject, name)
                    .filter(part -> !part.isEmpty())
                    .collect(Collectors.joining(", "));
        }
    }

    static Differences between(Results older, Results newer) {
        Map<Key, Report.Metric> left = Key.metrics(older);
        List<Row> rows = new ArrayList<>();
        List<String> onlyNew = new ArrayList<>();
        for (Report.Metric metric : newer.metrics()) {
            Key key = Key.of(metric);
            Report.Metric old = left.remove(key);
            if (old == null || !old.unit().equals(metric.unit())) {
                onlyNew.add(key.toString());
            } else {
                rows.add(row(key, old, metric));
            }
        }
        return new Differences(
                goals(older, newer),
                rows,
                left.keySet().stream().map(Key::toString).toList(),
                onlyNew);
    }

    private static List<Row> goals(Results older, Results newer) {
        Map<Key, Report.Comparison> before = Key.goals(older);
        List<Row> goals = new ArrayList<>();
        for (Report.Comparison goal : newer.judged()) {
            Report.Comparison old = before.get(Key.of(goal));
            if (old != null && old.unit().equals(goal.unit())) {
                Ratio ratio = goal.ratio().over(old.ratio());
                boolean isEnough = Math.min(
                                        older.environment().rounds(),
                                        newer.environment().rounds())
                                >= Ratio.FEWEST_ROUNDS
                        && old.ratio().low() < old.ratio().high()
                        && goal.ratio().low() < goal.ratio().high();
                goals.add(new Row(
                        Key.of(goal),
                        goal.isRatio() ? "" : goal.unit(),
                        old.ratio(),
                        goal.ratio(),
                        ratio,
                        isEnough
                                ? change(
                                        ratio,
                                        Objects.requireNonNull(goal.goal()).atLeast())
                                : Change.UNKNOWN));
            }
        }
        return goals;
    }

    private static Row row(Key key, Report.Metric old, Report.Metric metric) {
        Ratio older = Ratio.ofSamples(old);
        Ratio newer = Ratio.ofSamples(metric);
        Ratio ratio = newer.over(older);
        boolean isEnough = Math.min(old.samples().size(), metric.samples().size()) >= Ratio.FEWEST_ROUNDS;
        Change change = isEnough ? change(ratio, Units.isMoreBetter(metric.unit())) : Change.UNKNOWN;
        return new Row(key, metric.unit(), older, newer, ratio, change);
    }

    private static Change change(Ratio ratio, boolean isMoreBetter) {
        if (!ratio.isMeasured()) {
            return Change.UNKNOWN;
        }
        if (ratio.low() <= 1 && ratio.high() >= 1) {
            return Change.NOISE;
        }
        return ratio.low() > 1 == isMoreBetter ? Change.BETTER : Change.WORSE;
    }

    static long count(List<Row> rows, Change change) {
        return rows.stream().filter(row -> row.change() == change).count();
    }
}
