package io.sendfiled.bench;

import io.sendfiled.bench.Differences.Change;
import io.sendfiled.bench.Differences.Row;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.util.List;
import java.util.Map;

/** Prints what has become of figures since an older run. */
final class DifferencesScreen {
    private static final List<Column> COLUMNS = List.of(
            Column.right("old", 21), Column.right("new", 21), Column.left("new of old", 18), Column.left("", 12));

    private DifferencesScreen() {}

    /** Whether the figure of a goal is worse. */
    static boolean print(Screen screen, Results older, Results newer) {
        Map<String, String[]> environment = older.environment().differences(newer.environment());
        screen.title(
                "runs",
                older.environment().time() + " and " + newer.environment().time());
        environment.forEach((name, values) -> screen.warn(name, shown(values[0]) + ", then " + shown(values[1])));
        if (environment.isEmpty()) {
            screen.step("the same machine", "and the same versions");
        }
        Differences differences = Differences.between(older, newer);
        table(screen, "goals", "ratios within each run, and numbers with a goal", differences.goals());
        table(screen, "figures", "medians; others on the machine are in them", differences.rows());
        screen.blank();
        differences.onlyOld().forEach(what -> screen.warn("not measured now", what));
        differences.onlyNew().forEach(what -> screen.warn("not measured before", what));
        count(screen, "goals", differences.goals());
        count(screen, "figures", differences.rows());
        return Differences.count(differences.goals(), Change.WORSE) > 0;
    }

    private static String shown(String value) {
        return value.isEmpty() ? "not known" : value;
    }

    private static void table(Screen screen, String title, String detail, List<Row> rows) {
        screen.blank();
        screen.title(title, detail);
        screen.header(COLUMNS);
        for (Row row : rows) {
            screen.paragraph(row.key().toString());
            screen.row(
                    COLUMNS,
                    List.of(
                            Cell.faint(Units.value(row.older().value(), row.unit())),
                            Cell.of(Units.value(row.newer().value(), row.unit())),
                            Cell.of(row.ratio().isMeasured() ? row.ratio().shown() : "–"),
                            change(row.change())));
        }
    }

    private static Cell change(Change change) {
        return switch (change) {
            case BETTER -> new Cell("✓ better", Tone.GOOD);
            case WORSE -> new Cell("✗ worse", Tone.BAD);
            case NOISE -> new Cell("~ noise", Tone.FAINT);
            case UNKNOWN -> new Cell("? few rounds", Tone.FAINT);
        };
    }

    private static void count(Screen screen, String what, List<Row> rows) {
        screen.line(Units.format(
                "  %s: %d better, %d worse, %d within noise, %d with too few rounds",
                what,
                Differences.count(rows, Change.BETTER),
                Differences.count(rows, Change.WORSE),
                Differences.count(rows, Change.NOISE),
                Differences.count(rows, Change.UNKNOWN)));
    }
}
