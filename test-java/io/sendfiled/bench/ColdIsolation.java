package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Does one slow file stall the others? Warm requests on 4 connections alone, and while 16 or 256 cold files are always under
 * way.
 *
 * <p>The slow disk, its readers and the warm load share the processors. So two controls stand beside each number: the same
 * warm load on a server that serves nothing else, beside the same cold load on the daemon, and beside as many cat(1). What
 * these lose as well is the machine's.
 */
final class ColdIsolation implements Scenario {
    private static final String HOW_TO_READ =
            "Where the p99 beside cold files is longer than alone, look at the controls: a daemon with "
                    + "no cold file of its own beside the same load, and the same daemon beside as many cat. "
                    + "What they lose as well is a matter of the processors, which whoever reads the disk needs "
                    + "too: with two of them a wait is as long as a slice of the scheduler, some 3 ms. What the "
                    + "disk itself costs is the original: its loop waits for each read.";

    private static final int FEW = 16;
    private static final int MANY = 256;
    private static final int WARM_SIZE = 4096;
    private static final int WARM_CONNECTIONS = 4;
    private static final int ORIGINAL_ROUNDS = 2;
    /** Cached pages of the many, and of the files behind them. */
    private static final long MEMORY_FOR_MANY = 2L * MANY * ColdFiles.SIZE;

    private static final String WARM = "small-4k";
    private static final Goal MEDIAN_GOAL = Goal.atMost(1.1);
    private static final Goal P99_GOAL = Goal.atMost(1.5);

    private static final String DAEMON = Server.Kind.DAEMON.title;
    private static final String SESSION = "the same, by sessions";
    private static final String ORIGINAL = Server.Kind.ORIGINAL.title;
    private static final String SAME_COLD_LOAD = "control: no disk of its own";
    private static final String CATS = "control: beside cats";

    private static final List<Column> COLUMNS = List.of(
            Column.left("warm 4 KiB", 10),
            Column.left("server", 27),
            Column.right("alone p50", 9),
            Column.right("beside", 8),
            Column.right("ratio", 6),
            Column.right("alone p99", 9),
            Column.right("beside", 8),
            Column.right("ratio", 6),
            Column.right("cold", 9));

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
        setting.report().note(name(), HOW_TO_READ);
        if (!ColdFiles.available(setting, name())) {
            return;
        }
        long memory = Machine.availableMemory();
        boolean many = memory >= MEMORY_FOR_MANY;
        TestFiles.warm(TestFiles.file(setting.files(), WARM, WARM_SIZE));
        try (ColdFiles files = ColdFiles.mount(setting, many ? MANY : FEW)) {
            setting.screen().header(COLUMNS);
            measure(setting, files, FEW, setting.quick() ? 2 : setting.rounds() * 2);
            new ColdTimeLine(this, WARM, WARM_CONNECTIONS).measure(setting, files, FEW);
            if (many) {
                measure(setting, files, MANY, setting.quick() ? 1 : setting.rounds());
            } else {
                String why = Units.size(memory) + " of memory are free, " + Units.size(MEMORY_FOR_MANY) + " are needed";
                setting.report().skip(name() + ", " + MANY + " files", why);
                setting.screen().warn(MANY + " cold files", "left out: " + why);
            }
        }
    }

    private void measure(Setting setting, ColdFiles files, int count, int rounds)
            throws IOException, InterruptedException {
        try (Server fewest = Server.start(setting.programs(), Server.Kind.FEWEST, setting.files(), setting.sockets())) {
            warm(setting, fewest, 500, 0.2);
            if (setting.measures(Server.Kind.DAEMON)) {
                try (Server daemon =
                        Server.start(setting.programs(), Server.Kind.DAEMON, setting.files(), setting.sockets())) {
                    warmBySession(setting, daemon, 5000, 0.3);
                    warm(setting, daemon, 5000, 0.3); // The first requests of a process pay for its start.
                    for (int round = 0; round < rounds; round++) {
                        setting.screen().working(testCase(count) + ", round " + (round + 1) + " of " + rounds);
                        measureDaemon(setting, files, count, daemon, fewest);
                        measureCats(setting, files, count, fewest);
                    }
                }
            }
        }
        compare(setting, count);
        print(setting, count, DAEMON);
        print(setting, count, SESSION);
        print(setting, count, SAME_COLD_LOAD);
        print(setting, count, CATS);
        if (count == FEW && setting.measures(Server.Kind.ORIGINAL)) {
            measureOriginal(setting, files, count);
            print(setting, count, ORIGINAL);
        }
    }

    private void measureDaemon(Setting setting, ColdFiles files, int count, Server daemon, Server fewest)
            throws IOException, InterruptedException {
        double seconds = seconds(setting);
        record(setting, count, DAEMON, "alone", warm(setting, daemon, 100, seconds));
        record(setting, count, SESSION, "alone", warmBySession(setting, daemon, 100, seconds));
        record(setting, count, SAME_COLD_LOAD, "alone", warm(setting, fewest, 100, seconds));
        try (LoadClient.Running cold = coldOn(setting, files, count, daemon)) {
            record(setting, count, DAEMON, "beside", warm(setting, daemon, 0, seconds));
            record(setting, count, SESSION, "beside", warmBySession(setting, daemon, 0, seconds));
            record(setting, count, SAME_COLD_LOAD, "beside", warm(setting, fewest, 0, seconds));
            end(setting, count, DAEMON, cold);
        }
    }

    private void measureCats(Setting setting, ColdFiles files, int count, Server fewest)
            throws IOException, InterruptedException {
        record(setting, count, CATS, "alone", warm(setting, fewest, 100, seconds(setting)));
        try (LoadClient.Running cold = setting.load().startCats(files.paths(count))) {
            record(setting, count, CATS, "beside", warm(setting, fewest, 0, seconds(setting)));
            end(setting, count, CATS, cold);
        }
    }

    /** One loop does it all, and waits with each page: its warm requests take part in every wait. */
    private void measureOriginal(Setting setting, ColdFiles files, int count) throws IOException, InterruptedException {
        try (Server original =
                Server.start(setting.programs(), Server.Kind.ORIGINAL, setting.files(), setting.sockets())) {
            for (int round = 0; round < ORIGINAL_ROUNDS; round++) {
                setting.screen().working(ORIGINAL + ", round " + (round + 1) + " of " + ORIGINAL_ROUNDS);
                record(setting, count, ORIGINAL, "alone", warm(setting, original, 500, seconds(setting)));
                try (LoadClient.Running cold = coldOn(setting, files, count, original)) {
                    record(setting, count, ORIGINAL, "beside", warm(setting, original, 0, seconds(setting)));
                    end(setting, count, ORIGINAL, cold);
                }
            }
        }
    }

    private static double seconds(Setting setting) {
        return setting.quick() ? 0.3 : 0.5;
    }

    /** Each of its threads reads its own cold file, again and again, until it is ended. */
    static LoadClient.Running coldOn(Setting setting, ColdFiles files, int count, Server server) throws IOException {
        List<Object> options = new ArrayList<>(files.loadOptions(count));
        options.addAll(List.of("--seconds", 60));
        return setting.load().start(server, options.toArray());
    }

    private void end(Setting setting, int count, String subject, LoadClient.Running cold) throws IOException {
        if (!cold.isRunning()) {
            throw new IOException("the cold load ended before the warm one");
        }
        setting.report()
                .sample(
                        name(),
                        testCase(count),
                        subject,
                        "cold throughput",
                        "MB/s",
                        cold.end().mb_per_s());
    }

    private static LoadClient.Result warm(Setting setting, Server server, int warmup, double seconds)
            throws IOException, InterruptedException {
        return setting.load()
                .run(server, "--path", WARM, "--threads", WARM_CONNECTIONS, "--warmup", warmup, "--seconds", seconds);
    }

    private static LoadClient.Result warmBySession(Setting setting, Server server, int warmup, double seconds)
            throws IOException, InterruptedException {
        return setting.load()
                .session(
                        server,
                        "--op",
                        "send-path",
                        "--path",
                        WARM,
                        "--reference",
                        setting.files().resolve(WARM),
                        "--depth",
                        WARM_CONNECTIONS,
                        "--warmup",
                        warmup,
                        "--seconds",
                        seconds);
    }

    private static String testCase(int count) {
        return "beside " + count + " cold";
    }

    private void record(Setting setting, int count, String subject, String when, LoadClient.Result result) {
        Report report = setting.report();
        report.sample(name(), testCase(count), subject, when + " p50", "us", result.p50_us());
        report.sample(name(), testCase(count), subject, when + " p99", "us", result.p99_us());
        report.sample(name(), testCase(count), subject, when + " rate", "requests/s", result.rate());
    }

    private void compare(Setting setting, int count) {
        for (String subject : List.of(DAEMON, SESSION, SAME_COLD_LOAD, CATS)) {
            compare(setting, count, subject, "p50", isOurs(subject) ? MEDIAN_GOAL : null);
            compare(setting, count, subject, "p99", subject.equals(DAEMON) ? P99_GOAL : null);
        }
    }

    private void compare(Setting setting, int count, String subject, String metric, @Nullable Goal goal) {
        setting.report()
                .compare(
                        name(),
                        testCase(count),
                        subject + ", " + metric + " beside of alone",
                        metric(setting, count, subject, "beside " + metric),
                        metric(setting, count, subject, "alone " + metric),
                        goal);
    }

    private Report.Metric metric(Setting setting, int count, String subject, String metric) {
        return setting.report().metric(name(), testCase(count), subject, metric);
    }

    private Ratio ratio(Setting setting, int count, String subject, String metric) {
        return Ratio.ofRounds(
                metric(setting, count, subject, "beside " + metric),
                metric(setting, count, subject, "alone " + metric));
    }

    private static boolean isOurs(String subject) {
        return subject.equals(DAEMON) || subject.equals(SESSION);
    }

    private double median(Setting setting, int count, String subject, String metric) {
        return metric(setting, count, subject, metric).median();
    }

    private void print(Setting setting, int count, String subject) {
        boolean isOurs = isOurs(subject);
        Tone tone = isOurs ? Tone.PLAIN : Tone.FAINT;
        double alone = median(setting, count, subject, "alone p50");
        double beside = median(setting, count, subject, "beside p50");
        double aloneP99 = median(setting, count, subject, "alone p99");
        double besideP99 = median(setting, count, subject, "beside p99");
        if (Double.isNaN(beside)) {
            return; // Not measured: --without-daemon.
        }
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                Cell.of(subject.equals(DAEMON) ? "beside " + count : ""),
                                new Cell(subject, tone),
                                new Cell(Units.micros(alone), tone),
                                new Cell(Units.micros(beside), tone),
                                Bench.ratioCell(ratio(setting, count, subject, "p50"), isOurs ? MEDIAN_GOAL : null),
                                new Cell(Units.micros(aloneP99), tone),
                                new Cell(Units.micros(besideP99), tone),
                                Bench.ratioCell(
                                        ratio(setting, count, subject, "p99"),
                                        subject.equals(DAEMON) ? P99_GOAL : null),
                                new Cell(coldSpeed(median(setting, count, subject, "cold throughput")), tone)));
    }

    /** Nothing for the control that shares the daemon's cold load, and where no file was through in the time. */
    private static String coldSpeed(double megabytes) {
        return megabytes > 0 ? Units.megabytesPerSecond(megabytes) : "–";
    }
}
