package io.sendfiled.bench;

import io.sendfiled.bench.NettyServer.Memory;
import io.sendfiled.bench.NettyServer.Way;
import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/**
 * A Netty server with 64 clients that take 1 MiB a second each of a large file: what it uses of a processor, and whether its
 * memory depends on the file's length. A part of the file is enough to tell.
 */
final class NettySlowClients {
    private static final int CLIENTS = 64;
    static final String CASE = CLIENTS + " slow clients";
    private static final int BYTES_PER_SECOND = 1 << 20;
    private static final int SETTLING_SECONDS = 2;
    private static final int SECONDS = 4;
    private static final int QUICK_SECONDS = 1;
    private static final List<Long> SIZES = List.of(16L << 20, 256L << 20);
    /** A loop that does not wait for its clients uses a processor, which is 100. */
    private static final Goal NO_BUSY_LOOP = Goal.atMost(25);
    /** Of 64 files of 256 MiB instead of 16 MiB. */
    private static final Goal SAME_MEMORY = Goal.atMost(1.25);

    private static final List<Column> COLUMNS = List.of(
            Column.left(CLIENTS + " clients at 1 MiB/s", 22),
            Column.left("server", 18),
            Column.right("taken", 9),
            Column.right("CPU", 6),
            Column.right("heap", 9));

    private static final String MEMORY = "memory";

    private final String scenario;

    NettySlowClients(String scenario) {
        this.scenario = scenario;
    }

    /** Blocks. */
    void measure(Scenario.Setting setting, Map<Way, WebSide> sides) throws IOException, InterruptedException {
        setting.screen().header(COLUMNS);
        for (long size : SIZES) {
            TestFiles.warm(TestFiles.file(setting.files(), file(size), size));
            for (Way way : List.of(Way.REGION, Way.HANDLER)) {
                setting.screen().working(CASE + ", " + Units.size(size) + ", " + way.title);
                measure(setting, NettyFiles.side(sides, way), size);
                print(setting, way.title, size);
            }
        }
        Report report = setting.report();
        for (long size : SIZES) {
            report.judge(
                    scenario,
                    testCase(size),
                    "the server's CPU, of one processor",
                    report.metric(scenario, testCase(size), Way.HANDLER.title, Cost.CPU),
                    1,
                    "%",
                    NO_BUSY_LOOP);
        }
        report.compare(
                scenario,
                testCase(SIZES.get(1)),
                "heap and buffers of those of " + Units.size(SIZES.get(0)),
                report.metric(scenario, testCase(SIZES.get(1)), Way.HANDLER.title, MEMORY),
                report.metric(scenario, testCase(SIZES.get(0)), Way.HANDLER.title, MEMORY),
                SAME_MEMORY);
    }

    private void measure(Scenario.Setting setting, WebSide side, long size) throws IOException {
        WebServer server = side.other();
        double seconds = setting.quick() ? QUICK_SECONDS : SECONDS;
        Report report = setting.report();
        try (SlowReceivers receivers = SlowReceivers.connect(server, file(size), CLIENTS, BYTES_PER_SECOND)) {
            receivers.receive(setting.quick() ? QUICK_SECONDS : SETTLING_SECONDS);
            for (int round = 0; round < setting.rounds(); round++) {
                measure(report, side, server, size, receivers, seconds / setting.rounds());
            }
        }
    }

    private void measure(
            Report report, WebSide side, WebServer server, long size, SlowReceivers receivers, double seconds)
            throws IOException {
        double cpuUs = server.costSoFar().cpuUs();
        long startNs = System.nanoTime();
        long received = receivers.receive(seconds);
        double elapsedNs = System.nanoTime() - startNs;
        double percent = (server.costSoFar().cpuUs() - cpuUs) * 1e3 / elapsedNs * 100;
        Memory memory = server.memory();
        double mebibytes = (memory.heap() + memory.direct()) / 1048576.0;
        report.sample(scenario, testCase(size), side.title(), WebSide.THROUGHPUT, "MB/s", received / elapsedNs * 1e3);
        report.sample(scenario, testCase(size), side.title(), Cost.CPU, "%", percent);
        report.sample(scenario, testCase(size), side.title(), MEMORY, "MiB", mebibytes);
    }

    private void print(Scenario.Setting setting, String subject, long size) {
        Report report = setting.report();
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                Cell.of(Units.size(size)),
                                Cell.of(subject),
                                Cell.of(Units.megabytesPerSecond(
                                        report.median(scenario, testCase(size), subject, WebSide.THROUGHPUT))),
                                Cell.of(Units.format(
                                        "%.1f %%", report.median(scenario, testCase(size), subject, Cost.CPU))),
                                Cell.of(Units.format(
                                        "%.1f MiB", report.median(scenario, testCase(size), subject, MEMORY)))));
    }

    private static String file(long size) {
        return "web-slow-" + (size >> 20) + "m";
    }

    private static String testCase(long size) {
        return CASE + ", " + Units.size(size);
    }
}
