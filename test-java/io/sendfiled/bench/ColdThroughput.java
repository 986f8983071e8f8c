package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Cold files from the slow disk, all at once: how close to as many cat(1) processes? */
final class ColdThroughput implements Scenario {
    private static final List<Integer> COUNTS = List.of(1, 16);
    private static final Goal GOAL = Goal.atLeast(0.9);
    private static final String SPEED = "throughput";
    private static final String CATS = "cat";
    private static final String DAEMON = Server.Kind.DAEMON.title;

    private static final List<Column> COLUMNS = List.of(
            Column.left("4 MiB, cold, 20 ms a read", 26),
            Column.right("cat", 10),
            Column.right("sendfiled", 10),
            Column.right("of cat", 8));

    @Override
    public String name() {
        return "disk";
    }

    @Override
    public String question() {
        return "How much of a slow disk do cold files get, beside as many cat processes?";
    }

    @Override
    public boolean isAboutDaemonOnly() {
        return true;
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        if (!ColdFiles.available(setting, name())) {
            return;
        }
        int rounds = setting.quick() ? setting.rounds() : setting.rounds() * 2;
        try (ColdFiles files = ColdFiles.mount(setting, COUNTS.get(COUNTS.size() - 1));
                Server daemon =
                        Server.start(setting.programs(), Server.Kind.DAEMON, setting.files(), setting.sockets())) {
            setting.screen().header(COLUMNS);
            for (int count : COUNTS) {
                once(setting, files, count, daemon); // The first of a device makes its threads.
                Rounds.alternate(rounds, List.of(CATS, DAEMON), (side, round) -> {
                    setting.screen().working(title(count) + ", round " + (round + 1) + " of " + rounds);
                    double speed = side.equals(CATS)
                            ? setting.load().cats(files.paths(count)).mb_per_s()
                            : once(setting, files, count, daemon);
                    setting.report().sample(name(), title(count), side, SPEED, "MB/s", speed);
                });
                compare(setting, count);
            }
        }
    }

    private static double once(Setting setting, ColdFiles files, int count, Server daemon)
            throws IOException, InterruptedException {
        List<Object> options = new ArrayList<>(files.loadOptions(count));
        options.addAll(List.of("--count", count));
        return setting.load().run(daemon, options.toArray()).mb_per_s();
    }

    private void compare(Setting setting, int count) {
        Report report = setting.report();
        double cats = report.median(name(), title(count), CATS, SPEED);
        double ours = report.median(name(), title(count), DAEMON, SPEED);
        Ratio ratio = report.compareRounds(
                name(), title(count), "throughput, sendfiled of as many cat", DAEMON, CATS, SPEED, GOAL);
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                Cell.of(title(count)),
                                Cell.faint(Units.megabytesPerSecond(cats)),
                                Cell.of(Units.megabytesPerSecond(ours)),
                                setting.cell(ratio, GOAL)));
    }

    private static String title(int count) {
        return count == 1 ? "1 cold file" : count + " cold files";
    }
}
