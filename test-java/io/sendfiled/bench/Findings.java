package io.sendfiled.bench;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What both kinds of report say of a run, in the same words and the same order.
 *
 * @param losses where another side is better, and no goal is about it
 */
record Findings(Results results, List<Losses.Loss> losses) {
    static final String TITLE = "sendfiled, measured";
    static final String LOSSES = "Losses, and what is not certain";
    static final String WORSE = "Worse than another side, and no goal says so";
    static final String UNJUDGED = "Goals without a verdict, because the rounds differ or are few";
    static final String SCENARIO = "scenario";
    static final String VERDICT = "verdict";

    /** So many rows of a long table are shown at once. */
    static final int SHOWN_ROWS = 20;

    static Findings of(Results results) {
        return new Findings(results, Losses.of(results));
    }

    /** A table of texts; a verdict and a scenario are recognized by the title of their column. */
    record Table(List<String> titles, List<List<String>> rows) {
        Table without(String title) {
            int column = titles.indexOf(title);
            return new Table(
                    without(titles, column),
                    rows.stream().map(row -> without(row, column)).toList());
        }

        /** The rows from one to before another, as far as there are any. */
        Table rows(int from, int to) {
            return new Table(titles, rows.subList(Math.min(from, rows.size()), Math.min(to, rows.size())));
        }

        private static List<String> without(List<String> row, int column) {
            List<String> left = new ArrayList<>(row);
            left.remove(column);
            return left;
        }
    }

    /** In a few sentences: what this is, and how it went. */
    List<String> summary() {
        long met = results.count(Ratio.Verdict.MET);
        long noisy = results.count(Ratio.Verdict.NOISY);
        long missed = results.count(Ratio.Verdict.MISSED);
        long few = results.count(Ratio.Verdict.FEW_ROUNDS);
        List<String> sentences = new ArrayList<>();
        sentences.add(
                "sendfiled opens files and sends them on behalf of other programs, so that no disk makes them wait.");
        sentences.add(
                "This report compares it with what the machine allows and with what one would use instead, on one machine and"
                        + " in one run.");
        sentences.add(
                results.environment().quick()
                        ? "This was a quick run (--quick): it shows that everything works, no goal is judged, and its figures"
                                + " are not to be quoted."
                        : Units.format(
                                "Of %d goals %d were met and %d missed; for %d the rounds differ too much for a verdict"
                                        + " (noisy)%s.",
                                results.judged().size(),
                                met,
                                missed,
                                noisy,
                                few == 0 ? "" : Units.format(", for %d there were too few", few)));
        if (!results.failed().isEmpty() || !results.skipped().isEmpty()) {
            sentences.add(Units.format(
                    "Of its parts %d broke off and %d were left out; both are named below.",
                    results.failed().size(), results.skipped().size()));
        }
        return sentences;
    }

    /** The figures that matter most; none of a quick run, which are not to be quoted. */
    List<String> headlines() {
        return results.environment().quick() ? List.of() : Headlines.of(results);
    }

    /** What is said where no goal was missed. */
    String nothingMissed() {
        return results.environment().quick() ? "No goal was judged." : "No goal was missed.";
    }

    /** How to read the figures. */
    List<String> reading() {
        return List.of(
                "A ratio with brackets is of rounds in which the sides took turns; one without is of what was measured once, or"
                        + " one side after the other.",
                "A ratio compares two sides of this run: 1 means as much as the other side. Of rates more is better, of times,"
                        + " memory and processor time less. A goal says which: ≥ 0.95, ≤ 1.10.",
                "The sides: sendfiled is the daemon as it is installed, in its sandbox, which those beside it do not have."
                        + " Original's calls: a loop that waits for each read, as the program did that this one is to"
                        + " replace. Fewest calls: the least that a server can do, in C. A bare loop: sendfile or splice, and"
                        + " no server around it.",
                "Brackets and whiskers are the interval in which the true median lies, with a confidence of 93 % or more if there"
                        + " were five rounds or more; of fewer it is from the least to the greatest. What was measured"
                        + " once says so.",
                "✓ met, ✗ missed: the whole interval says so. ~ noisy: the goal lies inside it. · few rounds: fewer than five,"
                        + " which are no reason for a verdict; of system calls, which do not vary, one is enough.",
                "Quote ratios, not the absolute numbers: these are of this machine and this hour.");
    }

    /** What each scenario asks, how many of its goals were met, and what is the worst of it. */
    Table overview() {
        return new Table(
                List.of(SCENARIO, "what it asks", "goals met", "the worst of it"),
                results.scenarios().stream()
                        .map(scenario ->
                                List.of(scenario.name(), scenario.question(), goalsMet(scenario), worst(scenario)))
                        .toList());
    }

    private String goalsMet(Results.Asked scenario) {
        List<Report.Comparison> goals = goals(scenario);
        long met = goals.stream()
                .filter(goal -> goal.verdict() == Ratio.Verdict.MET)
                .count();
        return goals.isEmpty() ? "" : met + " of " + goals.size();
    }

    private List<Report.Comparison> goals(Results.Asked scenario) {
        return results.judged().stream()
                .filter(goal -> goal.scenario().equals(scenario.name()))
                .toList();
    }

    /** What is the furthest below its goal, or the least above; if there are no goals, where another side is better. */
    private String worst(Results.Asked scenario) {
        Optional<String> goal = goals(scenario).stream()
                .min(Comparator.comparingDouble(Findings::ofGoal))
                .map(worst -> Units.format(
                        "%s %s (%s): %s, %s", mark(worst), worst.shown(), goal(worst), worst.testCase(), worst.what()));
        return goal.or(() -> losses.stream()
                        .map(Losses.Loss::worst)
                        .filter(loss -> loss.ours().scenario().equals(scenario.name()))
                        .findFirst()
                        .map(loss -> Units.format(
                                "%s times worse: %s, %s, %s than %s",
                                loss.factor().shown(),
                                loss.ours().testCase(),
                                what(loss.ours()),
                                loss.ours().subject(),
                                loss.than())))
                .orElse("");
    }

    /** How much of its goal it reaches for certain: 1 and more meets it. */
    private static double ofGoal(Report.Comparison comparison) {
        Report.Goal goal = Objects.requireNonNull(comparison.goal());
        Ratio measured = comparison.ratio();
        return goal.atLeast() ? measured.low() / goal.bound() : goal.bound() / measured.high();
    }

    /** What is said of {@link #worse}. */
    static String worseTold() {
        return Units.format(
                "No goal is about these: another side of the same rounds is better by more than %.0f %%, with its whole interval."
                        + " One row for each kind of figure of a scenario, with its worst case and the strongest of the others;"
                        + " further cases beside it. Bare loops and the fewest calls serve nobody else, so their memory and"
                        + " context switches are not compared. \"Alone\" is the same side with nothing beside it.",
                (Losses.TOLERANCE - 1) * 100);
    }

    /** Where another side is better, and no goal is about it: the worst first. */
    Table worse() {
        return new Table(
                List.of(SCENARIO, "case", "what", "ours", "better", "times worse", "also"),
                losses.stream()
                        .map(loss -> {
                            Losses.Case worst = loss.worst();
                            Report.Metric ours = worst.ours();
                            return List.of(
                                    ours.scenario(),
                                    ours.testCase(),
                                    what(ours),
                                    ours.subject() + ": " + Units.value(ours.median(), ours.unit()),
                                    worst.than() + ": "
                                            + Units.value(worst.theirs().median(), ours.unit()),
                                    worst.factor().shown(),
                                    loss.cases().stream()
                                            .skip(1)
                                            .map(also -> also(ours, also))
                                            .collect(Collectors.joining("; ")));
                        })
                        .toList());
    }

    /** Another case of a row; with its side if that is another one. */
    private static String also(Report.Metric row, Losses.Case also) {
        Report.Metric ours = also.ours();
        return ours.testCase()
                + (ours.subject().equals(row.subject()) ? "" : ", " + ours.subject())
                + ": " + Units.ratio(also.factor().value());
    }

    private static String what(Report.Metric metric) {
        return switch (metric.name()) {
            case Cost.CPU -> "CPU of the server";
            case Cost.SWITCHES -> "context switches";
            case Cost.MEMORY -> "memory (PSS)";
            default -> metric.name();
        };
    }

    /** Goals, wherever they are from. */
    static Table goals(List<Report.Comparison> goals) {
        return new Table(
                List.of(VERDICT, SCENARIO, "case", "what", "measured", "goal"),
                goals.stream()
                        .map(goal -> List.of(
                                verdict(goal), goal.scenario(), goal.testCase(), goal.what(), goal.shown(), goal(goal)))
                        .toList());
    }

    /**
     * Medians of a scenario.
     *
     * @param rounds what is told of the rounds of a metric
     */
    static Table figures(List<Report.Metric> metrics, Function<Report.Metric, String> rounds) {
        return new Table(
                List.of("case", "side", "metric", "median", "interval", "spread", "rounds"),
                metrics.stream()
                        .map(metric -> List.of(
                                metric.testCase(),
                                metric.subject(),
                                metric.name(),
                                Units.value(metric.median(), metric.unit()),
                                interval(metric),
                                spread(metric),
                                rounds.apply(metric)))
                        .toList());
    }

    /** Goals that were neither met nor missed. */
    List<Report.Comparison> unjudged() {
        List<Report.Comparison> unjudged = new ArrayList<>(judged(Ratio.Verdict.NOISY));
        unjudged.addAll(judged(Ratio.Verdict.FEW_ROUNDS));
        return unjudged;
    }

    /** The goals of a verdict. */
    List<Report.Comparison> judged(Ratio.Verdict verdict) {
        return results.comparisons().stream()
                .filter(comparison -> comparison.verdict() == verdict)
                .toList();
    }

    /** What broke off or was left out, and why; the names begin with that of the scenario. */
    Map<String, String> gaps() {
        Map<String, String> gaps = new LinkedHashMap<>();
        results.failed().forEach((what, why) -> gaps.put(what, "broke off: " + why));
        results.skipped().forEach((what, why) -> gaps.put(what, "left out: " + why));
        return gaps;
    }

    List<Report.Comparison> comparisons(Results.Asked scenario) {
        return results.comparisons().stream()
                .filter(comparison -> comparison.scenario().equals(scenario.name()))
                .toList();
    }

    /** By the case, with our sides first: the rounds draw the order in which they are measured. */
    List<Report.Metric> metrics(Results.Asked scenario) {
        List<Report.Metric> metrics = results.metrics().stream()
                .filter(metric -> metric.scenario().equals(scenario.name()))
                .toList();
        List<String> cases =
                metrics.stream().map(Report.Metric::testCase).distinct().toList();
        return metrics.stream()
                .sorted(Comparator.comparingInt((Report.Metric metric) -> cases.indexOf(metric.testCase()))
                        .thenComparingInt(metric -> Losses.rank(metric.subject()))
                        .thenComparing(Report.Metric::subject))
                .toList();
    }

    List<Results.Series> series(Results.Asked scenario) {
        return results.series().stream()
                .filter(series -> series.scenario().equals(scenario.name()))
                .toList();
    }

    /** What is over time, in the parts of its time; no rows if nothing is. */
    Table overTime(Results.Asked scenario) {
        List<String> titles = new ArrayList<>(List.of("case", "side", "metric"));
        titles.addAll(TimeLine.PARTS);
        return new Table(
                titles,
                series(scenario).stream()
                        .map(series -> {
                            List<String> row =
                                    new ArrayList<>(List.of(series.testCase(), series.subject(), series.name()));
                            for (int part = 0; part < TimeLine.PARTS.size(); part++) {
                                row.add(Units.value(new TimeLine(series).median(part), series.unit()));
                            }
                            return row;
                        })
                        .toList());
    }

    List<String> notes(Results.Asked scenario) {
        return results.notes().stream()
                .filter(note -> note.scenario().equals(scenario.name()))
                .map(Results.Note::text)
                .toList();
    }

    /** The machine and the run. */
    Table environment() {
        Map<String, String> environment = new LinkedHashMap<>();
        environment.put("measured", results.environment().time());
        environment.put(
                "load before", Units.format("%.2f", results.environment().loadBefore()));
        environment.putAll(results.environment().described());
        environment.put(
                "took",
                Units.format(
                        "%.0f s",
                        results.scenarios().stream()
                                .mapToDouble(Results.Asked::seconds)
                                .sum()));
        return new Table(
                List.of("", ""),
                environment.entrySet().stream()
                        .map(entry -> List.of(entry.getKey(), entry.getValue()))
                        .toList());
    }

    /** The verdict as a mark that colour is not needed for. */
    static String mark(Report.Comparison comparison) {
        Ratio.Verdict verdict = comparison.verdict();
        return verdict == null ? "" : mark(verdict);
    }

    static String mark(Ratio.Verdict verdict) {
        return switch (verdict) {
            case MET -> "✓";
            case MISSED -> "✗";
            case NOISY -> "~";
            case FEW_ROUNDS -> "·";
        };
    }

    private static String verdict(Report.Comparison comparison) {
        Ratio.Verdict verdict = comparison.verdict();
        return verdict == null ? "" : mark(comparison) + " " + verdict.word();
    }

    static String goal(Report.Comparison comparison) {
        return comparison.goal() == null ? "" : comparison.goal().toString();
    }

    /** How far its rounds are apart, of the median; empty if there was one. */
    private static String spread(Report.Metric metric) {
        if (metric.samples().size() < 2 || metric.median() == 0) {
            return "";
        }
        double least = metric.samples().stream().min(Double::compare).orElseThrow();
        double most = metric.samples().stream().max(Double::compare).orElseThrow();
        return Units.format("%.0f %%", (most - least) / Math.abs(metric.median()) * 100);
    }

    /** The interval of a metric's median; empty if all rounds were the same. */
    private static String interval(Report.Metric metric) {
        if (metric.samples().size() == 1) {
            return "once";
        }
        Ratio interval = Ratio.ofSamples(metric);
        return interval.low() == interval.high()
                ? ""
                : Units.value(interval.low(), metric.unit()) + " to " + Units.value(interval.high(), metric.unit());
    }
}
