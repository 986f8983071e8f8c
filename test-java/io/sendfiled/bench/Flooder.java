package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Eight polite clients and a ninth one: another polite one, which shows what a fair share is; one that always wants 2,048
 * requests under way; one that besides does not wait for room in the request socket's queue but tries again at once.
 *
 * <p>Each client is a process with one thread, and all want as much as they can get: on few processors they compete for those
 * as well, the ninth in all cases alike. The fairness index is Jain's, over the rates of the eight: 1 when all are the
 * same, 1/8 when one has everything. A client with many threads gets more than one with few: the kernel lets the threads that
 * wait for room in the queue go on in turn, and so it does with processors; nothing of that is the daemon's to decide.
 */
final class Flooder implements Scenario {
    private static final String HOW_TO_READ =
            "What a ninth client costs the eight by taking processors is in \"elsewhere\": the same flooder at a daemon of its "
                    + "own, to which the eight have nothing to say. One that tries again at once instead of waiting for room "
                    + "(rude) runs all the time, and on two processors the scheduler gives it its share of them. Who may not "
                    + "take that much needs a limit of processors, a cgroup's: no server can give back what its clients "
                    + "use.";

    /** Who the ninth is, whether it has a daemon of its own, and its options for load. */
    private record Ninth(String title, boolean elsewhere, List<Object> options) {
        /** What is judged beside it: nothing beside a control. */
        @Nullable
        Goal judged(Goal goal) {
            return elsewhere ? null : goal;
        }
    }

    private static final int POLITE = 8;
    private static final int DEPTH = 4;
    private static final int FLOOD = 2048;
    private static final int SIZE = 4096;
    private static final String FILE = "small-4k";
    private static final List<Object> POLITE_FLOOD = List.of("--depth", FLOOD);
    private static final List<Object> RUDE_FLOOD = List.of("--depth", FLOOD, "--rude");
    private static final Ninth LIKE_THEM = new Ninth("a ninth like them", false, List.of("--depth", DEPTH));
    private static final List<Ninth> NINTHS = List.of(
            LIKE_THEM,
            new Ninth("a flooder", false, POLITE_FLOOD),
            new Ninth("flooder, elsewhere", true, POLITE_FLOOD),
            new Ninth("a rude flooder", false, RUDE_FLOOD),
            new Ninth("rude, elsewhere", true, RUDE_FLOOD));
    private static final Goal FAIR = Goal.atLeast(0.9);
    private static final Goal KEPT = Goal.atLeast(0.75);

    private static final List<Column> COLUMNS = List.of(
            Column.left("eight beside", 18),
            Column.right("their rate", 10),
            Column.right("ratio", 5),
            Column.right("fairness", 8),
            Column.right("p99", 7),
            Column.right("the ninth's", 11),
            Column.right("refused", 7));

    @Override
    public String name() {
        return "flooder";
    }

    @Override
    public String question() {
        return "What do eight polite clients keep beside one that wants everything?";
    }

    @Override
    public boolean isAboutDaemonOnly() {
        return true;
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        setting.report().note(name(), HOW_TO_READ);
        TestFiles.warm(TestFiles.file(setting.files(), FILE, SIZE));
        try (Server daemon = Server.start(setting.programs(), Server.Kind.DAEMON, setting.files(), setting.sockets());
                Server control =
                        Server.startDaemon(setting.programs(), "flooder-control", setting.files(), setting.sockets())) {
            setting.load().run(daemon, "--path", FILE, "--depth", 32, "--count", 30_000); // compiled code, a grown heap
            Rounds.alternate(setting.rounds(), NINTHS, (ninth, round) -> {
                setting.screen().working(ninth.title() + ", round " + (round + 1) + " of " + setting.rounds());
                measure(setting, daemon, ninth.elsewhere() ? control : daemon, ninth);
            });
        }
        judge(setting.report());
        print(setting);
    }

    private void measure(Setting setting, Server daemon, Server flooded, Ninth ninth)
            throws IOException, InterruptedException {
        double seconds = setting.quick() ? 0.5 : 1;
        Report report = setting.report();
        List<LoadClient.Running> polite = new ArrayList<>();
        LoadClient.Result rest;
        List<LoadClient.Result> results = new ArrayList<>();
        /* Longer than all others: it is there all the time. */
        LoadClient.Running other = setting.load().start(flooded, options(setting, 60, ninth.options()));
        try {
            for (int i = 0; i < POLITE; i++) {
                polite.add(setting.load().start(daemon, options(setting, seconds, List.of("--depth", DEPTH))));
            }
            for (LoadClient.Running client : polite) {
                results.add(client.result()); // demands that none of its requests failed
            }
            rest = ninth.equals(LIKE_THEM) ? other.end() : other.endWithFailures();
        } finally {
            polite.forEach(LoadClient.Running::close);
            other.close();
        }
        double[] rates = results.stream().mapToDouble(LoadClient.Result::rate).toArray();
        report.sample(name(), ninth.title(), "polite", "rate", "requests/s", sum(rates));
        report.sample(name(), ninth.title(), "polite", "fairness", "index", fairness(rates));
        report.sample(
                name(),
                ninth.title(),
                "polite",
                "p99",
                "us",
                Units.median(
                        results.stream().mapToDouble(LoadClient.Result::p99_us).toArray()));
        report.sample(name(), ninth.title(), "ninth", "rate", "requests/s", rest.rate());
        report.sample(name(), ninth.title(), "ninth", "refused", "of 1", (double) rest.failures() / rest.requests());
    }

    private static Object[] options(Setting setting, double seconds, List<Object> more) {
        List<Object> options = new ArrayList<>(List.of(
                "--path", FILE, "--reference", setting.files().resolve(FILE), "--warmup", 50, "--seconds", seconds));
        options.addAll(more);
        return options.toArray();
    }

    private static double sum(double[] values) {
        double sum = 0;
        for (double value : values) {
            sum += value;
        }
        return sum;
    }

    private static double fairness(double[] rates) {
        double squares = 0;
        for (double rate : rates) {
            squares += rate * rate;
        }
        return sum(rates) * sum(rates) / (rates.length * squares);
    }

    private void judge(Report report) {
        for (Ninth ninth : NINTHS) {
            report.judge(
                    name(),
                    ninth.title(),
                    "fairness index over the eight",
                    report.metric(name(), ninth.title(), "polite", "fairness"),
                    1,
                    "",
                    ninth.judged(FAIR));
            if (!ninth.equals(LIKE_THEM)) {
                report.compare(
                        name(),
                        ninth.title(),
                        "rate of the eight, beside it of beside a ninth like them",
                        report.metric(name(), ninth.title(), "polite", "rate"),
                        report.metric(name(), LIKE_THEM.title(), "polite", "rate"),
                        ninth.judged(KEPT));
            }
        }
    }

    private void print(Setting setting) {
        Report report = setting.report();
        Report.Metric fair = report.metric(name(), LIKE_THEM.title(), "polite", "rate");
        setting.screen().header(COLUMNS);
        for (Ninth ninth : NINTHS) {
            Report.Metric rate = report.metric(name(), ninth.title(), "polite", "rate");
            double index = report.median(name(), ninth.title(), "polite", "fairness");
            setting.screen()
                    .row(
                            COLUMNS,
                            List.of(
                                    Cell.of(ninth.title()),
                                    Cell.of(Units.rate(rate.median())),
                                    ninth.equals(LIKE_THEM)
                                            ? Cell.faint("1")
                                            : setting.cell(Ratio.ofRounds(rate, fair), ninth.judged(KEPT)),
                                    setting.cell(index, ninth.judged(FAIR)),
                                    Cell.of(Units.micros(report.median(name(), ninth.title(), "polite", "p99"))),
                                    Cell.faint(Units.rate(report.median(name(), ninth.title(), "ninth", "rate"))),
                                    Cell.faint(Units.format(
                                            "%.0f %%",
                                            report.median(name(), ninth.title(), "ninth", "refused") * 100))));
        }
    }
}
