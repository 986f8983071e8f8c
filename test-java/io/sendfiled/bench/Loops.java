package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** One loop beside two: small requests should stay together, and bulk transfers should spread. */
final class Loops implements Scenario {
    /** Each client is a process, with these options of load. */
    private record Case(String title, int clients, boolean bulk, List<Object> options) {
        Goal goal() {
            return bulk ? MORE : NO_FEWER;
        }

        String shown(double rate) {
            return bulk ? Units.megabytesPerSecond(rate) : Units.rate(rate);
        }
    }

    /** A running daemon, and how it is called in the report. */
    private record Side(String title, Server daemon) {}

    private static final String RATE = "rate";
    private static final String SMALL = "small-4k";
    private static final int SMALL_SIZE = 4096;
    private static final String BULK = "loops-64m";
    private static final int BULK_SIZE = 64 << 20;
    private static final int MAX_TRANSFERS = 1000;
    private static final String ONE = "1 loop";
    private static final String TWO = "2 loops";
    private static final Goal NO_FEWER = Goal.atLeast(0.95);
    private static final Goal MORE = Goal.atLeast(1.3);

    private static final List<Column> COLUMNS =
            List.of(Column.left("warm", 28), Column.right(ONE, 12), Column.right(TWO, 12), Column.right("ratio", 8));

    @Override
    public String name() {
        return "loops";
    }

    @Override
    public String question() {
        return "Do two loops serve no fewer small requests than one, and more bulk?";
    }

    @Override
    public boolean isAboutDaemonOnly() {
        return true;
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        TestFiles.warm(TestFiles.file(setting.files(), SMALL, SMALL_SIZE));
        TestFiles.warm(TestFiles.file(setting.files(), BULK, BULK_SIZE));
        double seconds = setting.quick() ? 0.3 : 0.6;
        List<Case> cases = List.of(
                small("Open + Send Open, 4 KiB", "open", seconds),
                small("Read File, 4 KiB", "read", seconds),
                // The receivers need the same processors as the loops: they copy nothing.
                new Case(
                        "8 × " + Units.size(BULK_SIZE) + " to TCP",
                        8,
                        true,
                        List.of("--op", "send", "--to", "tcp", "--discard", "--path", BULK, "--seconds", seconds)));
        List<Side> sides = new ArrayList<>();
        try {
            sides.add(new Side(ONE, start(setting, 1)));
            sides.add(new Side(TWO, start(setting, 2)));
            setting.screen().header(COLUMNS);
            for (Case test : cases) {
                measure(setting, test, sides);
                print(setting, test);
            }
        } finally {
            sides.forEach(side -> side.daemon().close());
        }
    }

    private static Case small(String title, String operation, double seconds) {
        return new Case(
                title,
                4,
                false,
                List.of(
                        "--op",
                        operation,
                        "--to",
                        "unix",
                        "--path",
                        SMALL,
                        "--depth",
                        16,
                        "--warmup",
                        500,
                        "--seconds",
                        seconds));
    }

    private static Server start(Setting setting, int loops) throws IOException, InterruptedException {
        return Server.startDaemon(
                setting.programs(),
                "loops-" + loops,
                MAX_TRANSFERS,
                setting.files(),
                setting.sockets(),
                "--loops=" + loops);
    }

    private void measure(Setting setting, Case test, List<Side> sides) throws IOException, InterruptedException {
        Report report = setting.report();
        // Short and many, as in SmallRequests.
        int rounds = setting.rounds() * 2;
        String unit = test.bulk() ? "MB/s" : "requests/s";
        Rounds.alternate(rounds, sides, (side, round) -> {
            setting.screen().working(test.title() + ", round " + (round + 1) + " of " + rounds);
            report.sample(name(), test.title(), side.title(), RATE, unit, rate(setting, test, side.daemon()));
        });
        report.compare(
                name(),
                test.title(),
                "two loops of one",
                report.median(name(), test.title(), TWO, RATE),
                report.median(name(), test.title(), ONE, RATE),
                test.goal());
    }

    /** Of all clients together. Blocks. */
    private static double rate(Setting setting, Case test, Server daemon) throws IOException {
        List<LoadClient.Running> clients = new ArrayList<>();
        try {
            for (int i = 0; i < test.clients(); i++) {
                clients.add(setting.load().start(daemon, test.options().toArray()));
            }
            double sum = 0;
            for (LoadClient.Running client : clients) {
                LoadClient.Result result = client.result();
                sum += test.bulk() ? result.mb_per_s() : result.rate();
            }
            return sum;
        } finally {
            clients.forEach(LoadClient.Running::close);
        }
    }

    private void print(Setting setting, Case test) {
        Report report = setting.report();
        double one = report.median(name(), test.title(), ONE, RATE);
        double two = report.median(name(), test.title(), TWO, RATE);
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                Cell.of(test.title()),
                                Cell.faint(test.shown(one)),
                                Cell.of(test.shown(two)),
                                Bench.ratioCell(two / one, test.goal())));
    }
}
