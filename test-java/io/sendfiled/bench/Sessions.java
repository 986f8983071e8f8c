package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Warm 4 KiB files over a session, beside this daemon's own datagrams and the original's sequence of calls. */
final class Sessions implements Scenario {
    private static final int SIZE = 4096;
    private static final String FILE = "session-4k";
    private static final int DEEP = 32;

    /** Who asks, and how. */
    private enum Side {
        ORIGINAL("original's calls"),
        DATAGRAM("datagrams"),
        SESSION("session"),
        CACHED("session, path"),
        UNCACHED("session, no cache");

        final String title;

        Side(String title) {
            this.title = title;
        }
    }

    /**
     * One operation at one depth.
     *
     * @param faster than datagrams: the goals of sides
     */
    private record Case(String title, String operation, int depth, List<Side> sides, Map<Side, Goal> faster) {}

    private static final List<Case> CASES = List.of(
            new Case(
                    "Send, depth 32",
                    "send",
                    DEEP,
                    List.of(Side.values()),
                    Map.of(
                            Side.SESSION,
                            Goal.atLeast(5),
                            Side.CACHED,
                            Goal.atLeast(4),
                            Side.UNCACHED,
                            Goal.atLeast(2))),
            new Case(
                    "Read, depth 32",
                    "read",
                    DEEP,
                    List.of(Side.ORIGINAL, Side.DATAGRAM, Side.SESSION),
                    Map.of(Side.SESSION, Goal.atLeast(8))),
            new Case(
                    "Send, depth 1",
                    "send",
                    1,
                    List.of(Side.ORIGINAL, Side.DATAGRAM, Side.SESSION, Side.CACHED),
                    Map.of(Side.SESSION, Goal.atLeast(1), Side.CACHED, Goal.atLeast(1))));

    private static final Goal QUARTER = Goal.atMost(0.25);
    private static final Goal NOT_LATER = Goal.atMost(1.0);

    private static final List<Column> COLUMNS = List.of(
            Column.left("4 KiB, warm", 16),
            Column.left("asked by", 18),
            Column.right("requests", 11),
            Column.right("p50", 8),
            Column.right("p99", 8),
            Column.right("of datagrams", 12),
            Column.right("CPU each", 9),
            Column.right("CPU ratio", 9));

    @Override
    public String name() {
        return "sessions";
    }

    @Override
    public String question() {
        return "How many small requests a second over a session, beside datagrams?";
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        TestFiles.warm(TestFiles.file(setting.files(), FILE, SIZE));
        try (Server original =
                        Server.start(setting.programs(), Server.Kind.ORIGINAL, setting.files(), setting.sockets());
                Server daemon =
                        Server.start(setting.programs(), Server.Kind.DAEMON, setting.files(), setting.sockets());
                Server uncached = Server.startDaemon(
                        setting.programs(), "uncached", 1000, setting.files(), setting.sockets(), "--open-files=0")) {
            setting.screen().header(COLUMNS);
            for (Case test : CASES) {
                Rounds.alternate(setting.rounds() * 2, test.sides(), (side, round) -> {
                    setting.screen().working(test.title() + ", " + side.title);
                    Server server =
                            switch (side) {
                                case ORIGINAL -> original;
                                case UNCACHED -> uncached;
                                default -> daemon;
                            };
                    measure(setting, test, side, server, round)
                            .sample(setting.report(), name(), test.title(), side.title);
                });
                compare(setting.report(), test);
                print(setting, test);
            }
        }
        new SessionsBeside(this).run(setting);
    }

    private LoadClient.Result measure(Setting setting, Case test, Side side, Server server, int round)
            throws IOException, InterruptedException {
        boolean byDatagrams = side == Side.ORIGINAL || side == Side.DATAGRAM;
        boolean byPath = side == Side.CACHED || side == Side.UNCACHED;
        List<Object> options = new ArrayList<>(List.of(
                "--op",
                test.operation() + (byPath ? "-path" : ""),
                "--path",
                FILE,
                "--reference",
                setting.files().resolve(FILE),
                "--depth",
                test.depth(),
                "--warmup",
                round == 0 ? 20_000 : 1_000,
                "--seconds",
                setting.quick() ? 0.2 : 0.4));
        if (!byDatagrams) {
            return setting.load().session(server, options.toArray());
        }
        options.addAll(List.of("--to", "unix"));
        return setting.load().run(server, options.toArray());
    }

    private void compare(Report report, Case test) {
        for (Side side : test.sides()) {
            if (side == Side.ORIGINAL || side == Side.DATAGRAM) {
                continue;
            }
            compare(
                    report,
                    test,
                    side,
                    "rate",
                    "requests, of datagrams'",
                    test.faster().get(side));
            compare(report, test, side, "server-cpu", "server CPU a request, of datagrams'", cpuGoal(test, side));
            if (test.depth() == 1) {
                compare(report, test, side, "p50", "p50, of datagrams'", NOT_LATER);
                compare(report, test, side, "p99", "p99, of datagrams'", NOT_LATER);
            }
        }
    }

    private static @Nullable Goal cpuGoal(Case test, Side side) {
        return side == Side.SESSION && test.depth() == DEEP ? QUARTER : null;
    }

    private void compare(Report report, Case test, Side side, String quantity, String what, @Nullable Goal goal) {
        report.compareRounds(
                name(), test.title(), side.title + ", " + what, side.title, Side.DATAGRAM.title, quantity, goal);
    }

    private Ratio ratio(Report report, Case test, Side side, String quantity) {
        return Ratio.ofRounds(
                report.metric(name(), test.title(), side.title, quantity),
                report.metric(name(), test.title(), Side.DATAGRAM.title, quantity));
    }

    private void print(Setting setting, Case test) {
        Report report = setting.report();
        boolean first = true;
        for (Side side : test.sides()) {
            Tone tone = side.compareTo(Side.SESSION) >= 0 ? Tone.PLAIN : Tone.FAINT;
            double rate = report.median(name(), test.title(), side.title, "rate");
            double cpu = report.median(name(), test.title(), side.title, "server-cpu");
            setting.screen()
                    .row(
                            COLUMNS,
                            List.of(
                                    Cell.of(first ? test.title() : ""),
                                    new Cell(side.title, tone),
                                    new Cell(Units.rate(rate), tone),
                                    new Cell(
                                            Units.micros(report.median(name(), test.title(), side.title, "p50")), tone),
                                    new Cell(
                                            Units.micros(report.median(name(), test.title(), side.title, "p99")), tone),
                                    side == Side.DATAGRAM
                                            ? Cell.faint("1")
                                            : Bench.ratioCell(
                                                    ratio(report, test, side, "rate"),
                                                    test.faster().get(side)),
                                    new Cell(Units.micros(cpu), tone),
                                    side == Side.DATAGRAM
                                            ? Cell.faint("1")
                                            : Bench.ratioCell(
                                                    ratio(report, test, side, "server-cpu"), cpuGoal(test, side))));
            first = false;
        }
    }
}
