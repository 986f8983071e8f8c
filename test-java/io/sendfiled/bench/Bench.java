package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import org.jspecify.annotations.Nullable;

/**
 * The benchmark harness: {@code ./dev bench}. Both sides of every comparison run in the same run, in alternating rounds;
 * medians and ratios are what counts, absolute numbers drift.
 *
 * <p>All load stays on loopback and UNIX sockets and is bounded in count and time.
 */
public final class Bench {
    private static final List<Scenario> SCENARIOS = List.of(
            new Throughput(),
            new SmallRequests(),
            new Sessions(),
            new Loops(),
            new ColdIsolation(),
            new ColdThroughput(),
            new StuckReceivers(),
            new Flooder(),
            new Uids(),
            new Held(),
            new ForcedTechniques(),
            new RateLimit(),
            new Buffers(),
            new ReadBuffer(),
            new Start(),
            new NettyFiles(),
            new HotPath());
    private static final double BUSY_LOAD = 0.75;
    private static final int DEFAULT_ROUNDS = 5;
    private static final int QUICK_ROUNDS = 3;

    private Bench() {}

    /** Exit status 0, 1 when something failed, 2 for a wrong command line, 3 when a goal was missed under --check. */
    public static void main(String[] args) throws InterruptedException {
        Options options = options();
        CommandLine line;
        try {
            line = new DefaultParser().parse(options, args);
            if (!line.getArgList().isEmpty()) {
                throw new ParseException("unexpected: " + line.getArgList().get(0));
            }
        } catch (ParseException e) {
            System.err.println("bench: " + e.getMessage());
            System.err.println(usage());
            System.exit(2);
            return;
        }
        if (line.hasOption("help")) {
            System.out.println(usage());
            return;
        }
        try {
            System.exit(run(line));
        } catch (IOException e) {
            System.err.println("bench: " + e.getMessage());
            System.exit(1);
        } catch (IllegalArgumentException e) {
            System.err.println("bench: " + e.getMessage());
            System.exit(2);
        }
    }

    private static Options options() {
        return new Options()
                .addOption(Option.builder()
                        .longOpt("scenario")
                        .hasArgs()
                        .valueSeparator(',')
                        .get())
                .addOption(Option.builder().longOpt("json").hasArg().get())
                .addOption(Option.builder().longOpt("rounds").hasArg().get())
                .addOption(Option.builder().longOpt("quick").get())
                .addOption(Option.builder().longOpt("without-daemon").get())
                .addOption(Option.builder().longOpt("check").get())
                .addOption(Option.builder().longOpt("help").get());
    }

    private static String usage() {
        StringBuilder text = new StringBuilder("""
                usage: ./dev bench [options]
                  --scenario NAME,...  only these (all)
                  --rounds N           rounds of each measurement (5; with --quick 3)
                  --quick              smaller files, shorter rounds
                  --json FILE          write every sample, median and ratio
                  --check              exit status 3 when a goal is missed: noisy is not
                  --without-daemon     only the limits and the yardstick servers
                scenarios:
                """);
        for (Scenario scenario : SCENARIOS) {
            text.append("  ")
                    .append(Screen.pad(scenario.name(), 12, false))
                    .append(scenario.question())
                    .append('\n');
        }
        return text.toString().stripTrailing();
    }

    private static int run(CommandLine line) throws IOException, InterruptedException {
        boolean quick = line.hasOption("quick");
        int rounds = quick ? QUICK_ROUNDS : DEFAULT_ROUNDS;
        if (line.hasOption("rounds")) {
            rounds = parseRounds(line.getOptionValue("rounds"));
        }
        List<Scenario> chosen = choose(line.getOptionValues("scenario"));
        Programs programs = Programs.fromSystemProperties();
        List<Server.Kind> servers = new ArrayList<>(List.of(Server.Kind.values()));
        if (line.hasOption("without-daemon")) {
            servers.removeAll(List.of(Server.Kind.DAEMON, Server.Kind.UNCONFINED));
        } else {
            programs.daemon(); // Missing: say so now, not after minutes.
        }
        Path files = Programs.workDirectory("bench").resolve("files");
        Files.createDirectories(files);
        Path sockets = Files.createTempDirectory("sfd-bench");
        Screen screen = Screen.onStandardOutput();
        double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
        Report report = new Report(load);
        if (!Programs.isRoot()) {
            screen.warn(
                    "one user",
                    "the daemon owns the files that it serves, as most do not: start as root for two users");
        }
        if (load > BUSY_LOAD * Runtime.getRuntime().availableProcessors()) {
            screen.warn(
                    "busy machine",
                    Units.format("load average %.1f: others are in every number, and in the ratios too", load));
        }
        Scenario.Setting setting = new Scenario.Setting(
                programs, new LoadClient(programs), servers, files, sockets, rounds, quick, report, screen);
        try {
            for (Scenario scenario : chosen) {
                if (scenario.isAboutDaemonOnly() && !setting.measures(Server.Kind.DAEMON)) {
                    report.skip(scenario.name(), "there is nothing to measure without the daemon");
                    continue;
                }
                screen.blank();
                screen.title(scenario.name(), scenario.question());
                screen.blank();
                run(scenario, setting);
            }
        } finally {
            deleteTree(sockets);
        }
        boolean met = summarize(screen, report);
        double seconds = report.seconds().values().stream()
                .mapToDouble(Double::doubleValue)
                .sum();
        screen.line("  " + screen.paint(Tone.FAINT, Units.format("measured for %.0f s", seconds)));
        if (line.hasOption("json")) {
            Path json = Path.of(line.getOptionValue("json"));
            report.writeJson(json, rounds);
            screen.line("  " + screen.paint(Tone.FAINT, "samples: " + json));
        }
        if (!report.failed().isEmpty()) {
            return 1;
        }
        return met || !line.hasOption("check") ? 0 : 3;
    }

    private static void run(Scenario scenario, Scenario.Setting setting) throws InterruptedException {
        long startNs = System.nanoTime();
        setting.attempt(scenario, "", () -> scenario.run(setting));
        setting.report().took(scenario.name(), (System.nanoTime() - startNs) / 1e9);
    }

    private static int parseRounds(String text) {
        try {
            int rounds = Integer.parseInt(text);
            if (rounds >= 1 && rounds <= 100) {
                return rounds;
            }
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("--rounds: '" + text + "' is not a number", e);
        }
        throw new IllegalArgumentException("--rounds: " + text + " is out of range (1..100)");
    }

    private static List<Scenario> choose(String @Nullable [] names) {
        if (names == null) {
            return SCENARIOS;
        }
        List<Scenario> chosen = new ArrayList<>();
        for (String name : names) {
            chosen.add(SCENARIOS.stream()
                    .filter(scenario -> scenario.name().equals(name))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("--scenario: there is no '" + name + "'")));
        }
        return chosen;
    }

    private static boolean summarize(Screen screen, Report report) {
        boolean met = true;
        if (report.skipped().isEmpty()
                && report.failed().isEmpty()
                && report.comparisons().stream().allMatch(c -> c.goal() == null)) {
            return true;
        }
        screen.blank();
        screen.title("goals", "ratios within this run");
        screen.blank();
        for (Report.Comparison comparison : report.comparisons()) {
            Goal goal = comparison.goal();
            if (goal == null) {
                continue;
            }
            String detail = comparison.shown() + " (" + goal + ")  " + comparison.what();
            switch (Objects.requireNonNull(comparison.verdict())) {
                case MET -> screen.step(comparison.testCase(), detail);
                case NOISY -> screen.noisy(comparison.testCase(), detail + ", noisy");
                case MISSED -> {
                    met = false;
                    screen.failure(comparison.testCase(), detail);
                }
            }
        }
        report.skipped().forEach((scenario, why) -> screen.warn(scenario, "left out: " + why));
        report.failed()
                .forEach((scenario, why) ->
                        screen.failure(scenario, "broke off, so its goals are not measured: " + why));
        return met;
    }

    /** A ratio; with a goal it is green, red, or yellow where the rounds allow no verdict. */
    static Cell ratioCell(Ratio ratio, @Nullable Goal goal) {
        if (!ratio.isMeasured()) {
            return Cell.faint("–");
        }
        Ratio.Verdict verdict = ratio.verdict(goal);
        Tone tone = verdict == null
                ? Tone.FAINT
                : switch (verdict) {
                    case MET -> Tone.GOOD;
                    case NOISY -> Tone.WARN;
                    case MISSED -> Tone.BAD;
                };
        return new Cell(Units.ratio(ratio.value()), tone);
    }

    /** The same of a ratio of numbers that have no rounds in common. */
    static Cell ratioCell(double ratio, @Nullable Goal goal) {
        return ratioCell(Ratio.of(ratio), goal);
    }

    static void deleteTree(Path directory) throws IOException {
        try (Stream<Path> tree = Files.walk(directory)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }
}
