package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Warm 4 KiB files over a session, beside this daemon's own datagrams and the original's sequence of calls; and through the Java
 * client, beside the C client.
 */
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
        UNCACHED("session, no cache"),
        JAVA("Java, session"),
        JAVA_CACHED("Java, path");

        final String title;

        Side(String title) {
            this.title = title;
        }

        boolean isJava() {
            return this == JAVA || this == JAVA_CACHED;
        }

        boolean isByPath() {
            return this == CACHED || this == UNCACHED || this == JAVA_CACHED;
        }

        /** What it is to be faster than. */
        Side yardstick() {
            return switch (this) {
                case JAVA -> SESSION;
                case JAVA_CACHED -> CACHED;
                default -> DATAGRAM;
            };
        }
    }

    /**
     * One operation at one depth.
     *
     * @param faster than their yardsticks: the goals of sides
     */
    private record Case(String title, String operation, int depth, List<Side> sides, Map<Side, Goal> faster) {
        String operation(Side side) {
            return operation + (side.isByPath() ? "-path" : "");
        }
    }

    private static final String HOW_TO_READ =
            "Where no file is kept open (no cache), a request by path has five system calls of its own: it opens a file, looks "
                    + "at it, reads, sends and closes it. A datagram's has thirteen, but the two that cost the most, to open "
                    + "and to send, are in both.";
    private static final Goal OF_C = Goal.atLeast(0.7);

    /** Those that answer. */
    private record Servers(Server original, Server daemon, Server uncached) {
        Server of(Side side) {
            return switch (side) {
                case ORIGINAL -> original;
                case UNCACHED -> uncached;
                default -> daemon;
            };
        }
    }

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
                            Goal.atLeast(2),
                            Side.JAVA,
                            OF_C,
                            Side.JAVA_CACHED,
                            OF_C)),
            new Case(
                    "Read, depth 32",
                    "read",
                    DEEP,
                    List.of(Side.ORIGINAL, Side.DATAGRAM, Side.SESSION, Side.JAVA),
                    Map.of(Side.SESSION, Goal.atLeast(8), Side.JAVA, OF_C)),
            new Case(
                    "Send, depth 1",
                    "send",
                    1,
                    List.of(Side.ORIGINAL, Side.DATAGRAM, Side.SESSION, Side.CACHED),
                    Map.of(Side.SESSION, Goal.atLeast(1), Side.CACHED, Goal.atLeast(1))));

    /** Requests that are not measured: of the first round, and of each after it. */
    private static final int COLD = 20_000;
    /** Until a JVM has compiled what asks. */
    private static final int COLD_JAVA = 400_000;

    private static final int WARMUP = 1_000;

    private static final Goal QUARTER = Goal.atMost(0.25);
    private static final Goal NOT_LATER = Goal.atMost(1.0);

    private static final List<Column> COLUMNS = List.of(
            Column.left("4 KiB, warm", 17),
            Column.right("requests", 10),
            Column.right("ratio", 11),
            Column.right("p50", 7),
            Column.right("p99", 7),
            Column.right("CPU", 7),
            Column.right("ratio", 5));

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
        setting.report().note(name(), HOW_TO_READ);
        TestFiles.warm(TestFiles.file(setting.files(), FILE, SIZE));
        try (Server original =
                        Server.start(setting.programs(), Server.Kind.ORIGINAL, setting.files(), setting.sockets());
                Server daemon =
                        Server.start(setting.programs(), Server.Kind.DAEMON, setting.files(), setting.sockets());
                Server uncached = Server.startDaemon(
                        setting.programs(), "uncached", 1000, setting.files(), setting.sockets(), "--open-files=0")) {
            Servers servers = new Servers(original, daemon, uncached);
            for (Case test : CASES) {
                measure(setting, test, servers);
                compare(setting.report(), test);
                print(setting, test);
            }
        }
        new SessionsBeside(this).run(setting);
    }

    private void measure(Setting setting, Case test, Servers servers) throws IOException, InterruptedException {
        Map<Side, JavaLoad> java = new EnumMap<>(Side.class);
        try {
            for (Side side : test.sides()) {
                if (side.isJava()) {
                    java.put(side, startJava(setting, test, side, servers.of(side)));
                }
            }
            int rounds = setting.quick() ? setting.rounds() : setting.rounds() * 2;
            Rounds.alternate(rounds, test.sides(), (side, round) -> {
                setting.screen().working(test.title() + ", " + side.title);
                double seconds = setting.quick() ? 0.2 : 0.4;
                JavaLoad load = java.get(side);
                LoadClient.Result result = load == null
                        ? measure(setting, test, side, servers.of(side), round, seconds)
                        : load.measure(round > 0 ? WARMUP : setting.quick() ? COLD : COLD_JAVA, seconds);
                result.sample(setting.report(), name(), test.title(), side.title);
            });
        } finally {
            java.values().forEach(JavaLoad::close);
        }
    }

    private JavaLoad startJava(Setting setting, Case test, Side side, Server server) throws IOException {
        return setting.load()
                .javaSession(
                        server,
                        test.operation(side),
                        FILE,
                        setting.files().resolve(FILE).toAbsolutePath(),
                        test.depth());
    }

    private LoadClient.Result measure(Setting setting, Case test, Side side, Server server, int round, double seconds)
            throws IOException, InterruptedException {
        boolean byDatagrams = side == Side.ORIGINAL || side == Side.DATAGRAM;
        List<Object> options = new ArrayList<>(List.of(
                "--op",
                test.operation(side),
                "--path",
                FILE,
                "--reference",
                setting.files().resolve(FILE),
                "--depth",
                test.depth(),
                "--warmup",
                round == 0 ? COLD : WARMUP,
                "--seconds",
                seconds));
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
                    side.yardstick(),
                    "rate",
                    side.isJava() ? "requests, of the C client's" : "requests, of datagrams'",
                    test.faster().get(side));
            compare(
                    report,
                    test,
                    side,
                    Side.DATAGRAM,
                    Cost.CPU,
                    "server CPU a request, of datagrams'",
                    cpuGoal(test, side));
            if (test.depth() == 1) {
                compare(report, test, side, Side.DATAGRAM, "p50", "p50, of datagrams'", NOT_LATER);
                compare(report, test, side, Side.DATAGRAM, "p99", "p99, of datagrams'", NOT_LATER);
            }
        }
    }

    private static @Nullable Goal cpuGoal(Case test, Side side) {
        return side == Side.SESSION && test.depth() == DEEP ? QUARTER : null;
    }

    private void compare(
            Report report, Case test, Side side, Side of, String quantity, String what, @Nullable Goal goal) {
        report.compareRounds(name(), test.title(), side.title + ", " + what, side.title, of.title, quantity, goal);
    }

    private Ratio ratio(Report report, Case test, Side side, Side of, String quantity) {
        return Ratio.ofRounds(
                report.metric(name(), test.title(), side.title, quantity),
                report.metric(name(), test.title(), of.title, quantity));
    }

    /** Of datagrams, or of C. */
    private Cell rateCell(Setting setting, Case test, Side side) {
        if (side == Side.DATAGRAM) {
            return Cell.faint("1");
        }
        Cell cell = setting.cell(
                ratio(setting.report(), test, side, side.yardstick(), "rate"),
                test.faster().get(side));
        return side.isJava() ? new Cell(cell.text() + " of C's", cell.tone()) : cell;
    }

    private void print(Setting setting, Case test) {
        Report report = setting.report();
        setting.screen().header(test.title(), COLUMNS);
        for (Side side : test.sides()) {
            Tone tone = side.compareTo(Side.SESSION) >= 0 ? Tone.PLAIN : Tone.FAINT;
            double rate = report.median(name(), test.title(), side.title, "rate");
            double cpu = report.median(name(), test.title(), side.title, Cost.CPU);
            setting.screen()
                    .row(
                            COLUMNS,
                            List.of(
                                    new Cell(side.title, tone),
                                    new Cell(Units.rate(rate), tone),
                                    rateCell(setting, test, side),
                                    new Cell(
                                            Units.micros(report.median(name(), test.title(), side.title, "p50")), tone),
                                    new Cell(
                                            Units.micros(report.median(name(), test.title(), side.title, "p99")), tone),
                                    new Cell(Units.micros(cpu), tone),
                                    side == Side.DATAGRAM
                                            ? Cell.faint("1")
                                            : setting.cell(
                                                    ratio(report, test, side, Side.DATAGRAM, Cost.CPU),
                                                    cpuGoal(test, side))));
        }
    }
}
