package io.sendfiled.bench;

import java.util.ArrayList;
import java.util.List;

/**
 * A figure with an inline SVG: as wide as the page, whatever that is, with text that keeps its size. So horizontal places are
 * percentages and vertical ones are pixels. Not thread-safe.
 */
final class Chart {
    /** As wide as a row's text may be on a telephone, in characters. */
    private static final int LINE_LENGTH = 54;

    static final int LINE_HEIGHT = 16;
    private static final int AXIS_HEIGHT = 20;
    private static final double EDGE_PERCENT = 8;

    private final String id;
    private final String title;
    private final String description;
    private final Markup drawing = new Markup();
    private int height;

    /**
     * Begins a chart.
     *
     * @param id of its own in the page
     * @param description what it shows, for those who cannot see it
     */
    Chart(String id, String title, String description) {
        this.id = id;
        this.title = title;
        this.description = description;
    }

    /** How much of it is used, from the top, in pixels. */
    int height() {
        return height;
    }

    void skip(int pixels) {
        height += pixels;
    }

    Markup drawing() {
        return drawing;
    }

    /** A line of text. */
    void text(String text, String style) {
        height += LINE_HEIGHT;
        textAt("0", height - 4, text, style, "start");
    }

    /** Text, in as many lines as it needs. */
    void wrappedText(String text, String style) {
        for (String line : wrap(text)) {
            text(line, style);
        }
    }

    /** A text at the left and one at the right of the same line. */
    void text(String left, String leftStyle, String right, String rightStyle) {
        if (left.length() + right.length() + 2 > LINE_LENGTH) {
            wrappedText(left, leftStyle);
        } else {
            height += LINE_HEIGHT;
            textAt("0", height - 4, left, leftStyle, "start");
            height -= LINE_HEIGHT;
        }
        height += LINE_HEIGHT;
        textAt("100%", height - 4, right, rightStyle, "end");
    }

    void textAt(String x, int y, String text, String style, String anchor) {
        drawing.element("text", text, "x", x, "y", y, "class", style, "text-anchor", anchor);
    }

    void line(String x1, int y1, String x2, int y2, String style) {
        drawing.empty("line", "x1", x1, "y1", y1, "x2", x2, "y2", y2, "class", style);
    }

    /** Lines at the marks of an axis, between two heights. */
    void grid(Axis axis, int from, int to) {
        for (double tick : axis.ticks()) {
            line(axis.at(tick), from, axis.at(tick), to, "grid");
        }
    }

    /**
     * An axis below all that was drawn.
     *
     * @param title what it counts
     * @param zero whether its left end, which has no other mark, is zero
     */
    void axis(Axis axis, String unit, String title, boolean zero) {
        grid(axis, height, height + 4);
        height += AXIS_HEIGHT;
        double last = Double.NEGATIVE_INFINITY;
        if (zero) {
            last = 0;
            textAt("0", height - 4, "0", "tick", "start");
        }
        for (double tick : axis.ticks()) {
            double percent = axis.percent(tick);
            if (percent - last < EDGE_PERCENT) {
                continue;
            }
            last = percent;
            textAt(axis.at(tick), height - 4, Units.mark(tick, unit), "tick", anchor(percent));
        }
        wrappedText(title, "tick");
    }

    /** So that a text at the edge stays inside. */
    static String anchor(double percent) {
        return percent < EDGE_PERCENT ? "start" : percent > 100 - EDGE_PERCENT ? "end" : "middle";
    }

    private static List<String> wrap(String text) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : text.split(" ", -1)) {
            if (line.length() + word.length() + 1 > LINE_LENGTH && line.length() > 0) {
                lines.add(line.toString());
                line.setLength(0);
            }
            line.append(line.length() == 0 ? "" : " ").append(word);
        }
        lines.add(line.toString());
        return lines;
    }

    /** The whole figure. */
    Markup figure() {
        Markup figure = new Markup();
        figure.open("figure", "class", "chart");
        figure.element("figcaption", title);
        figure.open(
                "svg",
                "role",
                "img",
                "width",
                "100%",
                "height",
                height,
                "aria-labelledby",
                id + "-title " + id + "-desc");
        figure.element("title", title, "id", id + "-title");
        figure.element("desc", description, "id", id + "-desc");
        figure.add(drawing);
        return figure.close().close();
    }
}
