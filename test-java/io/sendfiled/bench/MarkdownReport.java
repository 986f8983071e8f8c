package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A run as Markdown with tables, as GitHub shows it. */
final class MarkdownReport {
    private final Findings findings;
    private final StringBuilder out = new StringBuilder();

    private MarkdownReport(Results results) {
        this.findings = new Findings(results);
    }

    /** Writes the file; blocks. */
    static void write(Results results, Path file) throws IOException {
        Files.writeString(file, of(results));
    }

    static String of(Results results) {
        return new MarkdownReport(results).whole();
    }

    private String whole() {
        heading(1, Findings.TITLE);
        paragraph(String.join(" ", findings.summary()));
        findings.reading().forEach(this::item);
        losses();
        for (Results.Asked scenario : findings.results().scenarios()) {
            scenario(scenario);
        }
        heading(2, "Machine and run");
        header("", "");
        findings.environment().forEach((name, value) -> row(name, value));
        return out.toString();
    }

    private void losses() {
        heading(2, "Losses, and what is not certain");
        List<Report.Comparison> losses = new ArrayList<>(findings.judged(Ratio.Verdict.MISSED));
        losses.addAll(findings.judged(Ratio.Verdict.NOISY));
        if (losses.isEmpty()) {
            paragraph("No goal was missed, and none was without a verdict.");
        } else {
            header("verdict", "scenario", "measured", "goal", "case", "what");
            losses.forEach(loss -> row(
                    Findings.verdict(loss),
                    loss.scenario(),
                    loss.shown(),
                    Findings.goal(loss),
                    loss.testCase(),
                    loss.what()));
        }
        Map<String, String> gaps = findings.gaps();
        if (!gaps.isEmpty()) {
            out.append('\n');
            gaps.forEach((what, why) -> item("**" + escaped(what) + "** " + escaped(why)));
        }
    }

    private void scenario(Results.Asked scenario) {
        heading(2, scenario.name());
        paragraph(escaped(scenario.question()));
        findings.notes(scenario).forEach(note -> item(escaped(note)));
        List<Report.Comparison> comparisons = findings.comparisons(scenario);
        if (!comparisons.isEmpty()) {
            header("case", "what", "measured", "goal", "verdict");
            comparisons.forEach(comparison -> row(
                    comparison.testCase(),
                    comparison.what(),
                    comparison.shown(),
                    Findings.goal(comparison),
                    Findings.verdict(comparison)));
        }
        List<Report.Metric> metrics = findings.metrics(scenario);
        if (!metrics.isEmpty()) {
            out.append(Units.format("\n<details><summary>All figures: %d</summary>\n", metrics.size()));
            header("case", "side", "metric", "median", "interval", "spread", "rounds");
            metrics.forEach(metric -> row(
                    metric.testCase(),
                    metric.subject(),
                    metric.name(),
                    Units.value(metric.median(), metric.unit()),
                    Findings.interval(metric),
                    Findings.spread(metric),
                    Integer.toString(metric.samples().size())));
            out.append("\n</details>\n");
        }
    }

    private void heading(int level, String text) {
        out.append(level == 1 ? "" : "\n")
                .append("#".repeat(level))
                .append(' ')
                .append(text)
                .append('\n');
    }

    private void paragraph(String text) {
        out.append('\n').append(text).append("\n\n");
    }

    private void item(String text) {
        out.append("- ").append(text).append('\n');
    }

    private void header(String... titles) {
        out.append('\n');
        row(titles);
        out.append("|---".repeat(titles.length)).append("|\n");
    }

    private void row(String... cells) {
        for (String cell : cells) {
            out.append("| ").append(escaped(cell)).append(' ');
        }
        out.append("|\n");
    }

    /** What Markdown, or HTML in it, would take for something else. */
    private static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replaceAll("[\\\\`*_\\[\\]|~#]", "\\\\$0")
                .replace("\n", " ");
    }
}
