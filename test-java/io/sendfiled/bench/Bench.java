package io.sendfiled.bench;

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
            new HotPath(),
            new Peers());
    private static final double BUSY_LOAD = 0.75;
    private static final int DEFAULT_ROUNDS = 5;
    private static final int QUICK_ROUNDS = 2;
    private static final int STATUS_CHECK = 3;
    /** What goes with --report. */
    private static final List<String> SHOWING = List.of("markdown", "html");

    private Bench() {}

    /**
     * Exit status 0, 1 when something failed, 2 for a wrong command line, 3 under --check when a goal was missed, or when
     * something has become worse.
     */
    public static void main(String[] args) throws InterruptedException {
        CommandLine line;
        try {
            line = parse(args);
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

    private static CommandLine parse(String... args) throws ParseException {
        CommandLine line = new DefaultParser().parse(options(), args);
        if (!line.getArgList().isEmpty()) {
            throw new ParseException("unexpected: " + line.getArgList().get(0));
        }
        for (String other : List.of("report", "compare")) {
            List<String> also = Stream.of(line.getOptions())
                    .map(Option::getLongOpt)
                    .filter(option -> !option.equals(other))
                    .filter(option -> !(other.equals("report") ? SHOWING : List.of("check")).contains(option))
                    .toList();
            if (line.hasOption(other) && !also.isEmpty()) {
                throw new ParseException("--" + other + " measures nothing: it does not go with --" + also.get(0));
            }
        }
        if (line.hasOption("compare") && line.getOptionValues("compare").length < 2) {
            throw new ParseException("--compare needs two files or more");
        }
        if (line.hasOption("quick") && line.hasOption("check")) {
            throw new ParseException("--quick judges nothing: it does not go with --check");
        }
        return line;
    }

    private static Options options() {
        return new Options()
                .addOption(Option.builder()
                        .longOpt("scenario")
                        .hasArgs()
                        .valueSeparator(',')
                        .get())
                .addOption(Option.builder().longOpt("rounds").hasArg().get())
                .addOption(Option.builder().longOpt("quick").get())
                .addOption(Option.builder().longOpt("without-daemon").get())
                .addOption(Option.builder().longOpt("check").get())
                .addOption(Option.builder().longOpt("json").hasArg().get())
                .addOption(Option.builder().longOpt("markdown").hasArg().get())
                .addOption(Option.builder().longOpt("html").hasArg().get())
                .addOption(Option.builder().longOpt("report").hasArg().get())
                .addOption(Option.builder().longOpt("compare").hasArgs().get())
                .addOption(Option.builder().longOpt("peers").get()) // dev has installed them before
                .addOption(Option.builder().longOpt("help").get());
    }

    private static String usage() {
        StringBuilder text = new StringBuilder("""
                usage: ./dev bench [options]
                  --scenario NAME,...  only these (all)
                  --rounds N           rounds of each measurement, 1 to 100 (5; with --quick 2)
                  --quick              shows that all of it works, in under 4 minutes: fewer and
                                       smaller files, shorter rounds, no figures to quote, and
                                       no verdicts
                  --check              exit status 3 when a goal is missed: noisy is not
                  --peers              install what the servers to compare with need
                  --without-daemon     only the limits and the yardstick servers
                  --json FILE          write every sample, median and ratio (doc/benchmark-results.md)
                  --markdown FILE      write the report as Markdown
                  --html FILE          write the report as a page with charts, which loads nothing
                to measure nothing:
                  --report FILE        write the reports of a JSON file beside it, as .md and .html;
                                       with --markdown or --html only those
                  --compare OLD NEW    compare two JSON files, row by row; with --check the exit
                                       status is 3 when a goal's figure is worse
                  --compare A B C...   of runs of one build: whether their figures agree within
                                       10 %, or most runs say that they are noisy; with --check
                                       the exit status is 3 when neither is so
                exit status: 0, or 1 if something failed, 2 if the command line is wrong,
                3 by --check
                scenarios:
                """);
        for (Scenario scenario : SCENARIOS) {
            text.append("  ")
                    .append(Screen.pad(scenario.name(), 12, false))
                    .append(String.join("\n" + " ".repeat(14), Screen.wrap(scenario.question(), 14, 14)))
                    .append('\n');
        }
        return text.toString().stripTrailing();
    }

    private static int run(CommandLine line) throws IOException, InterruptedException {
        Screen screen = Screen.onStandardOutput();
        if (line.hasOption("compare")) {
            List<Results> runs = new ArrayList<>();
            for (String file : line.getOptionValues("compare")) {
                runs.add(Results.read(path(file)));
            }
            boolean wrong = runs.size() == 2
                    ? DifferencesScreen.print(screen, runs.get(0), runs.get(1))
                    : AgreementScreen.print(screen, runs);
            return wrong && line.hasOption("check") ? STATUS_CHECK : 0;
        }
        if (line.hasOption("report")) {
            Path file = path(line.getOptionValue("report"));
            Results results = Results.read(file);
            String name = file.toString().replaceFirst("\\.json$", "");
            boolean both = !line.hasOption("markdown") && !line.hasOption("html");
            show(
                    screen,
                    results,
                    both ? Path.of(name + ".md") : output(line, "markdown"),
                    both ? Path.of(name + ".html") : output(line, "html"));
            return 0;
        }
        return measure(line, screen);
    }

    /** As seen from where ./dev was called, which is not where it runs. */
    private static Path path(String name) {
        return Path.of(System.getProperty("sendfiled.bench.caller", "")).resolve(name);
    }

    /**
     * The file of an option, whose directory is made; null: it was not given. There is nothing to measure for a file that
     * cannot be written.
     */
    private static @Nullable Path output(CommandLine line, String option) {
        if (!line.hasOption(option)) {
            return null;
        }
        Path file = path(line.getOptionValue(option)).toAbsolutePath();
        Path directory = Objects.requireNonNullElse(file.getParent(), file);
        try {
            Files.createDirectories(directory);
        } catch (IOException e) {
            throw new IllegalArgumentException("--" + option + ": " + directory + " is no directory", e);
        }
        if (Files.isDirectory(file)) {
            throw new IllegalArgumentException("--" + option + ": " + file + " is a directory");
        }
        return file;
    }

    private static void show(Screen screen, Results results, @Nullable Path markdown, @Nullable Path html)
            throws IOException {
        if (markdown != null) {
            MarkdownReport.write(results, markdown);
            written(screen, markdown);
        }
        if (html != null) {
            HtmlReport.write(results, html);
            written(screen, html);
        }
    }

    private static void written(Screen screen, Path file) {
        screen.line("  " + screen.paint(Tone.FAINT, "written: " + file));
    }

    private static int measure(CommandLine line, Screen screen) throws IOException, InterruptedException {
        boolean quick = line.hasOption("quick");
        int rounds = quick ? QUICK_ROUNDS : DEFAULT_ROUNDS;
        if (line.hasOption("rounds")) {
            rounds = parseRounds(line.getOptionValue("rounds"));
        }
        List<Scenario> chosen = choose(line.getOptionValues("scenario"));
        Path json = output(line, "json");
        Path markdown = output(line, "markdown");
        Path html = output(line, "html");
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
        double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
        Report report = new Report(load, quick);
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
        Results results = report.results(rounds);
        boolean met = summarize(screen, results);
        if (json != null) {
            results.write(json);
            written(screen, json);
            results = Results.read(json);
        }
        show(screen, results, markdown, html);
        if (!results.failed().isEmpty()) {
            return 1;
        }
        return met || !line.hasOption("check") ? 0 : STATUS_CHECK;
    }

    private static void run(Scenario scenario, Scenario.Setting setting) throws InterruptedException {
        long startNs = System.nanoTime();
        setting.attempt(scenario, "", () -> scenario.run(setting));
        setting.report().took(scenario.name(), scenario.question(), (System.nanoTime() - startNs) / 1e9);
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

    /** Whether no goal was missed. */
    private static boolean summarize(Screen screen, Results results) {
        if (results.environment().quick()) {
            screen.blank();
            screen.warn("no verdicts", "a quick run shows that all of it works: its figures say nothing of goals");
        }
        List<Report.Comparison> goals = results.judged();
        if (!goals.isEmpty()
                || !results.skipped().isEmpty()
                || !results.failed().isEmpty()) {
            screen.blank();
            screen.title("goals", "ratios within this run");
            screen.blank();
        }
        for (Report.Comparison comparison : goals) {
            String detail = comparison.shown() + " (" + comparison.goal() + ")  " + comparison.what();
            switch (Objects.requireNonNull(comparison.verdict())) {
                case MET -> screen.step(comparison.testCase(), detail);
                case NOISY, FEW_ROUNDS ->
                    screen.noisy(
                            comparison.testCase(),
                            detail + ", " + comparison.verdict().word());
                case MISSED -> screen.failure(comparison.testCase(), detail);
            }
        }
        results.skipped().forEach((scenario, why) -> screen.warn(scenario, "left out: " + why));
        results.failed()
                .forEach((scenario, why) ->
                        screen.failure(scenario, "broke off, so its goals are not measured: " + why));
        double seconds =
                results.scenarios().stream().mapToDouble(Results.Asked::seconds).sum();
        screen.line("  " + screen.paint(Tone.FAINT, Units.format("measured for %.0f s", seconds)));
        return results.count(Ratio.Verdict.MISSED) == 0;
    }

    /** Deletes a directory and all that is in it. Blocks. */
    public static void deleteTree(Path directory) throws IOException {
        try (Stream<Path> tree = Files.walk(directory)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }
}
