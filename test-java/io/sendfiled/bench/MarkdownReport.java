package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A run as Markdown with tables, as GitHub shows it. */
final class MarkdownReport {
    private final Findings findings;
    private final StringBuilder out = new StringBuilder();

    private MarkdownReport(Results results) {
        this.findings = Findings.of(results);
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
        findings.headlines().forEach(headline -> item(escaped(headline)));
        heading(2, "At a glance");
        table(findings.overview());
        losses();
        heading(2, "How to read it");
        out.append('\n');
        findings.reading().forEach(this::item);
        for (Results.Asked scenario : findings.results().scenarios()) {
            scenario(scenario);
        }
        heading(2, "Machine and run");
        table(findings.environment());
        return out.toString();
    }

    private void losses() {
        heading(2, Findings.LOSSES);
        List<Report.Comparison> missed = findings.judged(Ratio.Verdict.MISSED);
        if (missed.isEmpty()) {
            paragraph(findings.nothingMissed());
        } else {
            table(Findings.goals(missed));
        }
        Findings.Table worse = findings.worse();
        if (!worse.rows().isEmpty()) {
            heading(3, Findings.WORSE);
            paragraph(escaped(Findings.worseTold()));
            table(worse.rows(0, Findings.SHOWN_ROWS));
            folded("The others", worse.rows(Findings.SHOWN_ROWS, Integer.MAX_VALUE));
        }
        folded(Findings.UNJUDGED, Findings.goals(findings.unjudged()));
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
            table(Findings.goals(comparisons).without(Findings.SCENARIO));
        }
        Findings.Table overTime = findings.overTime(scenario);
        if (!overTime.rows().isEmpty()) {
            paragraph("Over time, the medians of three parts; the page with charts has the lines:");
            table(overTime);
        }
        List<Report.Metric> metrics = findings.metrics(scenario);
        folded(
                "All figures",
                Findings.figures(
                        metrics, metric -> Integer.toString(metric.samples().size())));
    }

    /** If it has rows. */
    private void folded(String title, Findings.Table table) {
        if (!table.rows().isEmpty()) {
            out.append(Units.format(
                    "\n<details><summary>%s: %d</summary>\n",
                    title, table.rows().size()));
            table(table);
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

    private void table(Findings.Table table) {
        out.append('\n');
        row(table.titles());
        out.append("|---".repeat(table.titles().size())).append("|\n");
        table.rows().forEach(this::row);
    }

    private void row(List<String> cells) {
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
