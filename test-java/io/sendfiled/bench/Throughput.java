package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Big warm files: how close to a bare loop around one system call?
 *
 * <p>The bare loop is a server as well, so that the same client receives from both. It comes in several ways to wait; the
 * one with the best median is the limit.
 */
final class Throughput implements Scenario {
    private static final String HOW_TO_READ =
            "The limit is a loop around one system call, in the way to wait that was the fastest in these rounds. "
                    + "With two processors the receiver takes one, so a sender is measured with what is left. Where eight "
                    + "go at once the bare loop is eight threads that call sendfile(2) and nothing else; the daemon has two "
                    + "loops, and beside each sendfile 3.6 other calls (strace -c): it looks at what is in memory, so that "
                    + "no cold page holds the others, at the flags of the destination, and then at who else is ready. That "
                    + "is the processor time in the table, and where the receivers need both processors it is rate.";

    private record Case(String title, String channel, int connections, long fileSize, Goal goal) {}

    /** A running server, and how it is called in the report. */
    private record Side(String title, Server server, boolean yardstick) {}

    private static final long GIB = 1L << 30;
    private static final String SPEED = "throughput";
    private static final String DAEMON = Server.Kind.DAEMON.title;
    /** The yardsticks are slow and no goal hangs on them. */
    private static final int YARDSTICK_ROUNDS = 2;

    private static final List<Column> COLUMNS = List.of(
            Column.left("throughput, warm", 24),
            Column.right("bare loop", 9),
            Column.right("sendfiled", 9),
            Column.right("ratio", 5),
            Column.right("CPU a GB", 8),
            Column.right("original's", 10));

    @Override
    public String name() {
        return "throughput";
    }

    @Override
    public String question() {
        return "How close to the fastest bare sendfile or splice loop are big warm files?";
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        setting.report().note(name(), HOW_TO_READ);
        long big = setting.quick() ? GIB / 4 : GIB;
        List<Case> cases = List.of(
                new Case(Units.size(big) + " to TCP", "tcp", 1, big, Goal.atLeast(0.95)),
                new Case("8 × " + Units.size(big / 4) + " to TCP", "tcp", 8, big / 4, Goal.atLeast(0.95)),
                new Case(Units.size(big) + " to a UNIX socket", "unix", 1, big, Goal.atLeast(0.95)),
                new Case(Units.size(big) + " read by pipe", "pipe", 1, big, Goal.atLeast(0.90)));
        List<Side> sides = new ArrayList<>();
        try {
            for (Server.Kind kind : setting.servers()) {
                sides.add(new Side(
                        kind.title,
                        Server.start(setting.programs(), kind, setting.files(), setting.sockets()),
                        kind != Server.Kind.DAEMON));
            }
            for (String way : Server.BARE_WAYS) {
                sides.add(new Side(
                        bare(way),
                        Server.startBare(setting.programs(), way, setting.files(), setting.sockets()),
                        false));
            }
            setting.screen().header(COLUMNS);
            for (Case test : cases) {
                print(setting, test, measure(setting, test, sides));
            }
        } finally {
            sides.forEach(side -> side.server().close());
        }
    }

    private static String bare(String way) {
        return "bare loop, " + way;
    }

    private Ratio measure(Setting setting, Case test, List<Side> sides) throws IOException, InterruptedException {
        String fileName = "throughput-" + (test.fileSize() >> 20) + "m";
        setting.screen().working("making " + fileName);
        Path file = TestFiles.file(setting.files(), fileName, test.fileSize());
        TestFiles.warm(file);
        Report report = setting.report();
        int rounds = setting.quick() ? setting.rounds() : setting.rounds() * 2;
        Rounds.alternate(rounds, sides, (side, round) -> {
            if (side.yardstick() && round >= YARDSTICK_ROUNDS) {
                return;
            }
            if (side.title().equals(Server.Kind.FEWEST.title) && test.connections() > 1) {
                return; // It serves one at a time by design.
            }
            if (side.title().equals(bare("loops")) && test.connections() == 1) {
                return; // One loop is all that one connection uses.
            }
            setting.screen().working(test.title() + ", round " + (round + 1) + " of " + rounds);
            LoadClient.Result result =
                    setting.load().transfers(side.server(), test.channel(), fileName, test.connections());
            report.sample(name(), test.title(), side.title(), SPEED, "MB/s", result.mb_per_s());
            result.sampleVolume(report, name(), test.title(), side.title());
        });
        return report.compareRounds(
                name(),
                test.title(),
                "sendfiled of the fastest bare loop (" + fastest(report, test) + ")",
                DAEMON,
                bare(fastest(report, test)),
                SPEED,
                test.goal());
    }

    private String fastest(Report report, Case test) {
        return Server.BARE_WAYS.stream()
                .filter(way -> !Double.isNaN(median(report, test, bare(way))))
                .max(Comparator.comparingDouble(way -> median(report, test, bare(way))))
                .orElseThrow();
    }

    private double limit(Report report, Case test) {
        return median(report, test, bare(fastest(report, test)));
    }

    private double median(Report report, Case test, String subject) {
        return report.median(name(), test.title(), subject, SPEED);
    }

    private void print(Setting setting, Case test, Ratio ratio) {
        Report report = setting.report();
        double limit = limit(report, test);
        double ours = median(report, test, DAEMON);
        List<Cell> cells = new ArrayList<>();
        cells.add(Cell.of(test.title()));
        cells.add(Cell.faint(speed(limit)));
        cells.add(Cell.of(speed(ours)));
        cells.add(setting.cell(ratio, test.goal()));
        cells.add(Cell.of(Units.value(report.median(name(), test.title(), DAEMON, Cost.CPU), "ms")));
        cells.add(Cell.faint(speed(median(report, test, Server.Kind.ORIGINAL.title))));
        setting.screen().row(COLUMNS, cells);
    }

    private static String speed(double megabytes) {
        return Double.isNaN(megabytes) ? "–" : Units.megabytesPerSecond(megabytes);
    }
}
