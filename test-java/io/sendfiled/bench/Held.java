package io.sendfiled.bench;

import com.google.gson.JsonObject;
import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Eight polite clients alone, and beside clients that hold what the daemon's threads wait for in the kernel, where no
 * flag makes a call non-blocking ({@code test-native/support/holder.c}).
 *
 * <p>A request that is not answered within {@link #LIMIT_S} counts as long as that. The holders use processors as well:
 * the control is the same polite load, beside the same holders, on a server that they do not ask for anything.
 */
final class Held implements Scenario {
    private static final String HOW_TO_READ =
            "The holders use processors as well: the control is the same load on a server that they do not ask. Two kinds cost "
                    + "more than it tells. Those who let go every 50 ms take what has come meanwhile, some 0.7 GB/s by 32 of "
                    + "them; before each call for a client that has held a thread the loop changes to another thread, and it "
                    + "changes back afterwards, which takes processor time, but makes nobody wait: see the p99. And who evicts "
                    + "pages has a thread that runs all the time, at the lowest priority. A program that only runs "
                    + "(nice -n 19 sh -c 'while :; do :; done') costs the eight as much.";

    /** What is held, and how; the options of holder. */
    private record Attack(String title, Needs needs, List<Object> options) {
        Attack(String title, Needs needs, Object... options) {
            this(title, needs, List.of(options));
        }
    }

    private enum Needs {
        NOTHING,
        DISK, // FUSE
        PRIVILEGE
    }

    /** Some holders of a kind. */
    private record Case(Attack attack, int loops, int holders) {
        String title() {
            return attack.title() + ", " + holders + (holders == 1 ? " holder, " : " holders, ") + loops
                    + (loops == 1 ? " loop" : " loops");
        }
    }

    /** Of eight: the median of their medians, and the highest 99th percentile. In microseconds. */
    private record Latency(double p50, double p99) {}

    private static final int POLITE = 8;
    private static final int DEPTH = 4;
    private static final int SIZE = 4096;
    private static final String FILE = "small-4k";
    private static final String SCANNED = "held-4k";
    private static final String BIG = "held-64m";
    private static final int BIG_SIZE = 64 << 20;
    private static final String DEAD = "dead-1m"; // a page for each holder
    private static final String EVICTED = "evicted-256k"; // few reads of the disk, so that transfers are many
    private static final int EVICTED_SIZE = 256 << 10;
    private static final long READ_MS = 100;
    private static final int LIMIT_S = 3;
    private static final int MAX_TRANSFERS = 1000;

    private static final List<Attack> ATTACKS = List.of(
            new Attack("splice", Needs.NOTHING, "--kind", "splice"),
            new Attack("splice, then ask", Needs.NOTHING, "--kind", "splice", "--early"),
            new Attack("splice, 50 ms each", Needs.NOTHING, "--kind", "splice", "--hold-ms", 50),
            new Attack("splice, slow reader", Needs.NOTHING, "--kind", "splice-slow"),
            new Attack("read", Needs.DISK, "--kind", "read"),
            new Attack("recv, of sendfile", Needs.DISK, "--kind", "socket", "--early"),
            new Attack("recv, of sendmsg", Needs.DISK, "--kind", "socket-blocking", "--early"),
            new Attack("evicted pages", Needs.DISK, "--kind", "evict"),
            new Attack("fanotify, 4 s", Needs.PRIVILEGE, "--kind", "fanotify"));

    private static final List<Integer> HOLDERS = List.of(1, 32);
    private static final List<Integer> QUICK_HOLDERS = List.of(2);
    private static final List<Integer> LOOPS = List.of(1, 4);
    private static final List<Integer> QUICK_LOOPS = List.of(2);

    private static final Goal MEDIAN_GOAL = Goal.atMost(1.2);
    private static final Goal P99_GOAL_MS = Goal.atMost(30);

    private static final String POLITE_ONES = "polite";
    private static final String CONTROL = "control";
    private static final String ALONE = ", alone";
    private static final String MEDIAN = "p50";
    private static final String P99 = "p99";

    private static final List<Column> COLUMNS = List.of(
            Column.left("held by", 19),
            Column.right("holders", 7),
            Column.right("loops", 5),
            Column.right("p50", 8),
            Column.right("ratio", 6),
            Column.right("control", 7),
            Column.right("p99", 8));

    @Override
    public String name() {
        return "held";
    }

    @Override
    public String question() {
        return "What do eight polite clients keep beside clients that hold kernel locks?";
    }

    @Override
    public boolean isAboutDaemonOnly() {
        return true;
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        setting.report().note(name(), HOW_TO_READ);
        TestFiles.warm(TestFiles.file(setting.files(), FILE, SIZE));
        TestFiles.warm(TestFiles.file(setting.files(), SCANNED, SIZE));
        TestFiles.warm(TestFiles.file(setting.files(), BIG, BIG_SIZE));
        try (Disks disks = Disks.mount(setting)) {
            List<Attack> attacks = possible(setting, disks);
            List<Integer> loops = setting.quick() ? QUICK_LOOPS : LOOPS;
            setting.screen().header(COLUMNS);
            for (int count : loops) {
                measure(setting, disks, count, attacks);
                attacks.forEach(attack -> cases(setting, attack, List.of(count)).forEach(one -> print(setting, one)));
            }
            attacks.forEach(attack -> judge(setting.report(), cases(setting, attack, loops)));
        }
    }

    /** Those that this machine and user can have; of the others the report says why not. */
    private List<Attack> possible(Setting setting, Disks disks) throws IOException, InterruptedException {
        Map<Needs, String> missing = new TreeMap<>();
        if (!disks.missing().isEmpty()) {
            missing.put(Needs.DISK, disks.missing());
        }
        if ((Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid") != 0) {
            missing.put(Needs.PRIVILEGE, "permission events of fanotify(7) are root's");
        }
        List<Attack> attacks = new ArrayList<>();
        for (Attack attack : ATTACKS) {
            String why = missing.get(attack.needs());
            if (why == null) {
                attacks.add(attack);
            } else {
                setting.leaveOut(name(), attack.title(), why);
            }
        }
        return attacks;
    }

    private static List<Case> cases(Setting setting, Attack attack, List<Integer> loops) {
        List<Integer> holders = setting.quick() ? QUICK_HOLDERS : HOLDERS;
        return loops.stream()
                .flatMap(count -> holders.stream().map(held -> new Case(attack, count, held)))
                .toList();
    }

    private void measure(Setting setting, Disks disks, int loops, List<Attack> attacks)
            throws IOException, InterruptedException {
        try (Server daemon = Server.startDaemon(
                        setting.programs(),
                        "held-" + loops,
                        MAX_TRANSFERS,
                        setting.files(),
                        setting.sockets(),
                        "--loops=" + loops);
                Server fewest =
                        Server.start(setting.programs(), Server.Kind.FEWEST, setting.files(), setting.sockets())) {
            setting.load().run(daemon, "--path", FILE, "--depth", 32, "--count", 30_000); // compiled code, a grown heap
            int rounds = setting.quick() ? 1 : setting.rounds();
            Rounds.alternate(rounds, attacks, (attack, round) -> {
                Latency alone = polite(setting, daemon);
                Latency controlAlone = polite(setting, fewest);
                for (Case one : cases(setting, attack, List.of(loops))) {
                    setting.screen().working(one.title() + ", round " + (round + 1) + " of " + rounds);
                    record(setting, one, POLITE_ONES + ALONE, alone);
                    record(setting, one, CONTROL + ALONE, controlAlone);
                    try (Holders holders = Holders.start(setting, disks, daemon, attack, one.holders())) {
                        record(setting, one, POLITE_ONES, polite(setting, daemon));
                        record(setting, one, CONTROL, polite(setting, fewest));
                        holders.release();
                    }
                }
            });
        }
    }

    private static Latency polite(Setting setting, Server server) throws IOException {
        double seconds = setting.quick() ? 0.3 : 0.4;
        List<LoadClient.Running> clients = new ArrayList<>();
        List<LoadClient.Result> results = new ArrayList<>();
        try {
            for (int i = 0; i < POLITE; i++) {
                clients.add(setting.load()
                        .start(
                                server,
                                "--path",
                                FILE,
                                "--reference",
                                setting.files().resolve(FILE),
                                "--depth",
                                DEPTH,
                                "--seconds",
                                seconds,
                                "--timeout",
                                LIMIT_S));
            }
            for (LoadClient.Running client : clients) {
                LoadClient.Result result = client.resultWithFailures();
                if (result.failures() > 0 && !result.first_failure().equals("timeout")) {
                    throw new IOException("a polite client's request failed: " + result.first_failure());
                }
                results.add(result);
            }
        } finally {
            clients.forEach(LoadClient.Running::close);
        }
        double limitUs = LIMIT_S * 1e6;
        return new Latency(
                Units.median(results.stream()
                        .mapToDouble(result -> result.failures() > 0 ? limitUs : result.p50_us())
                        .toArray()),
                results.stream()
                        .mapToDouble(result -> result.failures() > 0 ? limitUs : result.p99_us())
                        .max()
                        .orElseThrow());
    }

    private void record(Setting setting, Case one, String subject, Latency latency) {
        setting.report().sample(name(), one.title(), subject, MEDIAN, "us", latency.p50());
        setting.report().sample(name(), one.title(), subject, P99, "us", latency.p99());
    }

    private Report.Metric metric(Report report, Case one, String subject, String metric) {
        return report.metric(name(), one.title(), subject, metric);
    }

    /** The median beside holders of that alone. */
    private Ratio ratio(Report report, Case one, String subject) {
        return Ratio.ofRounds(metric(report, one, subject, MEDIAN), metric(report, one, subject + ALONE, MEDIAN));
    }

    /** By the worst of the cases of an attack, by the median of its rounds. */
    private void judge(Report report, List<Case> cases) {
        Case slowest = cases.stream()
                .max(Comparator.comparingDouble(
                        one -> ratio(report, one, POLITE_ONES).value()))
                .orElseThrow();
        Case latest = cases.stream()
                .max(Comparator.comparingDouble(
                        one -> metric(report, one, POLITE_ONES, P99).median()))
                .orElseThrow();
        compare(report, slowest, POLITE_ONES, "median of the eight, beside them of alone, the worst case", MEDIAN_GOAL);
        compare(report, slowest, CONTROL, "control: the same of a server that is not held", null);
        report.judge(
                name(),
                latest.title(),
                "p99 of the eight, the worst case",
                metric(report, latest, POLITE_ONES, P99),
                1e-3,
                "ms",
                P99_GOAL_MS);
    }

    private void compare(Report report, Case one, String subject, String what, @Nullable Goal goal) {
        report.compareRounds(name(), one.title(), what, subject, subject + ALONE, MEDIAN, goal);
    }

    private void print(Setting setting, Case one) {
        Report report = setting.report();
        Report.Metric median = metric(report, one, POLITE_ONES, MEDIAN);
        double p99 = metric(report, one, POLITE_ONES, P99).median();
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                Cell.of(one.attack().title()),
                                Cell.of(Integer.toString(one.holders())),
                                Cell.of(Integer.toString(one.loops())),
                                Cell.of(Units.micros(median.median())),
                                setting.cell(ratio(report, one, POLITE_ONES), MEDIAN_GOAL),
                                setting.cell(ratio(report, one, CONTROL), null),
                                setting.cell(Units.micros(p99), p99 / 1000, P99_GOAL_MS, Tone.PLAIN)));
    }

    /** A disk that answers nothing while holders hold, and a slow one inside the servers' root; or why there is none. */
    private record Disks(@Nullable SlowDisk dead, @Nullable SlowDisk slow, Path sources, String missing)
            implements AutoCloseable {
        static Disks mount(Setting setting) throws IOException, InterruptedException {
            Path sources = setting.files().resolveSibling("held-sources");
            String missing = SlowDisk.unavailableBecause(setting.programs());
            if (!missing.isEmpty()) {
                return new Disks(null, null, sources, missing);
            }
            TestFiles.file(sources, DEAD, 1 << 20);
            TestFiles.file(sources, EVICTED, EVICTED_SIZE);
            SlowDisk slow = SlowDisk.mount(setting.programs(), setting.files().resolve("held-slow"), sources, READ_MS);
            try {
                Path dead = setting.files().resolveSibling("held-dead");
                return new Disks(SlowDisk.mountHeld(setting.programs(), dead, sources, DEAD), slow, sources, "");
            } catch (IOException | InterruptedException | RuntimeException e) {
                slow.close();
                throw e;
            }
        }

        @Override
        public void close() {
            if (dead != null) {
                dead.close();
            }
            if (slow != null) {
                slow.close();
            }
        }
    }

    /** The clients that hold, as long as it is open. */
    private record Holders(
            Process process,
            BufferedReader output,
            @Nullable SlowDisk disk) implements AutoCloseable {
        /** Returns when all hold, or as many as can. Blocks. */
        static Holders start(Setting setting, Disks disks, Server daemon, Attack attack, int count)
                throws IOException, InterruptedException {
            List<String> command = Programs.command(setting.programs().helper("holder"));
            List<Object> options = new ArrayList<>(attack.options());
            options.addAll(List.of("--socket", daemon.socket(), "--pid", daemon.pid(), "--clients", count));
            SlowDisk slow = disks.slow();
            SlowDisk dead = disks.dead();
            if (attack.options().contains("evict") && slow != null) {
                Path file = slow.mountPoint().resolve(EVICTED);
                options.addAll(List.of("--path", setting.files().relativize(file), "--file", file));
                options.addAll(List.of("--reference", disks.sources().resolve(EVICTED)));
            } else {
                String file = attack.needs() == Needs.PRIVILEGE ? SCANNED : BIG;
                options.addAll(List.of("--path", file, "--file", setting.files().resolve(file)));
            }
            if (dead != null) {
                dead.hold();
                options.addAll(List.of("--dead", dead.mountPoint().resolve(DEAD)));
            }
            options.forEach(option -> command.add(option.toString()));
            Process process =
                    Programs.startAttached(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT));
            BufferedReader output =
                    new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
            Holders holders = new Holders(process, output, dead);
            String line = output.readLine();
            if (line == null || !line.startsWith("held ")) {
                holders.close();
                throw new IOException("holder says: " + line);
            }
            return holders;
        }

        /** Lets go, and demands that none of their transfers got other bytes than it should. Blocks. */
        void release() throws IOException, InterruptedException {
            if (disk != null) {
                disk.release();
            }
            process.getOutputStream().close();
            String line = output.readLine();
            JsonObject ends = LoadClient.parse(line == null ? "" : line, JsonObject.class);
            if (ends.get("wrong").getAsInt() > 0 || ends.get("unfinished").getAsInt() > 0) {
                throw new IOException("the holders' own transfers: " + ends);
            }
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }
}
