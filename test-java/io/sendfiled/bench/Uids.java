package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A client of one user, which waits for each answer before it asks again, alone and beside a flood of another user's requests:
 * valid ones, malformed ones, and malformed ones that do not wait for room in the queue but are tried again at once.
 *
 * <p>On few processors a flooder takes some of them by itself. The control is the same flood of a second daemon, to which the
 * polite client has nothing to say: what it keeps there is the machine's part. Only root can be several users.
 */
final class Uids implements Scenario {
    private static final String HOW_TO_READ =
            "What a flood costs by taking processors is in \"elsewhere\": the same flood at a daemon of its own, whose loop works "
                    + "for it as well. A flooder that tries again at once (rude) is held to a request a millisecond, but its "
                    + "threads run all the time: with four of them on two processors the polite user waits for a processor "
                    + "most of the time, and has a part of its requests only, here and elsewhere (rate). Among so few each "
                    + "bad request counts, which is received, refused and logged.";

    /** What the other user sends, and how; the options of load. */
    private record Flood(String title, List<Object> options) {
        Flood(String title, Object... options) {
            this(title, List.of(options));
        }
    }

    private static final int POLITE = 54322;
    private static final int RUDE = 54323;
    private static final int SIZE = 4096;
    private static final String FILE = "small-4k";
    private static final int MAX_TRANSFERS = 1000;
    private static final String MEASURED = "uids";
    private static final String CONTROL = "uids-control";
    private static final List<Flood> FLOODS = List.of(
            new Flood("malformed, 1 thread", "--malformed", "--threads", 1),
            new Flood("malformed, 4 threads", "--malformed", "--threads", 4),
            new Flood("malformed, 16 threads", "--malformed", "--threads", 16),
            new Flood("malformed, 4, rude", "--malformed", "--threads", 4, "--rude"),
            new Flood("valid, 1 thread", "--depth", 64, "--threads", 1),
            new Flood("valid, 4 threads", "--depth", 64, "--threads", 4),
            new Flood("valid, 16 threads", "--depth", 64, "--threads", 16));
    private static final Goal KEPT = Goal.atMost(1.2);

    private static final List<Column> COLUMNS = List.of(
            Column.left("another user's flood", 22),
            Column.right("alone", 9),
            Column.right("beside", 9),
            Column.right("ratio", 6),
            Column.right("elsewhere", 10),
            Column.right("flood", 12));

    @Override
    public String name() {
        return "uids";
    }

    @Override
    public String question() {
        return "How much longer does one user wait for 4 KiB while another user floods the daemon?";
    }

    @Override
    public boolean isAboutDaemonOnly() {
        return true;
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        setting.report().note(name(), HOW_TO_READ);
        if (!Programs.isRoot()) {
            setting.leaveOut(name(), "", "only root can be several users");
            return;
        }
        TestFiles.warm(TestFiles.file(setting.files(), FILE, SIZE));
        try (Server daemon = start(setting, MEASURED);
                Server control = start(setting, CONTROL)) {
            setting.load().run(daemon, "--path", FILE, "--depth", 32, "--count", 30_000); // compiled code, a grown heap
            Rounds.alternate(setting.rounds(), FLOODS, (flood, round) -> {
                setting.screen().working(flood.title() + ", round " + (round + 1) + " of " + setting.rounds());
                sample(setting, flood, "alone", polite(setting, daemon));
                beside(setting, daemon, daemon, flood, "beside");
                beside(setting, daemon, control, flood, "elsewhere");
            });
        }
        print(setting);
    }

    private static Server start(Setting setting, String instance) throws IOException, InterruptedException {
        return Server.startDaemon(
                setting.programs(),
                instance,
                MAX_TRANSFERS,
                setting.files(),
                setting.sockets(),
                "--allow-users=" + POLITE + "," + RUDE);
    }

    /** As clients find it by themselves. */
    private static Path lane(Server server, int user) {
        String socket = server.socket().getFileName().toString();
        return server.socket().resolveSibling(socket.replaceFirst("socket$", user + ".lane"));
    }

    private static LoadClient.Result polite(Setting setting, Server daemon) throws IOException, InterruptedException {
        return setting.load()
                .run(
                        daemon,
                        "--socket",
                        lane(daemon, POLITE),
                        "--user",
                        POLITE,
                        "--path",
                        FILE,
                        "--reference",
                        setting.files().resolve(FILE),
                        "--warmup",
                        50,
                        "--seconds",
                        setting.quick() ? 0.3 : 1);
    }

    private void beside(Setting setting, Server daemon, Server flooded, Flood flood, String subject)
            throws IOException, InterruptedException {
        List<Object> options = new ArrayList<>(
                List.of("--socket", lane(flooded, RUDE), "--user", RUDE, "--path", FILE, "--seconds", 60));
        options.addAll(flood.options());
        try (LoadClient.Running other = setting.load().start(flooded, options.toArray())) {
            sample(setting, flood, subject, polite(setting, daemon));
            double rate = other.endWithFailures().rate();
            setting.report().sample(name(), flood.title(), subject, "flood", "requests/s", rate);
        }
    }

    private void sample(Setting setting, Flood flood, String subject, LoadClient.Result result) {
        setting.report().sample(name(), flood.title(), subject, "p50", "us", result.p50_us());
        setting.report().sample(name(), flood.title(), subject, "p99", "us", result.p99_us());
        setting.report().sample(name(), flood.title(), subject, "rate", "requests/s", result.rate());
    }

    private void print(Setting setting) {
        Report report = setting.report();
        setting.screen().header(COLUMNS);
        for (Flood flood : FLOODS) {
            double alone = report.median(name(), flood.title(), "alone", "p50");
            double beside = report.median(name(), flood.title(), "beside", "p50");
            double elsewhere = report.median(name(), flood.title(), "elsewhere", "p50");
            Ratio ratio = report.compareRounds(
                    name(), flood.title(), "median beside it of the median alone", "beside", "alone", "p50", KEPT);
            setting.screen()
                    .row(
                            COLUMNS,
                            List.of(
                                    Cell.of(flood.title()),
                                    Cell.of(Units.micros(alone)),
                                    Cell.of(Units.micros(beside)),
                                    setting.cell(ratio, KEPT),
                                    setting.cell(elsewhere / alone, null),
                                    Cell.faint(Units.rate(report.median(name(), flood.title(), "beside", "flood")))));
        }
    }
}
