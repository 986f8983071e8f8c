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
        Chart chart = new Chart(id, "Latency, logarithmic: left is sooner", description.toString());
        String testCase = "";
        for (Row row : rows) {
            if (!row.title().equals(testCase)) {
                chart.skip(testCase.isEmpty() ? 0 : 8);
                testCase = row.title();
                chart.text(testCase, "name");
            }
            draw(chart, row, axis);
        }
        chart.axis(axis, MICROSECONDS);
        return chart.figure();
    }

    private static void draw(Chart chart, Row row, Axis axis) {
        chart.text(row.detail(), "detail", row.shown(), "detail");
        int y = chart.height() + ROW_HEIGHT / 2;
        double least = row.percentiles().values().stream().min(Double::compare).orElseThrow();
        double most = row.percentiles().values().stream().max(Double::compare).orElseThrow();
        chart.grid(axis, y - ROW_HEIGHT / 2, y + ROW_HEIGHT / 2);
        chart.line(axis.at(least), y, axis.at(most), y, "range");
        row.percentiles().forEach((name, value) -> chart.drawing()
                .empty(
                        "circle",
                        "cx",
                        axis.at(value),
                        "cy",
                        y,
                        "r",
                        name.equals("p50") ? 5 : 4,
                        "class",
                        name.equals("p50") ? "median" : name.equals("max") ? "maximum" : "late"));
        chart.skip(ROW_HEIGHT + 2);
    }
}
