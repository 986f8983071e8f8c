package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Warm 4 KiB files: requests a second, latency, and what one costs the server. */
final class SmallRequests implements Scenario {
    private static final String HOW_TO_READ =
            "Judged is the daemon without its sandbox, because the yardsticks have none; the row with "
                    + "it tells what the sandbox costs. For each datagram the daemon does what they do not: it "
                    + "decides who may have what, counts, holds limits, and takes turns among clients. Sessions "
                    + "are the way out: the scenario of that name.";

    private record Case(
            String title,
            String operation,
            int depth,
            @Nullable Goal rateGoal,
            @Nullable Goal cpuGoal) {}

    /** What the rest is compared with. */
    private static final Server.Kind BASE = Server.Kind.UNCONFINED;

    private static final int SIZE = 4096;
    private static final String FILE = "small-4k";
    private static final Goal AS_FAST_AS_THE_ORIGINAL = Goal.atLeast(1.0);
    private static final Goal NEARLY_THE_FEWEST = Goal.atMost(1.25);

    private static final List<Case> CASES = List.of(
            new Case("Read File, depth 1", "read", 1, null, null),
            new Case("Read File, depth 32", "read", 32, AS_FAST_AS_THE_ORIGINAL, NEARLY_THE_FEWEST),
            new Case("Send File, depth 32", "send", 32, AS_FAST_AS_THE_ORIGINAL, NEARLY_THE_FEWEST));

    private static final List<Column> COLUMNS = List.of(
            Column.left("4 KiB, warm", 19),
            Column.right("requests", 10),
            Column.right("ratio", 5),
            Column.right("p50", 7),
            Column.right("p99", 7),
            Column.right("CPU", 7),
            Column.right("ratio", 5),
            Column.right("PSS", 4));

    @Override
    public String name() {
        return "small";
    }

    @Override
    public String question() {
        return "How many small requests a second, beside the fewest calls and the original's?";
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        setting.report().note(name(), HOW_TO_READ);
        TestFiles.warm(TestFiles.file(setting.files(), FILE, SIZE));
        Map<Server.Kind, Server> servers = new LinkedHashMap<>();
        try {
            for (Server.Kind kind : setting.servers()) {
                servers.put(kind, Server.start(setting.programs(), kind, setting.files(), setting.sockets()));
            }
            for (Case test : CASES) {
                measure(setting, test, servers);
                print(setting, test);
            }
        } finally {
            servers.values().forEach(Server::close);
        }
    }

    private void measure(Setting setting, Case test, Map<Server.Kind, Server> servers)
            throws IOException, InterruptedException {
        Report report = setting.report();
        // Short and many: where the scheduler puts two processes on two CPUs decides more than a longer run averages.
        int rounds = setting.quick() ? setting.rounds() : setting.rounds() * 3;
        Rounds.alternate(rounds, List.copyOf(servers.entrySet()), (entry, round) -> {
            setting.screen().working(test.title() + ", round " + (round + 1) + " of " + rounds);
            Server server = entry.getValue();
            LoadClient.Result result = setting.load()
                    .run(
                            server,
                            "--op",
                            test.operation(),
                            "--to",
                            "unix",
                            "--path",
                            FILE,
                            "--reference",
                            setting.files().resolve(FILE),
                            "--depth",
                            test.depth(),
                            "--warmup",
                            round == 0 ? 20_000 : 500,
                            "--seconds",
                            setting.quick() ? 0.2 : 0.3);
            result.sample(report, name(), test.title(), entry.getKey().title);
        });
        compare(report, test, "sendfiled of the original's calls, rate", "rate", Server.Kind.ORIGINAL, test.rateGoal());
        compare(report, test, "sendfiled of the fewest calls, rate", "rate", Server.Kind.FEWEST, null);
        compare(
                report,
                test,
                "server CPU a request, sendfiled of the fewest calls",
                Cost.CPU,
                Server.Kind.FEWEST,
                test.cpuGoal());
        compare(
                report,
                test,
                "server CPU a request, without the sandbox of with it",
                Cost.CPU,
                Server.Kind.DAEMON,
                null);
    }

    /** Like with like: what stands beside it has no sandbox. */
    private void compare(
            Report report, Case test, String what, String quantity, Server.Kind other, @Nullable Goal goal) {
        report.compareRounds(name(), test.title(), what, BASE.title, other.title, quantity, goal);
    }

    /** Of ours to another's. */
    private Ratio ratio(Report report, Case test, Server.Kind other, String quantity) {
        return Ratio.ofRounds(
                report.metric(name(), test.title(), BASE.title, quantity),
                report.metric(name(), test.title(), other.title, quantity));
    }

    private void print(Setting setting, Case test) {
        Report report = setting.report();
        setting.screen().header(test.title(), COLUMNS);
        for (Server.Kind kind : setting.servers()) {
            double rate = report.median(name(), test.title(), kind.title, "rate");
            Tone tone = kind == BASE || kind == Server.Kind.DAEMON ? Tone.PLAIN : Tone.FAINT;
            double cpu = report.median(name(), test.title(), kind.title, Cost.CPU);
            double memory = report.median(name(), test.title(), kind.title, Cost.MEMORY);
            boolean isOurs = kind == BASE;
            Goal rateGoal = kind == Server.Kind.ORIGINAL ? test.rateGoal() : null;
            Goal cpuGoal = kind == Server.Kind.FEWEST ? test.cpuGoal() : null;
            setting.screen()
                    .row(
                            COLUMNS,
                            List.of(
                                    new Cell(kind.title, tone),
                                    new Cell(Units.rate(rate), tone),
                                    isOurs
                                            ? Cell.faint("1")
                                            : setting.cell(ratio(report, test, kind, "rate"), rateGoal),
                                    new Cell(
                                            Units.micros(report.median(name(), test.title(), kind.title, "p50")), tone),
                                    new Cell(
                                            Units.micros(report.median(name(), test.title(), kind.title, "p99")), tone),
                                    new Cell(Units.micros(cpu), tone),
                                    isOurs
                                            ? Cell.faint("1")
                                            : setting.cell(ratio(report, test, kind, Cost.CPU), cpuGoal),
                                    new Cell(Units.format("%.0f M", memory), tone)));
        }
    }
}
