package io.sendfiled.bench;

import io.sendfiled.bench.LineChart.Line;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How one metric grows in cases that differ in one of their numbers, a size or a count.
 *
 * @param names of the numbers, by the numbers
 */
record Growth(String title, List<Line> lines, TreeMap<Double, String> names, String unit) {
    private static final Pattern NUMBER = Pattern.compile("(\\d[\\d,]*(?:\\.\\d+)?)(?: (B|KiB|MiB|GiB)\\b)?");
    private static final Pattern PLURAL = Pattern.compile("(?<=[a-z]{3})s\\b");
    private static final List<String> SIZES = List.of("B", "KiB", "MiB", "GiB");
    private static final int FEWEST = 2;

    /** One of a case's numbers, and what is left of its name. */
    private record Place(double number, String name, String rest) {
        /** Those of all its numbers. */
        static List<Place> of(String testCase) {
            List<Place> places = new ArrayList<>();
            Matcher m = NUMBER.matcher(testCase);
            while (m.find()) {
                double number = Double.parseDouble(m.group(1).replace(",", ""));
                double scale = m.group(2) == null ? 1 : Math.pow(1024, SIZES.indexOf(m.group(2)));
                places.add(new Place(
                        number * scale,
                        m.group(),
                        (testCase.substring(0, m.start()) + "…" + testCase.substring(m.end())).strip()));
            }
            return places;
        }

        /** What is left, of one and of several. */
        String key() {
            return PLURAL.matcher(rest).replaceAll("");
        }
    }

    /** Those with two numbers or more. Zero has no place on a logarithmic axis, and is left out. */
    static List<Growth> of(List<Report.Metric> metrics) {
        Map<String, Growth> all = new LinkedHashMap<>();
        for (Report.Metric metric : metrics) {
            for (Place place : Place.of(metric.testCase())) {
                if (place.number() > 0 && Double.isFinite(metric.median())) {
                    Growth growth = all.computeIfAbsent(
                            String.join("\0", place.key(), metric.name(), metric.unit()),
                            key -> new Growth(
                                    title(metric.name(), place.rest()),
                                    new ArrayList<>(),
                                    new TreeMap<>(),
                                    metric.unit()));
                    growth.names().put(place.number(), place.name());
                    growth.line(metric.subject()).points().put(place.number(), metric.median());
                }
            }
        }
        all.values()
                .forEach(growth -> growth.lines().removeIf(line -> line.points().size() < 2));
        return all.values().stream()
                .filter(growth -> growth.names().size() >= FEWEST)
                .filter(growth -> !growth.lines().isEmpty())
                .toList();
    }

    /** By how much the line that changes most does so. */
    double factor() {
        return lines.stream()
                .map(line -> line.points().values())
                .mapToDouble(values -> Collections.max(values) / Collections.min(values))
                .max()
                .orElse(1);
    }

    private static String title(String metric, String rest) {
        return metric + " by " + (rest.equals("…") ? "size" : "“" + rest + "”");
    }

    private Line line(String subject) {
        return lines.stream()
                .filter(line -> line.title().equals(subject))
                .findFirst()
                .orElseGet(() -> {
                    Line line = new Line(subject, new TreeMap<>());
                    lines.add(line);
                    return line;
                });
    }
}
