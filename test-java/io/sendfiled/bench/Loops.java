package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** One loop beside two: small requests should stay together, and bulk transfers should spread. */
final class Loops implements Scenario {
    /** How fast requests are served; blocks for about a second. */
    private interface Load {
        double rate(Running side) throws IOException, InterruptedException;
    }

    private record Case(String title, boolean bulk, Load load) {
        Goal goal() {
            return bulk ? MORE : NO_FEWER;
        }

        String shown(double rate) {
            return bulk ? Units.megabytesPerSecond(rate) : Units.rate(rate);
        }
    }

    /**
     * A running daemon.
     *
     * @param web asks it for all that it serves; null: there is none
     */
    private record Running(Server daemon, @Nullable WebServer web) implements AutoCloseable {
        @Override
        public void close() {
            if (web != null) {
                web.close();
            }
            daemon.close();
        }
    }

    /** Daemons that take turns, and how they are called in the report. */
    private record Side(String title, int loops, List<Running> daemons) {
        Running of(int round) {
            return daemons.get(round % daemons.size());
        }
    }

    /**
     * Of each side. Two daemons of one kind differ by 8 % for as long as they live, by where they are in memory and on the
     * processors: each side has its share of that, and of who was started first.
     */
    private static final int DAEMONS = 2;

    private static final String RATE = "rate";
    private static final String SMALL = "small-4k";
    private static final int SMALL_SIZE = 4096;
    private static final String BULK = "loops-64m";
    private static final int BULK_SIZE = 64 << 20;
    private static final int MAX_TRANSFERS = 1000;
    private static final String WEB = "4 KiB over HTTP, opened";
    private static final String EXAMPLE = "http_open_server";
    private static final int PATIENCE_SECONDS = 30;
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
        List<Case> cases = new ArrayList<>(List.of(
                small(setting, "Open + Send Open, 4 KiB", "open", seconds),
                small(setting, "Read File, 4 KiB", "read", seconds),
                // The receivers need the same processors as the loops: they copy nothing.
                new Case(
                        "8 × " + Units.size(BULK_SIZE) + " to TCP",
                        true,
                        side -> rate(
                                setting,
                                side,
                                true,
                                8,
                                List.of(
                                        "--op",
                                        "send",
                                        "--to",
                                        "tcp",
                                        "--discard",
                                        "--path",
                                        BULK,
                                        "--seconds",
                                        seconds)))));
        boolean withWeb = WebSide.available(setting, name(), WEB);
        if (withWeb) {
            cases.add(new Case(WEB, false, Loops::webRate));
        }
        List<Side> sides = List.of(new Side(ONE, 1, new ArrayList<>()), new Side(TWO, 2, new ArrayList<>()));
        try {
            Rounds.alternate(
                    DAEMONS, sides, (side, round) -> side.daemons().add(start(setting, side.loops(), round, withWeb)));
            setting.screen().header(COLUMNS);
            for (Case test : cases) {
                print(setting, test, measure(setting, test, sides));
            }
        } finally {
            sides.forEach(side -> side.daemons().forEach(Running::close));
        }
    }

    private static Case small(Setting setting, String title, String operation, double seconds) {
        List<Object> options = List.of(
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
                seconds);
        return new Case(title, false, side -> rate(setting, side, false, 4, options));
    }

    /** The example of a web server is not told where the files are: it has all of them from the daemon. Blocks. */
    private static Running start(Setting setting, int loops, int number, boolean withWeb)
            throws IOException, InterruptedException {
        String instance = "loops-" + loops + "-" + number;
        Server daemon = Server.startDaemon(
                setting.programs(), instance, MAX_TRANSFERS, setting.files(), setting.sockets(), "--loops=" + loops);
        if (!withWeb) {
            return new Running(daemon, null);
        }
        try {
            WebServer web = WebServer.start(
                    EXAMPLE,
                    Programs.command(
                            setting.programs().helper(EXAMPLE), setting.sockets(), instance, 0, PATIENCE_SECONDS));
            web.check(SMALL, setting.files().resolve(SMALL));
            return new Running(daemon, web);
        } catch (IOException | InterruptedException | RuntimeException e) {
            daemon.close();
            throw e;
        }
    }

    /** Of one process with 16 connections, whose requests follow each other. */
    private static double webRate(Running side) throws IOException, InterruptedException {
        return Wrk.run(Objects.requireNonNull(side.web()).url(SMALL), Wrk.CONNECTIONS, 1)
                .rate();
    }

    private Ratio measure(Setting setting, Case test, List<Side> sides) throws IOException, InterruptedException {
        Report report = setting.report();
        // Short and many, as in SmallRequests.
        int rounds = setting.quick() ? setting.rounds() : setting.rounds() * 2;
        String unit = test.bulk() ? "MB/s" : "requests/s";
        Rounds.alternate(rounds, sides, (side, round) -> {
            setting.screen().working(test.title() + ", round " + (round + 1) + " of " + rounds);
            report.sample(
                    name(), test.title(), side.title(), RATE, unit, test.load().rate(side.of(round)));
        });
        return report.compareRounds(name(), test.title(), "two loops of one", TWO, ONE, RATE, test.goal());
    }

    /** Of so many clients together, processes with these options of load. Blocks. */
    private static double rate(Setting setting, Running side, boolean bulk, int count, List<Object> options)
            throws IOException {
        List<LoadClient.Running> clients = new ArrayList<>();
        try {
            for (int i = 0; i < count; i++) {
                clients.add(setting.load().start(side.daemon(), options.toArray()));
            }
            double sum = 0;
            for (LoadClient.Running client : clients) {
                LoadClient.Result result = client.result();
                sum += bulk ? result.mb_per_s() : result.rate();
            }
            return sum;
        } finally {
            clients.forEach(LoadClient.Running::close);
        }
    }

    private void print(Setting setting, Case test, Ratio ratio) {
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
                                setting.cell(ratio, test.goal())));
    }
}
