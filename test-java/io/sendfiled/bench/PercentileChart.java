package io.sendfiled.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Percentiles of latencies as points on lines beneath each other, on a logarithmic axis. */
final class PercentileChart {
    private static final String MICROSECONDS = "us";
    private static final Pattern NAME = Pattern.compile("(.*?) ?\\b(p\\d+(?:\\.\\d+)?|max)");
    private static final int ROW_HEIGHT = 14;
    /** The one that has a mark of another shape: colours alone do not tell it from p99. */
    private static final String RARE = "p99.9";

    private static final int LEGEND_WIDTH = 56;
    /** A longer chart is folded. */
    private static final int FEW_ROWS = 60;

    /** Who waited, and for how long: medians of percentiles by their names, in microseconds. */
    private record Row(String title, String detail, Map<String, Double> percentiles) {
        String shown() {
            List<String> texts = new ArrayList<>();
            percentiles.forEach((name, value) -> texts.add(name + " " + Units.micros(value)));
            return String.join(", ", texts);
        }
    }

    private PercentileChart() {}

    /** That of the metrics of a scenario that are percentiles; empty if there are none. */
    static Markup of(String id, List<Report.Metric> metrics) {
        Map<String, Row> rows = new LinkedHashMap<>();
        for (Report.Metric metric : metrics) {
            Matcher name = NAME.matcher(metric.name());
            if (metric.unit().equals(MICROSECONDS) && name.matches() && metric.median() > 0) {
                String detail = metric.subject() + (name.group(1).isEmpty() ? "" : ", " + name.group(1));
                rows.computeIfAbsent(
                                metric.testCase() + "\0" + detail,
                                key -> new Row(metric.testCase(), detail, new LinkedHashMap<>()))
                        .percentiles()
                        .put(name.group(2), metric.median());
            }
        }
        return rows.isEmpty() ? new Markup() : draw(id, List.copyOf(rows.values()));
    }

    private static Markup draw(String id, List<Row> rows) {
        List<Double> all = rows.stream()
                .flatMap(row -> row.percentiles().values().stream())
                .toList();
        Axis axis = Axis.logarithmic(
                all.stream().mapToDouble(Double::doubleValue).min().orElseThrow(),
                all.stream().mapToDouble(Double::doubleValue).max().orElseThrow());
        StringBuilder description = new StringBuilder();
        rows.forEach(row -> description
                .append(description.length() == 0 ? "" : "; ")
                .append(row.title())
                .append(", ")
                .append(row.detail())
                .append(": ")
                .append(row.shown()));
        Chart chart = new Chart(id, "Latency", description.toString());
        legend(chart, rows);
        String testCase = "";
        for (Row row : rows) {
            if (!row.title().equals(testCase)) {
                chart.skip(testCase.isEmpty() ? 0 : 8);
                testCase = row.title();
                chart.text(testCase, "name");
            }
            draw(chart, row, axis);
        }
        chart.axis(axis, MICROSECONDS, "time, logarithmic: left is sooner", false);
        return rows.size() <= FEW_ROWS
                ? chart.figure()
                : new Markup()
                        .open("details")
                        .element("summary", "Latencies: " + rows.size())
                        .add(chart.figure())
                        .close();
    }

    /** What the marks are, as far as a row has them. */
    private static void legend(Chart chart, List<Row> rows) {
        chart.skip(Chart.LINE_HEIGHT);
        int x = 6;
        for (String name : rows.stream()
                .flatMap(row -> row.percentiles().keySet().stream())
                .distinct()
                .toList()) {
            mark(chart, Integer.toString(x), chart.height() - 8, name);
            chart.textAt(Integer.toString(x + 9), chart.height() - 4, name, "detail", "start");
            x += LEGEND_WIDTH;
        }
        chart.skip(4);
    }

    private static void mark(Chart chart, String x, int y, String name) {
        String style = name.equals("p50") ? "median" : name.equals("max") ? "maximum" : "late";
        if (name.equals(RARE)) {
            chart.drawing().empty("rect", "x", x, "y", y - 4, "width", 3, "height", 8, "class", style);
        } else {
            chart.drawing().empty("circle", "cx", x, "cy", y, "r", name.equals("p50") ? 5 : 4, "class", style);
        }
    }

    private static void draw(Chart chart, Row row, Axis axis) {
        chart.text(row.detail(), "detail", row.shown(), "detail");
        int y = chart.height() + ROW_HEIGHT / 2;
        double least = row.percentiles().values().stream().min(Double::compare).orElseThrow();
        double most = row.percentiles().values().stream().max(Double::compare).orElseThrow();
        chart.grid(axis, y - ROW_HEIGHT / 2, y + ROW_HEIGHT / 2);
        chart.line(axis.at(least), y, axis.at(most), y, "range");
        row.percentiles().forEach((name, value) -> mark(chart, axis.at(value), y, name));
        chart.skip(ROW_HEIGHT + 2);
    }
}
