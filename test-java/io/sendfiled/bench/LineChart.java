package io.sendfiled.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Lines: a number over time, or by size or count. */
final class LineChart {
    /** One line: values by places, at which texts may stand. */
    record Line(String title, TreeMap<Double, Double> points) {}

    private static final int HEIGHT = 180;
    private static final int LABEL_SPACE = 18;
    private static final int COLOURS = 11;
    private static final int FEW_POINTS = 12;

    private LineChart() {}

    /**
     * Over seconds, from zero to twice what there is before something goes on beside it: so one sees it stop, and a burst
     * afterwards does not flatten the rest.
     */
    static Markup overTime(String id, String title, List<TimeLine> timeLines, String unit) {
        double end = timeLines.stream().mapToDouble(TimeLine::end).max().orElseThrow();
        Axis x = Axis.linear(end);
        Axis y = Axis.linear(TimeLine.scale(timeLines));
        TreeMap<Double, String> marks = new TreeMap<>();
        x.ticks().forEach(tick -> marks.put(tick, Units.mark(tick, "s")));
        double most = timeLines.stream().mapToDouble(TimeLine::most).max().orElseThrow();
        String cut = most > y.high() ? Units.format(", cut off: the most is %s", Units.value(most, unit)) : "";
        String told = timeLines.stream().map(TimeLine::told).collect(Collectors.joining("; "));
        return draw(id, title + cut, told, lines(timeLines), x, y, marks, unit, end / TimeLine.PARTS.size());
    }

    private static List<Line> lines(List<TimeLine> timeLines) {
        List<Line> lines = new ArrayList<>();
        for (TimeLine timeLine : timeLines) {
            TreeMap<Double, Double> points = new TreeMap<>();
            for (int i = 0; i < timeLine.series().seconds().size(); i++) {
                points.put(
                        timeLine.series().seconds().get(i),
                        timeLine.series().values().get(i));
            }
            lines.add(new Line(timeLine.series().subject(), points));
        }
        return lines;
    }

    /** By numbers on a logarithmic axis, at which their names stand. */
    static Markup byNumber(String id, String title, List<Line> lines, SortedMap<Double, String> names, String unit) {
        Axis x = new Axis(names.firstKey(), names.lastKey(), true);
        Axis y = Axis.fitting(values(lines));
        List<String> told = new ArrayList<>();
        for (Line line : lines) {
            List<String> points = new ArrayList<>();
            line.points().forEach((number, value) -> points.add(names.get(number) + " " + Units.value(value, unit)));
            told.add(line.title() + ": " + String.join(", ", points));
        }
        String scale = y.logarithmic() ? ", logarithmic" : "";
        return draw(id, title + scale, String.join("; ", told), lines, x, y, names, unit, 0);
    }

    private static List<Double> values(List<Line> lines) {
        return lines.stream()
                .flatMap(line -> line.points().values().stream())
                .filter(Double::isFinite)
                .toList();
    }

    /** Of a positive part the second one is shaded: something goes on beside it. */
    private static Markup draw(
            String id,
            String title,
            String told,
            List<Line> lines,
            Axis x,
            Axis y,
            SortedMap<Double, String> marks,
            String unit,
            double part) {
        Chart chart = new Chart(id, title, told);
        for (int i = 0; i < lines.size(); i++) {
            chart.skip(Chart.LINE_HEIGHT);
            chart.line("0", chart.height() - 8, "18", chart.height() - 8, style(i));
            chart.textAt("24", chart.height() - 4, lines.get(i).title(), "detail", "start");
        }
        chart.skip(LABEL_SPACE);
        int top = chart.height();
        if (part > 0) {
            shade(chart, x, part, top);
        }
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

    private static void shade(Chart chart, Axis x, double part, int top) {
        chart.drawing()
                .empty(
                        "rect",
                        "x",
                        x.at(part),
                        "y",
                        top,
                        "width",
                        Units.format("%.2f%%", x.percent(2 * part) - x.percent(part)),
                        "height",
                        HEIGHT,
                        "class",
                        "beside");
        chart.textAt(x.at(1.5 * part), top - 4, TimeLine.BESIDE, "detail", "middle");
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
