package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import io.sendfiled.client.SendfiledClient;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.channels.Channels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * What does a daemon cost that has just been started, and one that nobody asks for anything? From its launcher to the
 * first file that is served, its memory, and its processor time; beside it a JVM that only says hello.
 *
 * <p>The client is this JVM, which is warm. As root the daemon changes its user, as one that a service manager starts.
 */
final class Start implements Scenario {
    private static final String HOW_TO_READ =
            "The JVM alone is the row \"hello world\". The rest is reading the archive of classes, the "
                    + "sandbox, the engine, and the first request.";

    private static final String SOURCE = Path.of(System.getProperty("sendfiled.test.source", "."))
            .toAbsolutePath()
            .toString();

    /** What is started. */
    private enum Side {
        DAEMON("sendfiled", "--sandbox=auto"),
        CONFIGURED("with its configuration", "--config=" + Path.of(SOURCE, "packaging/conf/default.conf")),
        UNCONFINED("without sandbox", "--sandbox=off"),
        HELLO_SAME("hello world, its flags", ""),
        HELLO("hello world", "");

        final String title;

        /** Of a daemon. */
        final String option;

        Side(String title, String option) {
            this.title = title;
            this.option = option;
        }

        boolean isDaemon() {
            return !option.isEmpty();
        }
    }

    /** A JVM that does nothing: says so, and ends with its input. */
    static final class Hello {
        private Hello() {}

        public static void main(String[] args) throws IOException {
            System.out.println("hello");
            while (System.in.read() >= 0) {
                // Its memory is being looked at.
            }
        }
    }

    private static final String FILE = "start-4k";
    private static final int FILE_SIZE = 4096;
    private static final int MAX_TRANSFERS = 1000;
    private static final List<Integer> LOOPS = List.of(1, 4);
    private static final double IDLE_SECONDS = 10;
    private static final double QUICK_IDLE_SECONDS = 2;
    private static final double MIB = 1 << 20;

    private static final Goal START_GOAL = Goal.atMost(250);
    private static final Goal MEMORY_GOAL = Goal.atMost(48);
    /** In milliseconds of ten seconds. The kernel's own account, in hundredths of a second, shows nothing then. */
    private static final Goal IDLE_GOAL = Goal.atMost(1);

    private static final List<Column> STARTS = List.of(
            Column.left("started", 22),
            Column.right("first answer", 12),
            Column.right("fastest", 8),
            Column.right("CPU", 8),
            Column.right("PSS", 9),
            Column.right("RSS", 9));
    private static final List<Column> IDLES = List.of(
            Column.left("idle", 22),
            Column.right("CPU in 10 s", 12),
            Column.right("wakes/s", 8),
            Column.right("PSS", 9),
            Column.right("RSS", 9));

    @Override
    public String name() {
        return "start";
    }

    @Override
    public String question() {
        return "How soon is the first file served, and what does a daemon cost that nobody asks?";
    }

    @Override
    public boolean isAboutDaemonOnly() {
        return true;
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        setting.report().note(name(), HOW_TO_READ);
        TestFiles.warm(TestFiles.file(setting.files(), FILE, FILE_SIZE));
        try (Server first = startDaemon(setting, "warm-up")) {
            request(first, setting, "warm-up"); // this client is not what is measured
        }
        int rounds = setting.quick() ? setting.rounds() : setting.rounds() * 2;
        Rounds.alternate(rounds, List.of(Side.values()), (side, round) -> {
            setting.screen().working("round " + (round + 1) + " of " + rounds + ": " + side.title);
            if (side.isDaemon()) {
                measureDaemon(setting, side);
            } else {
                measureHello(setting, side);
            }
        });
        printStarts(setting);
        setting.screen().blank();
        measureIdle(setting);
        judge(setting);
    }

    private void measureDaemon(Setting setting, Side side) throws IOException, InterruptedException {
        String instance = side.name().toLowerCase(java.util.Locale.ROOT);
        long beginNs = System.nanoTime();
        try (Server daemon = startDaemon(setting, instance, side.option)) {
            request(daemon, setting, instance);
            sample(setting, side, System.nanoTime() - beginNs, daemon.pid());
        }
    }

    private void measureHello(Setting setting, Side side) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        if (side == Side.HELLO_SAME) {
            command.add("@" + setting.programs().dist().resolve("lib/sendfiled/sendfiled.options"));
        }
        command.addAll(List.of("-cp", classes(), Hello.class.getName()));
        long beginNs = System.nanoTime();
        Process hello =
                Programs.startAttached(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT));
        try {
            if (hello.getInputStream().read() < 0) {
                throw new IOException("it said nothing: " + command);
            }
            sample(setting, side, System.nanoTime() - beginNs, hello.pid());
        } finally {
            Programs.stop(hello);
        }
    }

    private static String classes() {
        try {
            return new File(Start.class
                            .getProtectionDomain()
                            .getCodeSource()
                            .getLocation()
                            .toURI())
                    .toString();
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private void sample(Setting setting, Side side, long startNs, long pid) throws IOException {
        sample(setting, side.title, "start", "ms", startNs / 1e6);
        sample(setting, side.title, "cpu", "ms", Machine.cpuNs(pid) / 1e6);
        sampleMemory(setting, side.title, pid);
    }

    private void sampleMemory(Setting setting, String testCase, long pid) throws IOException {
        sample(setting, testCase, "pss", "MiB", Machine.proportionalBytes(pid) / MIB);
        sample(setting, testCase, "rss", "MiB", Machine.residentBytes(pid) / MIB);
    }

    private void sample(Setting setting, String testCase, String metric, String unit, double value) {
        setting.report().sample(name(), testCase, "sendfiled", metric, unit, value);
    }

    /** Daemons that have served one file, and nothing since. */
    private void measureIdle(Setting setting) throws IOException, InterruptedException {
        double seconds = setting.quick() ? QUICK_IDLE_SECONDS : IDLE_SECONDS;
        List<Server> daemons = new ArrayList<>();
        try {
            for (int loops : LOOPS) {
                Server daemon = startDaemon(setting, "idle-" + loops, "--loops=" + loops);
                daemons.add(daemon);
                request(daemon, setting, "idle-" + loops);
            }
            setting.screen().working("doing nothing for " + seconds + " s");
            for (int round = 0; round < setting.rounds(); round++) {
                List<LoadClient.Idle.Use> uses =
                        setting.load().idle(seconds / setting.rounds(), daemons).processes();
                for (int i = 0; i < uses.size(); i++) {
                    String testCase = idle(LOOPS.get(i));
                    sample(setting, testCase, "idle", "ms in 10 s", uses.get(i).cpu_us_per_s() / 1e3 * IDLE_SECONDS);
                    sample(setting, testCase, "wakeups", "/s", uses.get(i).wakeups_per_s());
                    sampleMemory(setting, testCase, daemons.get(i).pid());
                }
            }
        } finally {
            daemons.forEach(Server::close);
        }
        setting.screen().header(IDLES);
        for (int loops : LOOPS) {
            String testCase = idle(loops);
            double cpu = median(setting, testCase, "idle");
            double pss = median(setting, testCase, "pss");
            setting.screen()
                    .row(
                            IDLES,
                            List.of(
                                    Cell.of(testCase),
                                    setting.cell(Units.format("%.2f ms", cpu), cpu, IDLE_GOAL, Tone.PLAIN),
                                    Cell.faint(Units.format("%.1f", median(setting, testCase, "wakeups"))),
                                    setting.cell(mebibytes(pss), pss, MEMORY_GOAL, Tone.PLAIN),
                                    Cell.faint(mebibytes(median(setting, testCase, "rss")))));
        }
    }

    private static String idle(int loops) {
        return loops == 1 ? "1 event loop" : loops + " event loops";
    }

    private static Server startDaemon(Setting setting, String instance, String... options)
            throws IOException, InterruptedException {
        return Server.startDaemon(
                setting.programs(), instance, MAX_TRANSFERS, setting.files(), setting.sockets(), options);
    }

    /** Connects and has the file served. Blocks. */
    private static void request(Server daemon, Setting setting, String instance)
            throws IOException, InterruptedException {
        ByteArrayOutputStream out = new ByteArrayOutputStream(FILE_SIZE);
        try (SendfiledClient client = SendfiledClient.connect(setting.sockets(), instance)) {
            client.readTo(FILE, Channels.newChannel(out))
                    .result()
                    .get(Programs.START_TIMEOUT_MS, TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new IOException("the daemon " + daemon.pid() + " did not serve its first file", e);
        }
        if (out.size() != FILE_SIZE) {
            throw new IOException("the first file came with " + out.size() + " bytes");
        }
    }

    private double median(Setting setting, String testCase, String metric) {
        return metric(setting, testCase, metric).median();
    }

    private Report.Metric metric(Setting setting, String testCase, String metric) {
        return setting.report().metric(name(), testCase, "sendfiled", metric);
    }

    private void printStarts(Setting setting) {
        setting.screen().header(STARTS);
        for (Side side : Side.values()) {
            double start = median(setting, side.title, "start");
            String text = Units.format("%.0f ms", start);
            setting.screen()
                    .row(
                            STARTS,
                            List.of(
                                    Cell.of(side.title),
                                    setting.cell(text, start, side.isDaemon() ? START_GOAL : null, Tone.PLAIN),
                                    Cell.faint(Units.format(
                                            "%.0f ms",
                                            setting.report().least(name(), side.title, "sendfiled", "start"))),
                                    Cell.of(Units.format("%.0f ms", median(setting, side.title, "cpu"))),
                                    Cell.of(mebibytes(median(setting, side.title, "pss"))),
                                    Cell.faint(mebibytes(median(setting, side.title, "rss")))));
        }
    }

    private void judge(Setting setting) {
        Report report = setting.report();
        for (Side side : List.of(Side.DAEMON, Side.CONFIGURED)) {
            report.judge(
                    name(),
                    side.title,
                    "until its first file is served",
                    metric(setting, side.title, "start"),
                    1,
                    "ms",
                    START_GOAL);
        }
        report.compare(
                name(),
                Side.DAEMON.title,
                "of a hello world until then",
                metric(setting, Side.DAEMON.title, "start"),
                metric(setting, Side.HELLO.title, "start"),
                null);
        for (int loops : LOOPS) {
            String testCase = idle(loops);
            report.judge(
                    name(),
                    testCase,
                    "memory (PSS) when idle",
                    metric(setting, testCase, "pss"),
                    1,
                    "MiB",
                    MEMORY_GOAL);
            report.judge(
                    name(), testCase, "CPU in 10 s when idle", metric(setting, testCase, "idle"), 1, "ms", IDLE_GOAL);
        }
    }

    private static String mebibytes(double value) {
        return Units.format("%.1f MiB", value);
    }
}
