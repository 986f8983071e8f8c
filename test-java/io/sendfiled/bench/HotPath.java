package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Warm files from C: the example of an HTTP server with the daemon beside it, and nginx. Then what a warm file costs that
 * the daemon does not own, of one that it owns.
 */
final class HotPath implements Scenario {
    private static final int LARGE = 1 << 20;
    private static final String LARGE_FILE = "large-1m";
    private static final String OTHERS = "another user's file";
    private static final String OWN = "its own file";
    private static final String INSTANCE = "hot";
    private static final String EXAMPLE = "http_open_server";
    private static final int OWNER_ROUNDS = 3; // times as many: what is looked for is smaller than what a round wanders
    private static final String NGINX = ExampleBesideNginx.NGINX;
    private static final String WEB = ExampleBesideNginx.CASE;
    private static final String OWNERS = "1 MiB";
    private static final Goal OF_NGINX = Goal.atLeast(1.2);
    private static final Goal OF_OWN = Goal.atLeast(0.95);

    private static final List<Column> COLUMNS = List.of(
            Column.left("warm", 15),
            Column.left("server", 19),
            Column.right("requests", 11),
            Column.right("p99", 8),
            Column.right("ratio", 6),
            Column.right("CPU each", 9));

    @Override
    public String name() {
        return "hot";
    }

    @Override
    public String question() {
        return "Is a warm file served as fast as by who waits for disks?";
    }

    @Override
    public boolean isAboutDaemonOnly() {
        return true;
    }

    @Override
    public void run(Setting setting) throws InterruptedException {
        setting.screen().header(COLUMNS);
        setting.attempt(this, WEB, () -> measureWeb(setting));
        setting.attempt(this, OWNERS, () -> measureOwners(setting));
    }

    private void measureWeb(Setting setting) throws IOException, InterruptedException {
        if (!ExampleBesideNginx.measure(setting, name(), EXAMPLE, List.of(setting.files()))) {
            return;
        }
        Ratio ratio = setting.report()
                .compareRounds(name(), WEB, "requests of those of nginx", EXAMPLE, NGINX, WebSide.RATE, OF_NGINX);
        print(setting, WEB, EXAMPLE, ratio, OF_NGINX);
        print(setting, WEB, NGINX, Ratio.of(Double.NaN), null);
    }

    private void measureOwners(Setting setting) throws IOException, InterruptedException {
        if (!Programs.isRoot()) {
            String why = "the benchmark owns no privilege, and so the daemon owns what it serves";
            setting.leaveOut(name(), OWNERS, why);
            return;
        }
        // One file, whose owner changes: another one would lie elsewhere in memory, which is worth more than the
        // difference.
        Path file = TestFiles.file(setting.files(), LARGE_FILE, LARGE);
        TestFiles.warm(file);
        try (Server daemon = Server.startDaemon(setting.programs(), INSTANCE, setting.files(), setting.sockets())) {
            int rounds = (setting.quick() ? 1 : OWNER_ROUNDS) * WebSide.rounds(setting);
            Rounds.alternate(rounds, List.of(OTHERS, OWN), (side, round) -> {
                setting.screen().working(side + ", round " + (round + 1) + " of " + rounds);
                Files.setAttribute(file, "unix:uid", side.equals(OWN) ? Stage.OTHER_USER : 0);
                LoadClient.Result result = setting.load()
                        .run(
                                daemon,
                                "--op",
                                "send",
                                "--to",
                                "tcp",
                                "--path",
                                LARGE_FILE,
                                "--seconds",
                                0.5,
                                "--warmup",
                                200);
                Report report = setting.report();
                report.sample(name(), OWNERS, side, WebSide.RATE, "requests/s", result.rate());
                report.sample(name(), OWNERS, side, WebSide.P99, "us", result.p99_us());
                result.cost().sample(report, name(), OWNERS, side);
            });
        }
        Ratio ratio = setting.report()
                .compareRounds(name(), OWNERS, "of a file that the daemon owns", OTHERS, OWN, WebSide.RATE, OF_OWN);
        print(setting, OWNERS, OTHERS, ratio, OF_OWN);
        print(setting, OWNERS, OWN, Ratio.of(Double.NaN), null);
    }

    private void print(Setting setting, String testCase, String subject, Ratio ratio, @Nullable Goal goal) {
        Report report = setting.report();
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                Cell.of(testCase),
                                Cell.of(subject),
                                Cell.of(Units.rate(report.median(name(), testCase, subject, WebSide.RATE))),
                                Cell.of(Units.micros(report.median(name(), testCase, subject, WebSide.P99))),
                                setting.cell(ratio, goal),
                                Cell.of(Units.micros(report.median(name(), testCase, subject, Cost.CPU)))));
    }
}
