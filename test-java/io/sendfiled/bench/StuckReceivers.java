package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * What do transfers cost whose receivers do not read? Memory, processor time while nothing happens, and what each turn of
 * the loop pays for them.
 *
 * <p>One daemon for each number of stuck transfers, all of them up at once, so that their rounds alternate. Half of the
 * transfers are Read File, half are Send File to a UNIX socket.
 */
final class StuckReceivers implements Scenario {
    private static final List<Integer> COUNTS = List.of(0, 10, 100, 1000, 6000);
    private static final List<Integer> QUICK_COUNTS = List.of(0, 10, 1000);
    private static final int SPARE_TRANSFERS = 100; // for the warm requests beside them
    private static final int DESCRIPTORS_EACH = 3; // file, destination, status
    private static final int OTHER_DESCRIPTORS = 500;
    private static final int WARM_CONNECTIONS = 4;
    private static final int KIB = 1024;

    private static final String WARM = "small-4k";
    private static final String BIG = "stuck-8m"; // more than any channel takes
    private static final int WARM_SIZE = 4096;
    private static final int BIG_SIZE = 8 << 20;

    private static final String RESIDENT = "rss a transfer";
    private static final String PROPORTIONAL = "pss a transfer";

    private static final Goal MEMORY_GOAL = Goal.atMost(1);
    /** Of a processor, in percent: what a JVM that does nothing rounds to. */
    private static final Goal IDLE_GOAL = Goal.atMost(0.05);

    private static final Goal MEDIAN_GOAL = Goal.atMost(1.1);
    private static final Goal FLAT = Goal.atMost(1.1);

    private static final int BAR_WIDTH = 11;

    private static final List<Column> COLUMNS = List.of(
            Column.right("stuck", 6),
            Column.right("memory each", 11),
            Column.right("CPU idle", 8),
            Column.right("wakes/s", 7),
            Column.right("warm p50", 8),
            Column.right("ratio", 5),
            Column.right("CPU each", 8),
            Column.left("", BAR_WIDTH));

    private record Side(int stuck, Server daemon, List<LoadClient.Running> holders) implements AutoCloseable {
        @Override
        public void close() {
            holders.forEach(LoadClient.Running::close);
            daemon.close();
        }
    }

    @Override
    public String name() {
        return "stuck";
    }

    @Override
    public String question() {
        return "What do thousands of transfers cost whose receivers do not read?";
    }

    @Override
    public boolean isAboutDaemonOnly() {
        return true;
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        List<Integer> counts = setting.quick() ? QUICK_COUNTS : COUNTS;
        int most = counts.get(counts.size() - 1);
        long needed = (long) (most + SPARE_TRANSFERS) * DESCRIPTORS_EACH + OTHER_DESCRIPTORS;
        if (Machine.openFilesLimit() < needed) {
            String why = "a process may have " + Machine.openFilesLimit() + " open files, " + needed
                    + " are needed for " + most + " transfers (ulimit -Hn)";
            setting.leaveOut(name(), "", why);
            return;
        }
        TestFiles.warm(TestFiles.file(setting.files(), WARM, WARM_SIZE));
        TestFiles.warm(TestFiles.file(setting.files(), BIG, BIG_SIZE));
        List<Side> sides = new ArrayList<>();
        try {
            for (int round = 1; round < (setting.quick() ? 1 : setting.rounds()); round++) {
                start(setting, most, round).close();
            }
            for (int count : counts) {
                sides.add(start(setting, count, 0));
            }
            measureWarm(setting, sides);
            measureIdle(setting, sides);
            compare(setting, counts);
            print(setting, counts);
        } finally {
            sides.forEach(Side::close);
        }
    }

    /** A daemon with so many stuck transfers; its memory is measured before and after. Blocks. */
    private Side start(Setting setting, int count, int round) throws IOException, InterruptedException {
        setting.screen().working("a daemon with " + count + " stuck transfers");
        Server daemon = Server.startDaemon(
                setting.programs(),
                "stuck-" + count + "-" + round,
                Math.max(count, 1) + SPARE_TRANSFERS,
                setting.files(),
                setting.sockets());
        Side side = new Side(count, daemon, new ArrayList<>());
        try {
            warmUp(setting, daemon);
            if (count > 0) {
                long before = Machine.residentBytes(daemon.pid());
                long sharedBefore = Machine.proportionalBytes(daemon.pid());
                side.holders().add(setting.load().stuck(daemon, "read", BIG, count - count / 2));
                side.holders().add(setting.load().stuck(daemon, "send", BIG, count / 2));
                long grown = Machine.residentBytes(daemon.pid()) - before;
                long sharedGrown = Machine.proportionalBytes(daemon.pid()) - sharedBefore;
                setting.report()
                        .sample(name(), testCase(count), "sendfiled", RESIDENT, "KiB", (double) grown / KIB / count);
                setting.report()
                        .sample(
                                name(),
                                testCase(count),
                                "sendfiled",
                                PROPORTIONAL,
                                "KiB",
                                (double) sharedGrown / KIB / count);
            }
            return side;
        } catch (IOException | InterruptedException | RuntimeException e) {
            side.close();
            throw e;
        }
    }

    /** What the first requests cost is not what a transfer costs: compiled code, a heap that has grown, every code path. */
    private void warmUp(Setting setting, Server daemon) throws IOException, InterruptedException {
        for (String operation : List.of("read", "send")) {
            setting.load()
                    .run(
                            daemon,
                            "--op",
                            operation,
                            "--to",
                            "unix",
                            "--path",
                            WARM,
                            "--depth",
                            32,
                            "--count",
                            setting.quick() ? 10_000 : 30_000);
            setting.load()
                    .run(daemon, "--op", operation, "--to", "unix", "--path", BIG, "--threads", 4, "--count", 100);
        }
    }

    private void measureIdle(Setting setting, List<Side> sides) throws IOException, InterruptedException {
        double seconds = setting.quick() ? 2 : 6;
        setting.screen().working("doing nothing for " + seconds + " s");
        List<Server> daemons = sides.stream().map(Side::daemon).toList();
        Report report = setting.report();
        for (int round = 0; round < setting.rounds(); round++) {
            List<LoadClient.Idle.Use> uses =
                    setting.load().idle(seconds / setting.rounds(), daemons).processes();
            for (int i = 0; i < uses.size(); i++) {
                String testCase = testCase(sides.get(i).stuck());
                double percent = uses.get(i).cpu_us_per_s() / 1e6 * 100;
                report.sample(name(), testCase, "sendfiled", "idle", "%", percent);
                report.sample(
                        name(),
                        testCase,
                        "sendfiled",
                        "wakeups",
                        "/s",
                        uses.get(i).wakeups_per_s());
            }
        }
    }

    private void measureWarm(Setting setting, List<Side> sides) throws IOException, InterruptedException {
        int rounds = setting.quick() ? setting.rounds() : setting.rounds() * 2;
        Rounds.alternate(rounds, sides, (side, round) -> {
            setting.screen().working("warm requests, round " + (round + 1) + " of " + rounds);
            LoadClient.Result result = setting.load()
                    .run(
                            side.daemon(),
                            "--path",
                            WARM,
                            "--threads",
                            WARM_CONNECTIONS,
                            "--warmup",
                            100,
                            "--seconds",
                            setting.quick() ? 0.2 : 0.4);
            String testCase = testCase(side.stuck());
            setting.report().sample(name(), testCase, "sendfiled", "p50", "us", result.p50_us());
            setting.report().sample(name(), testCase, "sendfiled", "p99", "us", result.p99_us());
            result.cost().sample(setting.report(), name(), testCase, "sendfiled");
        });
    }

    private static String testCase(int count) {
        return count + " stuck";
    }

    private double median(Setting setting, int count, String metric) {
        return metric(setting, count, metric).median();
    }

    private Report.Metric metric(Setting setting, int count, String metric) {
        return setting.report().metric(name(), testCase(count), "sendfiled", metric);
    }

    private void compare(Setting setting, List<Integer> counts) {
        int most = counts.get(counts.size() - 1);
        int few = counts.get(1);
        Report report = setting.report();
        report.judge(
                name(),
                testCase(most),
                "resident memory a transfer, Java included",
                metric(setting, most, RESIDENT),
                1,
                "KiB",
                MEMORY_GOAL);
        report.judge(
                name(),
                testCase(most),
                "CPU of the idle daemon (with none stuck: " + percent(median(setting, 0, "idle")) + ")",
                metric(setting, most, "idle"),
                1,
                "%",
                IDLE_GOAL);
        report.compare(
                name(),
                testCase(most),
                "warm median, beside them of alone",
                metric(setting, most, "p50"),
                metric(setting, 0, "p50"),
                MEDIAN_GOAL);
        report.compare(
                name(),
                testCase(most),
                "CPU a warm request, of that beside " + few,
                metric(setting, most, Cost.CPU),
                metric(setting, few, Cost.CPU),
                FLAT);
    }

    private void print(Setting setting, List<Integer> counts) {
        setting.screen().header(COLUMNS);
        double highest = counts.stream()
                .mapToDouble(count -> median(setting, count, Cost.CPU))
                .max()
                .orElseThrow();
        int most = counts.get(counts.size() - 1);
        for (int count : counts) {
            boolean judged = count == most;
            double rss = median(setting, count, RESIDENT);
            double idle = median(setting, count, "idle");
            double p50 = median(setting, count, "p50");
            double cpu = median(setting, count, Cost.CPU);
            setting.screen()
                    .row(
                            COLUMNS,
                            List.of(
                                    Cell.of(Units.format("%,d", count)),
                                    setting.cell(
                                            count == 0 ? "" : Units.format("%.2f KiB", rss),
                                            rss,
                                            judged ? MEMORY_GOAL : null,
                                            Tone.FAINT),
                                    setting.cell(percent(idle), idle, judged ? IDLE_GOAL : null, Tone.FAINT),
                                    Cell.faint(Units.format("%.0f", median(setting, count, "wakeups"))),
                                    Cell.of(Units.micros(p50)),
                                    setting.cell(
                                            Ratio.ofRounds(metric(setting, count, "p50"), metric(setting, 0, "p50")),
                                            judged ? MEDIAN_GOAL : null),
                                    Cell.of(Units.format("%.1f µs", cpu)),
                                    Cell.faint("▇".repeat((int) Math.round(cpu / highest * BAR_WIDTH)))));
        }
    }

    private static String percent(double value) {
        return Units.format("%.3f %%", value);
    }
}
