package io.sendfiled.bench;

import java.util.List;
import java.util.stream.DoubleStream;

/** Bars beneath each other, each with its interval as a whisker. */
final class BarChart {
    /**
     * One bar.
     *
     * @param value what stands beside it
     * @param detail a sentence below its title; may be empty
     * @param length the bar and its whisker
     * @param goal where its goal is marked; NaN: it has none
     * @param style class of its colour
     */
    record Bar(String title, String value, String detail, Ratio length, double goal, String style) {}

    private static final int BAR_HEIGHT = 12;
    private static final int GAP = 10;
    private static final int CAP = 4;
    private static final double LINEAR_UP_TO = 3;

    private BarChart() {}

    /** Of ratios: from zero, or, where they are far apart, from 1 on a logarithmic axis. The line at 1 is the other side. */
    static Markup ofRatios(String id, String title, List<Bar> bars) {
        double most = ends(bars).max().orElse(1);
        double least = ends(bars).filter(end -> end > 0).min().orElse(1);
        Axis axis = most <= LINEAR_UP_TO
                ? Axis.linear(Math.max(most, 1) * 1.05)
                : Axis.logarithmic(Math.min(least, 1), Math.max(most, 1));
        return draw(id, title, bars, axis, axis.logarithmic() ? 1 : 0, true, "");
    }

    /** Of numbers in one unit, from zero. */
    static Markup ofNumbers(String id, String title, List<Bar> bars, String unit) {
        return draw(id, title, bars, Axis.linear(ends(bars).max().orElse(1) * 1.02), 0, false, unit);
    }

    private static DoubleStream ends(List<Bar> bars) {
        return bars.stream()
                .flatMapToDouble(bar -> DoubleStream.of(
                        bar.length().value(), bar.length().low(), bar.length().high(), bar.goal()))
                .filter(Double::isFinite);
    }

    private static Markup draw(
            String id, String title, List<Bar> bars, Axis axis, double from, boolean limit, String unit) {
        StringBuilder description = new StringBuilder();
        bars.forEach(bar -> description
                .append(description.length() == 0 ? "" : "; ")
                .append(bar.title())
                .append(bar.detail().isEmpty() ? "" : ", " + bar.detail())
                .append(": ")
                .append(bar.value()));
        Chart chart = new Chart(id, title, description.toString());
        for (Bar bar : bars) {
            draw(chart, bar, axis, from, limit);
        }
        chart.axis(axis, unit);
        return chart.figure();
    }

    private static void draw(Chart chart, Bar bar, Axis axis, double from, boolean limit) {
        chart.text(bar.title(), "name", bar.value(), bar.style() + " value");
        if (!bar.detail().isEmpty()) {
            chart.wrappedText(bar.detail(), "detail");
        }
        int y = chart.height() + 2;
        int middle = y + BAR_HEIGHT / 2;
        double left = axis.percent(Math.min(from, bar.length().value()));
        double right = axis.percent(Math.max(from, bar.length().value()));
        chart.drawing()
                .empty(
                        "rect",
                        "x",
                        Units.format("%.2f%%", left),
                        "y",
                        y,
                        "width",
                        Units.format("%.2f%%", right - left),
                        "height",
                        BAR_HEIGHT,
                        "class",
                        "bar " + bar.style());
        if (limit) {
            chart.line(axis.at(1), y - 3, axis.at(1), y + BAR_HEIGHT + 3, "limit");
        }
        if (bar.length().low() < bar.length().high()) {
            String low = axis.at(bar.length().low());
            String high = axis.at(bar.length().high());
            chart.line(low, middle, high, middle, "whisker");
            chart.line(low, middle - CAP, low, middle + CAP, "whisker");
            chart.line(high, middle - CAP, high, middle + CAP, "whisker");
        }
        if (Double.isFinite(bar.goal())) {
            chart.line(axis.at(bar.goal()), y - 3, axis.at(bar.goal()), y + BAR_HEIGHT + 3, "goal");
        }
        chart.skip(BAR_HEIGHT + 2 + GAP);
    }
}
