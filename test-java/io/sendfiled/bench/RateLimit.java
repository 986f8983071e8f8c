package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.util.List;

/** Transfers that are to be slow: do they keep to their rate, and what does it cost to hold them back? */
final class RateLimit implements Scenario {
    private static final int TRANSFERS = 100;
    private static final long RATE = 1 << 20; // bytes a second, each
    private static final String THROUGHPUT = "throughput";
    private static final String CPU = "cpu";
    private static final String LIMIT = "the limit";
    private static final Goal NOT_FASTER = Goal.atMost(1.05);

    private static final List<Column> COLUMNS = List.of(
            Column.left("transfers", 22),
            Column.right("asked", 9),
            Column.right("moved", 9),
            Column.right("ratio", 5),
            Column.right("its CPU", 7),
            Column.right("CPU a GB", 8));

    @Override
    public String name() {
        return "rate";
    }

    @Override
    public String question() {
        return "Do rate-limited transfers keep to their rate, and what do they cost?";
    }

    @Override
    public boolean isAboutDaemonOnly() {
        return true;
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        long size = RATE * (setting.quick() ? 2 : 3);
        String fileName = "rate-" + (size >> 20) + "m";
        TestFiles.warm(TestFiles.file(setting.files(), fileName, size));
        try (Server daemon = Server.start(setting.programs(), Server.Kind.DAEMON, setting.files(), setting.sockets())) {
            setting.screen().header(COLUMNS);
            setting.screen().working(TRANSFERS + " transfers at " + Units.size(RATE) + " a second");
            run(setting, daemon, fileName, 0); // without a limit, which is also the daemon's warm-up
            for (int round = 0; round < setting.rounds(); round++) {
                run(setting, daemon, fileName, RATE);
            }
            print(setting, 0, Ratio.of(Double.NaN));
            print(setting, RATE, judge(setting.report()));
        }
    }

    private static String title(long rate) {
        return rate == 0 ? TRANSFERS + ", no limit" : TRANSFERS + " at " + Units.size(rate) + "/s each";
    }

    /** What all together may have, in MB/s. */
    private static double allowed(long rate) {
        return rate * TRANSFERS / 1e6;
    }

    private void run(Setting setting, Server daemon, String fileName, long rate)
            throws IOException, InterruptedException {
        Object[] options = {
            "--op", "send", "--to", "unix", "--path", fileName, "--threads", TRANSFERS, "--count", TRANSFERS
        };
        LoadClient.Result result =
                rate == 0 ? setting.load().run(daemon, options) : setting.load().run(daemon, withLimit(options, rate));
        double cpuSeconds = result.server_cpu_us() * result.requests() / 1e6;
        Report report = setting.report();
        report.sample(name(), title(rate), "sendfiled", THROUGHPUT, "MB/s", result.mb_per_s());
        if (rate > 0) {
            report.sample(name(), title(rate), LIMIT, THROUGHPUT, "MB/s", allowed(rate));
        }
        report.sample(name(), title(rate), "sendfiled", CPU, "%", cpuSeconds / result.seconds() * 100);
        result.sampleVolume(report, name(), title(rate), "sendfiled");
    }

    private Ratio judge(Report report) {
        Report.Metric cpu = report.metric(name(), title(RATE), "sendfiled", CPU);
        report.judge(name(), title(RATE), "the daemon's CPU", cpu, 1, "%", null);
        return report.compareRounds(
                name(), title(RATE), "moved of what the limit allows", "sendfiled", LIMIT, THROUGHPUT, NOT_FASTER);
    }

    private void print(Setting setting, long rate, Ratio ratio) {
        Report report = setting.report();
        double moved = report.median(name(), title(rate), "sendfiled", THROUGHPUT);
        double percent = report.median(name(), title(rate), "sendfiled", CPU);
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                Cell.of(title(rate)),
                                Cell.faint(rate == 0 ? "–" : Units.megabytesPerSecond(allowed(rate))),
                                Cell.of(Units.megabytesPerSecond(moved)),
                                setting.cell(ratio, NOT_FASTER),
                                Cell.of(Units.format("%.1f %%", percent)),
                                Cell.of(Units.value(report.median(name(), title(rate), "sendfiled", Cost.CPU), "ms"))));
    }

    private static Object[] withLimit(Object[] options, long rate) {
        Object[] more = java.util.Arrays.copyOf(options, options.length + 2);
        more[options.length] = "--limit";
        more[options.length + 1] = rate;
        return more;
    }
}
