package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Does one slow file stall the others? Warm requests on 4 connections alone, and while 16, 64 and 256 cold files are always
 * under way.
 *
 * <p>The slow disk, its readers and the warm load share the processors. So two controls stand beside each number: the same
 * warm load on a server that serves nothing else, beside the same cold load on the daemon, and beside as many cat(1). What
 * these lose as well is the machine's.
 */
final class ColdIsolation implements Scenario {
    private static final String HOW_TO_READ =
            "Where waits beside cold files are longer than alone, look at the controls: a server with no cold file of its own "
                    + "beside the same load, and the same beside as many cat. What they lose as well is a matter of the "
                    + "processors, which whoever reads the disk needs too: on two of them the four that ask and the loop "
                    + "have nothing to spare. The daemon reads ahead, so it gets more from the disk than a cat does, and "
                    + "its own loop moves that: some 0.15 s of a processor for 0.4 GB, and the threads that load twice as "
                    + "much. At a pace (128 KiB in the time of a read, each) it is a third, and so is what is lost. "
                    + "Sessions need less of a processor and keep their median, not their p99. What the disk itself costs "
                    + "is the original: its loop waits for each read.";

    private static final int FEW = 16;
    private static final List<Integer> COUNTS = List.of(FEW, 64, 256);
    /** So many bytes a second of each: what a program without read-ahead of its own gets of that disk. */
    private static final long PACE = (128 << 10) * 1000L / ColdFiles.READ_MS;

    private static final int WARM_SIZE = 4096;
    private static final int WARM_CONNECTIONS = 4;
    private static final int ORIGINAL_ROUNDS = 2;
    /** The cached pages of a cold file, and of the file behind it. */
    private static final long MEMORY_EACH = 2L * ColdFiles.SIZE;

    private static final String WARM = "small-4k";
    private static final String ALONE = "alone";
    private static final String PACED = testCase(FEW) + " at a pace";
    private static final Goal MEDIAN_GOAL = Goal.atMost(1.1);
    private static final Goal P99_GOAL = Goal.atMost(1.5);

    private static final String DAEMON = Server.Kind.DAEMON.title;
    private static final String SESSION = "the same, by sessions";
    private static final String ORIGINAL = Server.Kind.ORIGINAL.title;
    private static final String SAME_COLD_LOAD = "control: no disk of its own";
    private static final String CATS = "control: beside cats";

    private static final List<Column> COLUMNS = List.of(
            Column.left("warm 4 KiB", 27),
            Column.right("p50", 7),
            Column.right("beside", 7),
            Column.right("ratio", 5),
            Column.right("p99", 7),
            Column.right("beside", 7),
            Column.right("ratio", 5));

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
        TestFiles.warm(TestFiles.file(setting.files(), WARM, WARM_SIZE));
        List<Integer> counts = possible(setting);
        try (ColdFiles files = ColdFiles.mount(setting, counts.get(counts.size() - 1))) {
            measure(setting, files, counts);
            if (setting.measures(Server.Kind.ORIGINAL)) {
                measureOriginal(setting, files);
            }
            for (String testCase : cases(counts)) {
                print(setting, testCase);
            }
            new ColdTimeLine(this, WARM, WARM_CONNECTIONS).measure(setting, files, FEW);
        }
    }

    /** Those for which there is memory; of the others the report says why not. */
    private List<Integer> possible(Setting setting) throws IOException {
        List<Integer> counts = new ArrayList<>(List.of(FEW));
        long memory = Machine.availableMemory();
        for (int count : COUNTS.subList(1, COUNTS.size())) {
            if (count * MEMORY_EACH <= memory) {
                counts.add(count);
            } else {
                String why =
                        Units.size(memory) + " of memory are free, " + Units.size(count * MEMORY_EACH) + " are needed";
                setting.leaveOut(name(), testCase(count), why);
            }
        }
        return counts;
    }

    /** In each round alone, and then beside each count. Blocks. */
    private void measure(Setting setting, ColdFiles files, List<Integer> counts)
            throws IOException, InterruptedException {
        if (!setting.measures(Server.Kind.DAEMON)) {
            return;
        }
        int rounds = setting.quick() ? 1 : setting.rounds() * 2;
        try (Server fewest = Server.start(setting.programs(), Server.Kind.FEWEST, setting.files(), setting.sockets());
                Server daemon =
                        Server.start(setting.programs(), Server.Kind.DAEMON, setting.files(), setting.sockets())) {
            warm(setting, fewest, 500, 0.2);
            warmBySession(setting, daemon, 5000, 0.3);
            warm(setting, daemon, 5000, 0.3); // The first requests of a process pay for its start.
            for (int round = 0; round < rounds; round++) {
                setting.screen().working(ALONE + ", round " + (round + 1) + " of " + rounds);
                double seconds = seconds(setting);
                record(setting, ALONE, DAEMON, warm(setting, daemon, 100, seconds));
                record(setting, ALONE, SESSION, warmBySession(setting, daemon, 100, seconds));
                LoadClient.Result control = warm(setting, fewest, 100, seconds);
                record(setting, ALONE, SAME_COLD_LOAD, control);
                record(setting, ALONE, CATS, control);
                for (int count : counts) {
                    setting.screen().working(testCase(count) + ", round " + (round + 1) + " of " + rounds);
                    measureDaemon(setting, testCase(count), coldOptions(files, count), daemon, fewest);
                    measureCats(setting, files, count, fewest);
                }
                setting.screen().working(PACED + ", round " + (round + 1) + " of " + rounds);
                List<Object> paced = coldOptions(files, FEW);
                paced.addAll(List.of("--limit", PACE));
                measureDaemon(setting, PACED, paced, daemon, fewest);
            }
        }
        for (String testCase : cases(counts)) {
            for (String subject : List.of(DAEMON, SESSION, SAME_COLD_LOAD, CATS)) {
                compare(setting, testCase, subject, "p50", isOurs(subject) ? MEDIAN_GOAL : null);
                compare(setting, testCase, subject, "p99", subject.equals(DAEMON) ? P99_GOAL : null);
            }
        }
    }

    private static List<String> cases(List<Integer> counts) {
        return Stream.concat(counts.stream().map(ColdIsolation::testCase), Stream.of(PACED))
                .toList();
    }

    private void measureDaemon(Setting setting, String testCase, List<Object> coldOptions, Server daemon, Server fewest)
            throws IOException, InterruptedException {
        double seconds = seconds(setting);
        try (LoadClient.Running cold = setting.load().start(daemon, coldOptions.toArray())) {
            record(setting, testCase, DAEMON, warm(setting, daemon, 0, seconds));
            record(setting, testCase, SESSION, warmBySession(setting, daemon, 0, seconds));
            record(setting, testCase, SAME_COLD_LOAD, warm(setting, fewest, 0, seconds));
            end(setting, testCase, DAEMON, cold);
        }
    }

    private void measureCats(Setting setting, ColdFiles files, int count, Server fewest)
            throws IOException, InterruptedException {
        try (LoadClient.Running cold = setting.load().startCats(files.paths(count))) {
            record(setting, testCase(count), CATS, warm(setting, fewest, 0, seconds(setting)));
            end(setting, testCase(count), CATS, cold);
        }
    }

    /** One loop does it all, and waits with each page: its warm requests take part in every wait. */
    private void measureOriginal(Setting setting, ColdFiles files) throws IOException, InterruptedException {
        int rounds = setting.quick() ? 1 : ORIGINAL_ROUNDS;
        try (Server original =
                Server.start(setting.programs(), Server.Kind.ORIGINAL, setting.files(), setting.sockets())) {
            for (int round = 0; round < rounds; round++) {
                setting.screen().working(ORIGINAL + ", round " + (round + 1) + " of " + rounds);
                record(setting, ALONE, ORIGINAL, warm(setting, original, 500, seconds(setting)));
                try (LoadClient.Running cold = coldOn(setting, files, FEW, original)) {
                    record(setting, testCase(FEW), ORIGINAL, warm(setting, original, 0, seconds(setting)));
                    end(setting, testCase(FEW), ORIGINAL, cold);
                }
            }
        }
    }

    private static double seconds(Setting setting) {
        return setting.quick() ? 0.2 : 0.4;
    }

    /** Each of its threads reads its own cold file, again and again, until it is ended. */
    static LoadClient.Running coldOn(Setting setting, ColdFiles files, int count, Server server) throws IOException {
        return setting.load().start(server, coldOptions(files, count).toArray());
    }

    private static List<Object> coldOptions(ColdFiles files, int count) {
        List<Object> options = new ArrayList<>(files.loadOptions(count));
        options.addAll(List.of("--seconds", 60));
        return options;
    }

    private void end(Setting setting, String testCase, String subject, LoadClient.Running cold) throws IOException {
        if (!cold.isRunning()) {
            throw new IOException("the cold load ended before the warm one");
        }
        setting.report()
                .sample(
                        name(),
                        testCase,
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

    private void record(Setting setting, String testCase, String subject, LoadClient.Result result) {
        Report report = setting.report();
        report.sample(name(), testCase, subject, "p50", "us", result.p50_us());
        report.sample(name(), testCase, subject, "p99", "us", result.p99_us());
        report.sample(name(), testCase, subject, "rate", "requests/s", result.rate());
    }

    private void compare(Setting setting, String testCase, String subject, String metric, @Nullable Goal goal) {
        setting.report()
                .compare(
                        name(),
                        testCase,
                        subject + ", " + metric + " of that alone",
                        metric(setting, testCase, subject, metric),
                        metric(setting, ALONE, subject, metric),
                        goal);
    }

    private Report.Metric metric(Setting setting, String testCase, String subject, String metric) {
        return setting.report().metric(name(), testCase, subject, metric);
    }

    private static boolean isOurs(String subject) {
        return subject.equals(DAEMON) || subject.equals(SESSION);
    }

    private void print(Setting setting, String testCase) {
        setting.screen().header("warm " + testCase, COLUMNS);
        for (String subject : List.of(DAEMON, SESSION, SAME_COLD_LOAD, CATS, ORIGINAL)) {
            List<Cell> cells = new ArrayList<>(List.of(new Cell(subject, isOurs(subject) ? Tone.PLAIN : Tone.FAINT)));
            cells.addAll(cells(setting, testCase, subject, "p50", isOurs(subject) ? MEDIAN_GOAL : null));
            cells.addAll(cells(setting, testCase, subject, "p99", subject.equals(DAEMON) ? P99_GOAL : null));
            if (!metric(setting, testCase, subject, "p50").samples().isEmpty()) {
                setting.screen().row(COLUMNS, cells);
            }
        }
    }

    /** Alone, beside cold files, and the ratio. */
    private List<Cell> cells(Setting setting, String testCase, String subject, String metric, @Nullable Goal goal) {
        Report.Metric alone = metric(setting, ALONE, subject, metric);
        Report.Metric beside = metric(setting, testCase, subject, metric);
        Tone tone = isOurs(subject) ? Tone.PLAIN : Tone.FAINT;
        return List.of(
                new Cell(Units.micros(alone.median()), tone),
                new Cell(Units.micros(beside.median()), tone),
                setting.cell(Ratio.ofRounds(beside, alone), goal));
    }
}
