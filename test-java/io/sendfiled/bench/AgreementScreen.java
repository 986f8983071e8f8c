package io.sendfiled.bench;

import io.sendfiled.bench.Agreement.Finding;
import io.sendfiled.bench.Agreement.Row;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.util.List;

/** Prints how far several runs of one build agree. */
final class AgreementScreen {
    private static final List<Column> COLUMNS =
            List.of(Column.right("median", 14), Column.right("apart", 8), Column.left("", 40));

    private AgreementScreen() {}

    /** Whether a figure neither agrees nor is called noisy by most runs. */
    static boolean print(Screen screen, List<Results> runs) {
        screen.title(runs.size() + " runs", "do they agree within 10 %, or do most say that they are noisy?");
        Results first = runs.get(0);
        for (Results run : runs) {
            first.environment()
                    .differences(run.environment())
                    .forEach((name, values) -> screen.warn(
                            name,
                            values[0] + " at " + first.environment().time() + ", and " + values[1] + " at "
                                    + run.environment().time()));
        }
        Agreement agreement = Agreement.of(runs);
        table(screen, "goals", "ratios within each run, and numbers with a goal", agreement.goals());
        table(screen, "figures", "medians; others on the machine are in them", agreement.rows());
        screen.blank();
        count(screen, "goals", agreement.goals());
        count(screen, "figures", agreement.rows());
        return Agreement.count(agreement.goals(), Finding.DIFFERS) + Agreement.count(agreement.rows(), Finding.DIFFERS)
                > 0;
    }

    /** Of those that are apart. */
    private static void table(Screen screen, String title, String detail, List<Row> rows) {
        screen.blank();
        screen.title(title, detail);
        screen.header(COLUMNS);
        for (Row row : rows) {
            if (row.finding() != Finding.AGREES) {
                screen.paragraph(row.key().toString());
                screen.row(
                        COLUMNS,
                        List.of(
                                Cell.of(Units.value(row.median(), row.unit())),
                                Cell.of(Units.format("%.0f %%", row.spread() * 100)),
                                row.finding() == Finding.NOISY
                                        ? new Cell("~ noisy, as most runs say", Tone.FAINT)
                                        : new Cell("✗ differs, and few runs or none have told", Tone.BAD)));
            }
        }
    }

    private static void count(Screen screen, String what, List<Row> rows) {
        screen.line(Units.format(
                "  %s: %d agree, %d are noisy, %d differ",
                what,
                Agreement.count(rows, Finding.AGREES),
                Agreement.count(rows, Finding.NOISY),
                Agreement.count(rows, Finding.DIFFERS)));
    }
}
