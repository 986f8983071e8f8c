package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Does one slow file stall the others? Warm requests alone, and beside 16 downloads from a disk with 20 ms a read. */
final class ColdIsolation implements Scenario {
    private static final int COLD_FILES = 16;
    private static final int COLD_SIZE = 4 << 20;
    private static final int WARM_SIZE = 4096;
    private static final int WARM_CONNECTIONS = 4;
    private static final long READ_MS = 20;
    private static final String WARM = "small-4k";
    private static final String MOUNT = "slow";
    private static final Goal UNDISTURBED = Goal.atMost(1.5);

    private static final List<Column> COLUMNS = List.of(
            Column.left("warm 4 KiB beside 16 cold", 26),
            Column.right("alone p50", 10),
            Column.right("beside p50", 10),
            Column.right("beside p99", 10),
            Column.right("p50 ratio", 9),
            Column.right("16 cold", 8),
            Column.right("one cold", 8));

    @Override
    public String name() {
        return "cold";
    }

    @Override
    public String question() {
        return "Does a slow disk slow down those who do not need it?";
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        String missing = SlowDisk.unavailableBecause(setting.programs());
        if (!missing.isEmpty()) {
            setting.report().skip(name(), missing);
            setting.screen().warn("cold", "left out: " + missing);
            return;
        }
        Path sources = setting.files().resolveSibling("cold-sources");
        for (int i = 0; i < COLD_FILES; i++) {
            setting.screen().working("making cold files");
            TestFiles.file(sources, "cold-" + i, COLD_SIZE);
        }
        TestFiles.warm(TestFiles.file(setting.files(), WARM, WARM_SIZE));
        try (SlowDisk disk = SlowDisk.mount(setting.programs(), setting.files().resolve(MOUNT), sources, READ_MS)) {
            setting.screen().header(COLUMNS);
            for (Server.Kind kind : setting.servers()) {
                if (kind != Server.Kind.FEWEST) {
                    measure(setting, kind, disk);
                    print(setting, kind);
                }
            }
        } finally {
            Files.deleteIfExists(setting.files().resolve(MOUNT));
        }
    }

    private void measure(Setting setting, Server.Kind kind, SlowDisk disk) throws IOException, InterruptedException {
        try (Server server = Server.start(setting.programs(), kind, setting.files(), setting.sockets())) {
            warm(setting, server, 2000, 0.3); // The first requests of a process pay for its start.
            for (int round = 0; round < setting.rounds(); round++) {
                setting.screen().working(kind.title + ", round " + (round + 1) + " of " + setting.rounds());
                record(setting, kind, "alone", warm(setting, server, 100, 0.5));
                double one = cold(setting, server, disk, 1).result().seconds();
                setting.report().sample(name(), "one cold", kind.title, "seconds", "s", one);
                LoadClient.Running cold = cold(setting, server, disk, COLD_FILES);
                record(setting, kind, "beside", warm(setting, server, 0, 0.5));
                boolean stillCold = cold.isRunning();
                LoadClient.Result coldResult = cold.result();
                // Read ahead, a cold file takes a handful of the disk's 20 ms; a cached one takes less than one of
                // them.
                if (!stillCold && coldResult.seconds() < 0.1) {
                    throw new IOException("the cold files were not cold: all came in " + coldResult.seconds() + " s");
                }
                setting.report().sample(name(), "16 cold", kind.title, "seconds", "s", coldResult.seconds());
            }
            Report report = setting.report();
            report.compare(
                    name(),
                    "warm beside cold",
                    kind.title + ", median beside of alone",
                    report.median(name(), "beside", kind.title, "p50"),
                    report.median(name(), "alone", kind.title, "p50"),
                    kind == Server.Kind.DAEMON ? UNDISTURBED : null);
        }
    }

    /** Starts the downloads of that many cold files, all at once. */
    private static LoadClient.Running cold(Setting setting, Server server, SlowDisk disk, int count)
            throws IOException, InterruptedException {
        List<Object> options = new ArrayList<>(List.of("--count", count, "--threads", count));
        for (int i = 0; i < count; i++) {
            SlowDisk.evict(disk.mountPoint().resolve("cold-" + i));
            options.add("--path");
            options.add(MOUNT + "/cold-" + i);
        }
        return setting.load().start(server, options.toArray());
    }

    private static LoadClient.Result warm(Setting setting, Server server, int warmup, double seconds)
            throws IOException, InterruptedException {
        return setting.load()
                .run(server, "--path", WARM, "--threads", WARM_CONNECTIONS, "--warmup", warmup, "--seconds", seconds);
    }

    private void record(Setting setting, Server.Kind kind, String testCase, LoadClient.Result result) {
        setting.report().sample(name(), testCase, kind.title, "p50", "us", result.p50_us());
        setting.report().sample(name(), testCase, kind.title, "p99", "us", result.p99_us());
        setting.report().sample(name(), testCase, kind.title, "rate", "requests/s", result.rate());
    }

    private void print(Setting setting, Server.Kind kind) {
        Report report = setting.report();
        Tone tone = kind == Server.Kind.DAEMON ? Tone.PLAIN : Tone.FAINT;
        double alone = report.median(name(), "alone", kind.title, "p50");
        double beside = report.median(name(), "beside", kind.title, "p50");
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                new Cell(kind.title, tone),
                                new Cell(Units.micros(alone), tone),
                                new Cell(Units.micros(beside), tone),
                                new Cell(Units.micros(report.median(name(), "beside", kind.title, "p99")), tone),
                                Bench.ratioCell(beside / alone, kind == Server.Kind.DAEMON ? UNDISTURBED : null),
                                new Cell(seconds(report, kind, "16 cold"), tone),
                                new Cell(seconds(report, kind, "one cold"), tone)));
    }

    private String seconds(Report report, Server.Kind kind, String testCase) {
        return Units.micros(1e6 * report.median(name(), testCase, kind.title, "seconds"));
    }
}
