package io.sendfiled.bench;

import io.sendfiled.bench.BarChart.Bar;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * A run as one HTML page with charts. It loads nothing: its style and its charts are in it, and it has no script. Light or dark
 * as the reader's system, and as wide as the window.
 */
final class HtmlReport {
    private static final String STYLE = "report.css";
    private static final String MARKS = ": ✓ goal met, ✗ missed, ~ noisy, · few rounds; the thick mark is the goal";
    /** More charts of growth than so many are folded. */
    private static final int FEW_CURVES = 2;
    /** More are left to the figures. */
    private static final int MOST_CURVES = 12;

    private final Findings findings;
    private final Markup page = new Markup();
    private int charts;

    private HtmlReport(Results results) {
        this.findings = Findings.of(results);
    }

    /** Writes the file; blocks. */
    static void write(Results results, Path file) throws IOException {
        Files.writeString(file, of(results));
    }

    static String of(Results results) throws IOException {
        return "<!DOCTYPE html>\n" + new HtmlReport(results).whole();
    }

    private Markup whole() throws IOException {
        page.open("html", "lang", "en").open("head");
        page.empty("meta", "charset", "utf-8");
        page.empty("meta", "name", "viewport", "content", "width=device-width, initial-scale=1");
        page.empty("meta", "name", "color-scheme", "content", "light dark");
        page.element("title", Findings.TITLE);
        page.element("style", style());
        page.close().open("body").open("main");
        summary();
        losses();
        for (Results.Asked scenario : findings.results().scenarios()) {
            scenario(scenario);
        }
        environment();
        return page.close().close().close();
    }

    /** It has no character that HTML or XML would read in another way. */
    private static String style() throws IOException {
        try (InputStream in = Objects.requireNonNull(HtmlReport.class.getResourceAsStream(STYLE), STYLE)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private void summary() {
        Results results = findings.results();
        page.open("header").element("h1", Findings.TITLE);
        page.element("p", String.join(" ", findings.summary()), "class", "lead");
        items(findings.headlines(), "headlines");
        page.open("ul", "class", "tally");
        for (Ratio.Verdict verdict :
                List.of(Ratio.Verdict.MET, Ratio.Verdict.MISSED, Ratio.Verdict.NOISY, Ratio.Verdict.FEW_ROUNDS)) {
            if (results.count(verdict) > 0 || verdict == Ratio.Verdict.MISSED) {
                page.open("li", "class", style(verdict))
                        .element("b", Findings.mark(verdict) + " " + results.count(verdict))
                        .text(" " + verdict.word())
                        .close();
            }
        }
        page.close();
        page.open("details").element("summary", "How to read it");
        items(findings.reading(), "reading");
        page.close();
        page.open("nav", "aria-label", "Scenarios");
        stacked(findings.overview());
        page.close().close();
    }

    private void losses() {
        page.open("section", "id", "losses").element("h2", Findings.LOSSES);
        List<Report.Comparison> missed = findings.judged(Ratio.Verdict.MISSED);
        if (missed.isEmpty()) {
            page.element("p", findings.nothingMissed());
        } else {
            stacked(Findings.goals(missed));
        }
        Findings.Table worse = findings.worse();
        if (!worse.rows().isEmpty()) {
            page.element("h3", Findings.WORSE).element("p", Findings.worseTold(), "class", "notes");
            stacked(worse.rows(0, Findings.SHOWN_ROWS));
            folded("The others", worse.rows(Findings.SHOWN_ROWS, Integer.MAX_VALUE));
        }
        folded(Findings.UNJUDGED, Findings.goals(findings.unjudged()));
        Map<String, String> gaps = findings.gaps();
        if (!gaps.isEmpty()) {
            page.open("ul");
            gaps.forEach((what, why) ->
                    page.open("li").element("b", what).text(" " + why).close());
            page.close();
        }
        page.close();
    }

    /** If it has rows. */
    private void folded(String title, Findings.Table table) {
        if (!table.rows().isEmpty()) {
            page.open("details").element("summary", title + ": " + table.rows().size());
            stacked(table);
            page.close();
        }
    }

    private void scenario(Results.Asked scenario) {
        page.open("section", "id", "scenario-" + scenario.name()).element("h2", scenario.name());
        page.element("p", scenario.question(), "class", "question");
        items(findings.notes(scenario), "notes");
        List<Report.Comparison> comparisons = findings.comparisons(scenario);
        List<Report.Metric> metrics = findings.metrics(scenario);
        page.open("div", "class", "charts");
        ratios(comparisons);
        numbers(comparisons);
        overTime(findings.series(scenario));
        bySize(metrics);
        page.add(PercentileChart.of(nextId(), metrics));
        page.close();
        sides(metrics);
        figures(metrics);
        page.close();
    }

    /** If there are any. */
    private void items(List<String> texts, String style) {
        if (!texts.isEmpty()) {
            page.open("ul", "class", style);
            texts.forEach(text -> page.element("li", text));
            page.close();
        }
    }

    private String nextId() {
        return "chart-" + ++charts;
    }

    private void ratios(List<Report.Comparison> comparisons) {
        List<Bar> bars = comparisons.stream()
                .filter(Report.Comparison::isRatio)
                .map(ratio -> new Bar(
                        ratio.testCase(),
                        ratio.shown() + mark(ratio),
                        ratio.what() + goal(ratio),
                        ratio.ratio(),
                        ratio.goal() == null ? Double.NaN : ratio.goal().bound(),
                        style(ratio)))
                .toList();
        if (!bars.isEmpty()) {
            page.add(BarChart.ofRatios(nextId(), "Ratios" + MARKS, bars, "1 (dashed) is the other side"));
        }
    }

    /** Numbers with goals of their own, in parts of them: so they fit on one axis. */
    private void numbers(List<Report.Comparison> comparisons) {
        List<Bar> bars = new ArrayList<>();
        for (Report.Comparison number : comparisons) {
            Report.Goal goal = number.goal();
            if (!number.isRatio() && goal != null && goal.bound() > 0) {
                bars.add(new Bar(
                        number.testCase(),
                        number.shown() + mark(number),
                        number.what() + goal(number),
                        number.ratio().times(1 / goal.bound()),
                        1,
                        style(number)));
            }
        }
        if (!bars.isEmpty()) {
            page.add(BarChart.ofRatios(
                    nextId(), "Numbers with a goal of their own" + MARKS, bars, "1 (dashed) is the goal"));
        }
    }

    /** What it should be, in one piece. */
    private static String goal(Report.Comparison comparison) {
        String goal = Findings.goal(comparison).replace(' ', '\u00a0');
        return goal.isEmpty() ? "" : " (goal\u00a0" + goal + ")";
    }

    private static String mark(Report.Comparison comparison) {
        String mark = Findings.mark(comparison);
        return mark.isEmpty() ? "" : " " + mark;
    }

    private static String style(Report.Comparison comparison) {
        Ratio.Verdict verdict = comparison.verdict();
        return verdict == null ? "plain" : style(verdict);
    }

    private static String style(Ratio.Verdict verdict) {
        return verdict.word().replace(' ', '-');
    }

    private void overTime(List<Results.Series> all) {
        Map<String, List<Results.Series>> charts = all.stream()
                .collect(Collectors.groupingBy(
                        series -> series.testCase() + ": " + series.name() + "\0" + series.unit(),
                        LinkedHashMap::new,
                        Collectors.toList()));
        charts.forEach((key, group) -> {
            List<TimeLine> lines = group.stream()
                    .filter(series -> !series.seconds().isEmpty())
                    .map(TimeLine::new)
                    .toList();
            if (!lines.isEmpty()) {
                String title = key.substring(0, key.indexOf('\0')) + " over time";
                page.add(LineChart.overTime(nextId(), title, lines, group.get(0).unit()));
            }
        });
    }

    private void bySize(List<Report.Metric> metrics) {
        List<Growth> all = Growth.of(metrics);
        boolean tooMany = all.size() > MOST_CURVES;
        List<Growth> shown = tooMany
                ? all.stream()
                        .sorted(Comparator.comparingDouble(Growth::factor).reversed())
                        .limit(MOST_CURVES)
                        .toList()
                : all;
        shown.stream().limit(FEW_CURVES).forEach(this::curve);
        if (shown.size() > FEW_CURVES) {
            String more = tooMany
                    ? "Those of " + all.size() + " curves that change most"
                    : "More curves: " + (shown.size() - FEW_CURVES);
            page.open("details").element("summary", more);
            shown.stream().skip(FEW_CURVES).forEach(this::curve);
            page.close();
        }
    }

    private void curve(Growth growth) {
        page.add(LineChart.byNumber(nextId(), growth.title(), growth.lines(), growth.names(), growth.unit()));
    }

    /** Each case with several sides: its first rate. */
    private void sides(List<Report.Metric> metrics) {
        Map<String, List<Report.Metric>> cases = new LinkedHashMap<>();
        for (Report.Metric metric : metrics) {
            if (Units.isMoreBetter(metric.unit()) && Double.isFinite(metric.median())) {
                List<Report.Metric> sides = cases.computeIfAbsent(metric.testCase(), key -> new ArrayList<>());
                if (sides.isEmpty() || sides.get(0).name().equals(metric.name())) {
                    sides.add(metric);
                }
            }
        }
        cases.values().removeIf(sides -> sides.size() < 2);
        if (cases.isEmpty()) {
            return;
        }
        page.open("details")
                .element("summary", "Every side, in absolute numbers")
                .open("div", "class", "charts");
        cases.forEach((testCase, sides) -> page.add(BarChart.ofNumbers(
                nextId(),
                testCase + ": " + sides.get(0).name(),
                sides.stream()
                        .map(side -> new Bar(
                                side.subject(),
                                Units.value(side.median(), side.unit()),
                                "",
                                Ratio.ofSamples(side),
                                Double.NaN,
                                "plain"))
                        .toList(),
                sides.get(0).unit(),
                "whiskers are the interval of the median")));
        page.close().close();
    }

    private void figures(List<Report.Metric> metrics) {
        if (metrics.isEmpty()) {
            return;
        }
        page.open("details").element("summary", "All figures: medians, intervals and rounds of " + metrics.size());
        table(Findings.figures(
                metrics, metric -> metric.samples().stream().map(Units::number).collect(Collectors.joining("  "))));
        page.close();
    }

    private void environment() {
        page.open("section", "id", "environment").element("h2", "Machine and run");
        table(findings.environment());
        page.close();
    }

    /** It has a line for each row on a telephone. */
    private void stacked(Findings.Table table) {
        page.open("div", "class", "stacked");
        table(table);
        page.close();
    }

    /** It scrolls by itself where it is wider than the page. */
    private void table(Findings.Table table) {
        page.open("div", "class", "scroll", "tabindex", "0").open("table");
        if (table.titles().stream().anyMatch(title -> !title.isEmpty())) {
            page.open("thead").open("tr");
            table.titles().forEach(title -> page.element("th", title, "scope", "col"));
            page.close().close();
        }
        page.open("tbody");
        for (List<String> row : table.rows()) {
            page.open("tr");
            for (int i = 0; i < row.size(); i++) {
                cell(table.titles().get(i), row.get(i));
            }
            page.close();
        }
        page.close().close().close();
    }

    /** With the title of its column as its class. */
    private void cell(String title, String text) {
        if (title.equals(Findings.SCENARIO)) {
            page.open("td", "class", title, "data-label", title + ":")
                    .element("a", text, "href", "#scenario-" + text)
                    .close();
        } else {
            String word = title.equals(Findings.VERDICT)
                    ? " " + text.substring(text.indexOf(' ') + 1).replace(' ', '-')
                    : "";
            page.element("td", text, "class", title.replace(' ', '-') + word, "data-label", title + ":");
        }
    }
}
