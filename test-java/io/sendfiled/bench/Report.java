package io.sendfiled.bench;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a run measured: samples of each round, medians, and ratios between things measured in the same run.
 *
 * <p>Collects; {@link #writeJson} writes. Not thread-safe.
 */
final class Report {
    /** One number of one subject in one case, with the samples of its rounds; none: it was not measured. */
    record Metric(String scenario, String testCase, String subject, String name, String unit, List<Double> samples) {
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
            String testCase,
            String what,
            Ratio ratio,
            String unit,
            @Nullable Goal goal,
            Ratio.@Nullable Verdict verdict) {
        /** The value as people read it. */
        String shown() {
            return ratio.shown() + (unit.equals(RATIO) ? "" : " " + unit);
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

    private static final Gson GSON =
            new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();

    private final Map<String, Metric> metrics = new LinkedHashMap<>();
    private final List<Comparison> comparisons = new ArrayList<>();
    private final Map<String, String> skipped = new LinkedHashMap<>();
    private final Map<String, String> failed = new LinkedHashMap<>();
    private final Map<String, Double> seconds = new LinkedHashMap<>();
    private final double loadBefore;

    /** Of the last minute before the run: others on the machine are in every number. */
    Report(double loadBefore) {
        this.loadBefore = loadBefore;
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

    /** How long a scenario took. */
    void took(String scenario, double scenarioSeconds) {
        seconds.put(scenario, scenarioSeconds);
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

    /** Adds a ratio of numbers that have no rounds in common, unless one of them was not measured. */
    void compare(String scenario, String testCase, String what, double ours, double theirs, @Nullable Goal goal) {
        add(scenario, testCase, what, Ratio.of(ours / theirs), RATIO, goal);
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

    /** Adds a number that has a goal of its own, unless it was not measured. */
    void judge(String scenario, String testCase, String what, double value, String unit, @Nullable Goal goal) {
        add(scenario, testCase, what, Ratio.of(value), unit, goal);
    }

    private void add(String scenario, String testCase, String what, Ratio ratio, String unit, @Nullable Goal goal) {
        if (ratio.isMeasured()) {
            comparisons.add(new Comparison(scenario, testCase, what, ratio, unit, goal, ratio.verdict(goal)));
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

    Map<String, Double> seconds() {
        return seconds;
    }

    void writeJson(Path file, int rounds) throws IOException {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("environment", environment(rounds));
        List<Map<String, Object>> values = new ArrayList<>();
        for (Metric metric : metrics.values()) {
            Map<String, Object> value = new LinkedHashMap<>();
            value.put("scenario", metric.scenario());
            value.put("case", metric.testCase());
            value.put("subject", metric.subject());
            value.put("metric", metric.name());
            value.put("unit", metric.unit());
            value.put("median", metric.median());
            value.put("samples", metric.samples());
            values.add(value);
        }
        root.put("metrics", values);
        root.put("comparisons", comparisons);
        root.put("skipped", skipped);
        root.put("failed", failed);
        root.put("seconds", seconds);
        Files.writeString(file, GSON.toJson(root) + "\n");
    }

    private Map<String, Object> environment(int rounds) throws IOException {
        Map<String, Object> environment = new LinkedHashMap<>();
        environment.put("time", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        environment.put("kernel", System.getProperty("os.version"));
        environment.put("arch", System.getProperty("os.arch"));
        environment.put("cpus", Runtime.getRuntime().availableProcessors());
        environment.put("java", System.getProperty("java.runtime.version"));
        environment.put("cpu", cpuModel());
        environment.put("loadAverageBefore", loadBefore);
        environment.put("rounds", rounds);
        return environment;
    }

    private static String cpuModel() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/cpuinfo"))) {
            if (line.startsWith("model name")) {
                return line.substring(line.indexOf(':') + 1).strip();
            }
        }
        return "unknown";
    }
}
