package io.sendfiled.bench;

import io.sendfiled.bench.LineChart.Line;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How one metric grows in cases that differ in one number, a size or a count.
 *
 * @param names of the numbers, by the numbers
 */
record Growth(String title, List<Line> lines, TreeMap<Double, String> names, String unit) {
    private static final Pattern NUMBER = Pattern.compile("(\\d[\\d,]*(?:\\.\\d+)?)(?: (B|KiB|MiB|GiB)\\b)?");
    private static final List<String> SIZES = List.of("B", "KiB", "MiB", "GiB");
    private static final int FEWEST = 3;

    /** A case's number, and what is left of its name. */
    private record Place(double number, String name, String rest) {
        static Place of(String testCase) {
            Matcher m = NUMBER.matcher(testCase);
            if (!m.find()) {
                return new Place(Double.NaN, "", testCase);
            }
            double number = Double.parseDouble(m.group(1).replace(",", ""));
            double scale = m.group(2) == null ? 1 : Math.pow(1024, SIZES.indexOf(m.group(2)));
            return new Place(
                    number * scale,
                    m.group(),
                    (testCase.substring(0, m.start()) + "…" + testCase.substring(m.end())).strip());
        }
    }

    /** Those with three numbers or more. Zero has no place on a logarithmic axis, and is left out. */
    static List<Growth> of(List<Report.Metric> metrics) {
        Map<String, Growth> all = new LinkedHashMap<>();
        for (Report.Metric metric : metrics) {
            Place place = Place.of(metric.testCase());
            if (place.number() > 0 && Double.isFinite(metric.median())) {
                Growth growth = all.computeIfAbsent(
                        String.join("\0", place.rest(), metric.name(), metric.unit()),
                        key -> new Growth(
                                title(metric.name(), place.rest()), new ArrayList<>(), new TreeMap<>(), metric.unit()));
                growth.names().put(place.number(), place.name());
                growth.line(metric.subject()).points().put(place.number(), metric.median());
            }
        }
        all.values()
                .forEach(growth -> growth.lines().removeIf(line -> line.points().size() < 2));
        return all.values().stream()
                .filter(growth -> growth.names().size() >= FEWEST)
                .filter(growth -> !growth.lines().isEmpty())
                .toList();
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
