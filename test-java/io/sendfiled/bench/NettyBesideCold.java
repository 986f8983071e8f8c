package io.sendfiled.bench;

import io.sendfiled.bench.NettyServer.Way;
import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Warm 4 KiB from a Netty server while 16 connections download cold files from a disk that takes 20 ms for each read.
 *
 * <p>The disk, its readers and the warm load share the processors. So the control is the same warm load on the same server
 * while the same cold files come from another process: what that costs is the machine's.
 *
 * <p>How much it costs depends on how fast the downloads are. Each takes what a program without read-ahead of its own gets of
 * that disk, 128 KiB for each read: otherwise the better a server reads ahead, the more of the processors it would give
 * to the cold load, and the worse it would look. The same at full speed is shown beside it, and not judged.
 */
final class NettyBesideCold {
    private static final String FILE = NettyFiles.SMALL_FILE;
    static final String CASE = "4 KiB beside " + ColdWebFiles.DOWNLOADS + " cold";
    private static final String ALONE = "alone";
    private static final String BESIDE = "beside";
    private static final String CONTROL = "control: cold elsewhere";
    private static final String THEIRS = "DefaultFileRegion, beside";
    private static final String BESIDE_FULL = "beside, at full speed";
    private static final String CONTROL_FULL = "control, at full speed";
    private static final List<String> SUBJECTS = List.of(ALONE, BESIDE, CONTROL, THEIRS, BESIDE_FULL, CONTROL_FULL);
    private static final int WARM_UP_ROUNDS = 3;
    private static final Goal OF_CONTROL = Goal.atLeast(0.97);
    private static final Goal OF_ALONE = Goal.atLeast(0.85);
    private static final Goal MOST_P99_MS = Goal.atMost(2);

    private static final List<Column> COLUMNS = List.of(
            Column.left(CASE + Units.format(" of %.1f MB/s", ColdWebFiles.PACE.bytesPerSecond() / 1e6), 32),
            Column.right("requests", 11),
            Column.right("p99", 8),
            Column.right("of alone", 8),
            Column.right("cold", 9));

    private final String scenario;

    NettyBesideCold(String scenario) {
        this.scenario = scenario;
    }

    /** Blocks. */
    void measure(Scenario.Setting setting, Stage stage, Map<Way, WebSide> sides)
            throws IOException, InterruptedException {
        String missing = SlowDisk.unavailableBecause(setting.programs());
        if (!missing.isEmpty()) {
            setting.report().skip(scenario + ", " + CASE, missing);
            return;
        }
        WebSide ours = NettyFiles.side(sides, Way.HANDLER);
        WebSide theirs = NettyFiles.side(sides, Way.REGION);
        try (ColdWebFiles disk = ColdWebFiles.mount(setting);
                WebSide elsewhere = NettyFiles.start(stage, Way.HANDLER, setting.files())) {
            warmUp(setting, ours, elsewhere, disk);
            int rounds = WebSide.rounds(setting);
            Rounds.alternate(rounds, SUBJECTS, (subject, round) -> {
                setting.screen().working(CASE + ", " + subject + ", round " + (round + 1) + " of " + rounds);
                switch (subject) {
                    case ALONE -> sample(setting, ALONE, Wrk.run(url(ours, round), Wrk.CONNECTIONS, 1));
                    case BESIDE -> measureBeside(setting, BESIDE, ours, ours, disk, ColdWebFiles.PACE, round);
                    case CONTROL -> measureBeside(setting, CONTROL, ours, elsewhere, disk, ColdWebFiles.PACE, round);
                    case THEIRS -> measureBeside(setting, THEIRS, theirs, theirs, disk, ColdWebFiles.PACE, round);
                    case BESIDE_FULL -> measureBeside(setting, BESIDE_FULL, ours, ours, disk, null, round);
                    default -> measureBeside(setting, CONTROL_FULL, ours, elsewhere, disk, null, round);
                }
            });
        }
        judge(setting);
    }

    private static String url(WebSide side, int round) {
        return side.server(round).url(FILE);
    }

    /**
     * Has the code compiled that serves cold files: for as long as that lasts, the compilers' threads take a quarter of a
     * processor, more than four times what all threads of the engine use, and the p99 is theirs.
     */
    private void warmUp(Scenario.Setting setting, WebSide ours, WebSide elsewhere, ColdWebFiles disk)
            throws IOException, InterruptedException {
        int rounds = ours.servers().size() * WARM_UP_ROUNDS;
        for (int round = 0; round < rounds && !setting.quick(); round++) {
            setting.screen().working(CASE + ", warming up");
            for (WebSide cold : List.of(ours, elsewhere)) {
                ColdDownloads downloads = disk.download(cold.server(round), null);
                Wrk.runWithFailures(url(ours, round), Wrk.CONNECTIONS, 1);
                downloads.close();
            }
        }
    }

    private void measureBeside(
            Scenario.Setting setting,
            String subject,
            WebSide warm,
            WebSide cold,
            ColdWebFiles disk,
            ColdDownloads.@Nullable Pace pace,
            int round)
            throws IOException, InterruptedException {
        double coldRate = disk.measureBeside(cold.server(round), pace, () -> {
            Wrk.Result result = Wrk.runWithFailures(url(warm, round), Wrk.CONNECTIONS, 1);
            sample(setting, subject, subject.equals(THEIRS) ? result : Wrk.checked(result));
        });
        setting.report().sample(scenario, CASE, subject, "cold throughput", "MB/s", coldRate);
        // Who waits for the disk itself has it to the end of a read, and is not to be measured meanwhile.
        warm.server(round).check(FILE, setting.files().resolve(FILE));
    }

    private void sample(Scenario.Setting setting, String subject, Wrk.Result result) {
        setting.report().sample(scenario, CASE, subject, WebSide.RATE, "requests/s", result.rate());
        setting.report().sample(scenario, CASE, subject, WebSide.P99, "us", result.p99Us());
    }

    private void judge(Scenario.Setting setting) {
        Report report = setting.report();
        report.compareRounds(scenario, CASE, "requests of the control's", BESIDE, CONTROL, WebSide.RATE, OF_CONTROL);
        Ratio ofAlone =
                report.compareRounds(scenario, CASE, "requests of alone", BESIDE, ALONE, WebSide.RATE, OF_ALONE);
        report.judge(
                scenario, CASE, "p99", report.metric(scenario, CASE, BESIDE, WebSide.P99), 1e-3, "ms", MOST_P99_MS);
        report.compareRounds(
                scenario,
                CASE,
                "requests of the control's, at full speed",
                BESIDE_FULL,
                CONTROL_FULL,
                WebSide.RATE,
                null);
        setting.screen().header(COLUMNS);
        double alone = report.median(scenario, CASE, ALONE, WebSide.RATE);
        for (String subject : SUBJECTS) {
            double rate = report.median(scenario, CASE, subject, WebSide.RATE);
            double cold = report.median(scenario, CASE, subject, "cold throughput");
            setting.screen()
                    .row(
                            COLUMNS,
                            List.of(
                                    Cell.of(subject),
                                    Cell.of(Units.rate(rate)),
                                    Cell.of(Units.micros(report.median(scenario, CASE, subject, WebSide.P99))),
                                    subject.equals(BESIDE)
                                            ? setting.cell(ofAlone, OF_ALONE)
                                            : setting.cell(rate / alone, null),
                                    Cell.faint(Double.isNaN(cold) ? "–" : Units.megabytesPerSecond(cold))));
        }
    }
}
