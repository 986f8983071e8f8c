package io.sendfiled.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;

/** Lines: a number over time, or by size or count. */
final class LineChart {
    /** One line: values by places, at which texts may stand. */
    record Line(String title, TreeMap<Double, Double> points) {}

    private static final int HEIGHT = 180;
    private static final int LABEL_SPACE = 18;
    private static final int COLOURS = 6;
    private static final int FEW_POINTS = 12;

    private LineChart() {}

    /** Over seconds, which are linear. A rate begins at zero, so that one sees it stop. */
    static Markup overTime(String id, String title, List<Line> lines, String unit) {
        double last = lines.stream()
                .mapToDouble(line -> line.points().lastKey())
                .max()
                .orElseThrow();
        Axis x = Axis.linear(last);
        Axis y = Units.isMoreBetter(unit)
                ? Axis.linear(values(lines).stream()
                        .mapToDouble(Double::doubleValue)
                        .max()
                        .orElse(1))
                : Axis.fitting(values(lines));
        TreeMap<Double, String> marks = new TreeMap<>();
        x.ticks().forEach(tick -> marks.put(tick, Units.mark(tick, "s")));
        return draw(id, title, lines, x, y, marks, unit);
    }

    /** By numbers on a logarithmic axis, at which their names stand. */
    static Markup byNumber(String id, String title, List<Line> lines, SortedMap<Double, String> names, String unit) {
        Axis x = new Axis(names.firstKey(), names.lastKey(), true);
        return draw(id, title, lines, x, Axis.fitting(values(lines)), names, unit);
    }

    private static List<Double> values(List<Line> lines) {
        return lines.stream()
                .flatMap(line -> line.points().values().stream())
                .filter(Double::isFinite)
                .toList();
    }

    private static Markup draw(
            String id, String title, List<Line> lines, Axis x, Axis y, SortedMap<Double, String> marks, String unit) {
        String scale = y.logarithmic() ? ", logarithmic" : "";
        List<String> told = new ArrayList<>();
        for (Line line : lines) {
            double least = line.points().values().stream().min(Double::compare).orElseThrow();
            double most = line.points().values().stream().max(Double::compare).orElseThrow();
            told.add(line.title() + ": " + Units.value(least, unit) + " to " + Units.value(most, unit));
        }
        Chart chart = new Chart(id, title + scale, String.join("; ", told));
        for (int i = 0; i < lines.size(); i++) {
            chart.skip(Chart.LINE_HEIGHT);
            chart.line("0", chart.height() - 8, "18", chart.height() - 8, style(i));
            chart.textAt("24", chart.height() - 4, lines.get(i).title(), "detail", "start");
        }
        chart.skip(LABEL_SPACE);
        int top = chart.height();
        for (double tick : y.ticks()) {
            int height = top + offset(y, tick);
            chart.line("0", height, "100%", height, "grid");
        }
        for (int i = 0; i < lines.size(); i++) {
            draw(chart, lines.get(i), x, y, top, style(i));
        }
        for (double tick : y.ticks()) {
            chart.textAt("0", top + offset(y, tick) - 3, Units.mark(tick, unit), "tick", "start");
        }
        chart.skip(HEIGHT + LABEL_SPACE + 4);
        double last = Double.NEGATIVE_INFINITY;
        for (var mark : marks.entrySet()) {
            double percent = x.percent(mark.getKey());
            if (percent - last >= 2.2 * mark.getValue().length()) {
                last = percent;
                chart.textAt(x.at(mark.getKey()), chart.height() - 2, mark.getValue(), "tick", Chart.anchor(percent));
            }
        }
        return chart.figure();
    }

    /** The line is in a picture of its own, which is stretched; what must not be stretched is on top of it. */
    private static void draw(Chart chart, Line line, Axis x, Axis y, int top, String style) {
        StringBuilder points = new StringBuilder();
        line.points()
                .forEach((place, value) ->
                        points.append(Units.format("%.2f,%.2f ", x.percent(place), 100 - y.percent(value))));
        chart.drawing()
                .open(
                        "svg",
                        "x",
                        "0",
                        "y",
                        top,
                        "width",
                        "100%",
                        "height",
                        HEIGHT,
                        "viewBox",
                        "0 0 100 100",
                        "preserveAspectRatio",
                        "none",
                        "overflow",
                        "visible")
                .empty("polyline", "points", points.toString().strip(), "class", style)
                .close();
        if (line.points().size() <= FEW_POINTS) {
            line.points().forEach((place, value) -> chart.drawing()
                    .empty(
                            "circle",
                            "cx",
                            x.at(place),
                            "cy",
                            top + offset(y, Objects.requireNonNull(value)),
                            "r",
                            4,
                            "class",
                            style));
        }
    }

    private static int offset(Axis axis, double value) {
        return (int) Math.round((100 - axis.percent(value)) / 100 * HEIGHT);
    }

    private static String style(int line) {
        return "line line" + line % COLOURS;
    }
}
