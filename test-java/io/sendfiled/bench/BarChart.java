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

    /**
     * What all bars have in common.
     *
     * @param from where they begin
     * @param limit whether 1 is marked
     */
    private record Scale(Axis axis, double from, boolean limit, String unit, String title) {}

    private static final int BAR_HEIGHT = 12;
    private static final int GAP = 10;
    private static final int CAP = 4;
    private static final double LINEAR_UP_TO = 3;
    /** How far zero is from the least of the others. */
    private static final double ZERO_APART = 4;

    private BarChart() {}

    /**
     * Of ratios: from zero, or, where they are far apart, from 1 on a logarithmic axis, on which zero has the left end for
     * itself. The line at 1 is what they are ratios of.
     *
     * @param of what that is
     */
    static Markup ofRatios(String id, String title, List<Bar> bars, String of) {
        double most = ends(bars).max().orElse(1);
        double least = Math.min(1, ends(bars).filter(end -> end > 0).min().orElse(1));
        if (most <= LINEAR_UP_TO) {
            return draw(id, title, bars, new Scale(Axis.linear(Math.max(most, 1) * 1.05), 0, true, "", of));
        }
        boolean zero = ends(bars).anyMatch(end -> end <= 0);
        Axis axis = Axis.logarithmic(zero ? least / ZERO_APART : least, Math.max(most, 1));
        return draw(id, title, bars, new Scale(axis, 1, true, "", of + "; logarithmic from 1"));
    }

    /** Of numbers in one unit, from zero. */
    static Markup ofNumbers(String id, String title, List<Bar> bars, String unit, String of) {
        return draw(id, title, bars, new Scale(Axis.linear(ends(bars).max().orElse(1) * 1.02), 0, false, unit, of));
    }

    private static DoubleStream ends(List<Bar> bars) {
        return bars.stream()
                .flatMapToDouble(bar -> DoubleStream.of(
                        bar.length().value(), bar.length().low(), bar.length().high(), bar.goal()))
                .filter(Double::isFinite);
    }

    private static Markup draw(String id, String title, List<Bar> bars, Scale scale) {
        StringBuilder description = new StringBuilder();
        bars.forEach(bar -> description
                .append(description.length() == 0 ? "" : "; ")
                .append(bar.title())
                .append(bar.detail().isEmpty() ? "" : ", " + bar.detail())
                .append(": ")
                .append(bar.value()));
        Chart chart = new Chart(id, title, description.toString());
        for (Bar bar : bars) {
            draw(chart, bar, scale);
        }
        boolean zero = scale.axis().logarithmic() && ends(bars).anyMatch(end -> end <= 0);
        chart.axis(scale.axis(), scale.unit(), scale.title(), zero);
        return chart.figure();
    }

    private static void draw(Chart chart, Bar bar, Scale scale) {
        Axis axis = scale.axis();
        chart.text(bar.title(), "name", bar.value(), bar.style() + " value");
        if (!bar.detail().isEmpty()) {
            chart.wrappedText(bar.detail(), "detail");
        }
        int y = chart.height() + 2;
        int middle = y + BAR_HEIGHT / 2;
        double left = axis.percent(Math.min(scale.from(), bar.length().value()));
        double right = axis.percent(Math.max(scale.from(), bar.length().value()));
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
        if (scale.limit()) {
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
