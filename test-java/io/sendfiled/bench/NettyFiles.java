package io.sendfiled.bench;

import io.sendfiled.bench.NettyServer.Way;
import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Files from a Netty server: by its own {@code DefaultFileRegion}, and by our handler. Warm files of all sizes and what one
 * costs; then what a slow disk and slow clients do to the server ({@link NettyBesideCold}, {@link NettySlowClients}).
 */
final class NettyFiles implements Scenario {
    private static final String HOW_TO_READ =
            "Of the rows beside cold downloads read the control, too: the same downloads from another process. "
                    + "Its p99 is what the machine costs. The system calls of a request vary by two: for two seconds after "
                    + "a call on a disk that took long the hot path asks after each call whether it has waited (getrusage).";

    /** A file of one size, and what ours should reach of {@code DefaultFileRegion}. */
    private record Size(long bytes, int connections, List<Way> ways) {
        String title() {
            return Units.size(bytes);
        }

        String file() {
            return "web-" + title().replace(" ", "");
        }

        /** Few of the largest are complete in a round: their bytes count. */
        String metric() {
            return bytes < LARGEST ? WebSide.RATE : WebSide.THROUGHPUT;
        }

        /** Of a round: as many as it takes to send several of the largest. */
        int seconds() {
            return bytes < LARGEST ? 1 : 3;
        }
    }

    private static final List<Way> WAYS = List.of(Way.REGION, Way.HANDLER, Way.CACHED);
    static final int SMALL = 4 << 10;
    static final String SMALL_FILE = "web-4KiB";
    private static final long MIB = 1 << 20;
    private static final long LARGEST = 1 << 30;
    private static final String NEVER_HOT = "4 KiB of FUSE";
    private static final Goal THROUGH_THE_CODEC = Goal.atLeast(1.2);
    private static final Goal WITH_CACHE = Goal.atLeast(1.6);
    private static final Goal LARGER = Goal.atLeast(1.0);
    private static final Goal CPU = Goal.atMost(0.85);
    private static final Goal NEVER_HOT_RATE = Goal.atLeast(0.7);
    private static final double CALLS = 6.5;
    private static final double CALLS_WITH_CACHE = 3.5;
    private static final double CALLS_NEVER_HOT = 18;

    private static final List<Column> COLUMNS = List.of(
            Column.left("warm file", 13),
            Column.left("server", 17),
            Column.right("served", 11),
            Column.right("ratio", 5),
            Column.right("p99", 7),
            Column.right("CPU each", 8),
            Column.right("calls", 5));

    @Override
    public String name() {
        return "netty";
    }

    @Override
    public String question() {
        return "Does a Netty server gain by the handler, and does a disk still hold it?";
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        setting.report().note(name(), HOW_TO_READ);
        if (!WebSide.available(setting, name(), "")) {
            return;
        }
        SystemCalls counter = SystemCalls.find();
        if (counter == SystemCalls.NEITHER) {
            setting.report().skip(name() + ", system calls", "not measured: install strace, or allow perf");
        }
        try (Stage stage = Stage.create(setting.programs())) {
            Map<Way, WebSide> sides = new EnumMap<>(Way.class);
            try {
                for (Way way : WAYS) {
                    sides.put(way, start(stage, way, setting.files()));
                }
                measureSizes(setting, stage, sides, counter);
                setting.attempt(this, NEVER_HOT, () -> measureNeverHot(setting, stage, sides, counter));
                setting.attempt(
                        this, NettyBesideCold.CASE, () -> new NettyBesideCold(name()).measure(setting, stage, sides));
                setting.attempt(
                        this, NettySlowClients.CASE, () -> new NettySlowClients(name()).measure(setting, sides));
            } finally {
                sides.values().forEach(WebSide::close);
            }
        }
    }

    static WebSide start(Stage stage, Way way, Path files) throws IOException, InterruptedException {
        return WebSide.start(way.title, user -> {
            List<String> command = stage.java(NettyServer.class, way, files);
            return WebServer.start(way.title, user == 0 ? command : stage.byOtherUser(command));
        });
    }

    static WebSide side(Map<Way, WebSide> sides, Way way) {
        return Objects.requireNonNull(sides.get(way));
    }

    private void measureSizes(Setting setting, Stage stage, Map<Way, WebSide> sides, SystemCalls counter)
            throws IOException, InterruptedException {
        List<Way> most = List.of(Way.REGION, Way.HANDLER);
        List<Size> sizes = new ArrayList<>(List.of(
                new Size(SMALL, Wrk.CONNECTIONS, WAYS),
                new Size(16 << 10, Wrk.CONNECTIONS, most),
                new Size(64 << 10, Wrk.CONNECTIONS, most),
                new Size(256 << 10, Wrk.CONNECTIONS, most),
                new Size(MIB, Wrk.CONNECTIONS, most)));
        if (setting.quick()) {
            sizes.removeIf(size -> size.bytes() > SMALL && size.bytes() < MIB);
            setting.report().skip(name() + ", between " + Units.size(SMALL) + " and " + Units.size(MIB), "--quick");
        }
        if (setting.quick() || Machine.availableMemory() < 2 * LARGEST) {
            setting.report()
                    .skip(name() + ", " + Units.size(LARGEST), setting.quick() ? "--quick" : "too little memory");
        } else {
            sizes.add(new Size(LARGEST, 2, most));
        }
        setting.screen().header(COLUMNS);
        for (Size size : sizes) {
            setting.attempt(this, size.title(), () -> measure(setting, stage, sides, counter, size));
        }
    }

    private void measure(Setting setting, Stage stage, Map<Way, WebSide> sides, SystemCalls counter, Size size)
            throws IOException, InterruptedException {
        Path file = TestFiles.file(setting.files(), size.file(), size.bytes());
        TestFiles.warm(file);
        boolean isSmallest = size.bytes() == SMALL;
        List<WebSide> measured =
                size.ways().stream().map(way -> side(sides, way)).toList();
        if (size.bytes() < LARGEST) {
            for (WebSide side : measured) {
                setting.screen().working(size.title() + ", warming up");
                side.prepare(size.file(), file, setting.quick() ? 0 : isSmallest ? WebSide.WARM_UP_SECONDS : 1);
            }
        }
        alternate(setting, size.title(), measured, size.file(), size.bytes(), size.connections(), size.seconds());
        if (isSmallest) {
            countCalls(setting, stage, measured, counter, size.title(), size.file());
        }
        for (Way way : size.ways()) {
            Goal goal = !isSmallest ? LARGER : way == Way.CACHED ? WITH_CACHE : THROUGH_THE_CODEC;
            compare(setting, size.title(), way, size.metric(), isSmallest || way == Way.HANDLER ? goal : null);
        }
        if (isSmallest) {
            judgeCost(setting, size.title(), Way.HANDLER, CPU, CALLS);
            judgeCost(setting, size.title(), Way.CACHED, null, CALLS_WITH_CACHE);
        }
    }

    /** A disk of which the kernel never says what it has: each file is asked of the engine, and of the disk. */
    private void measureNeverHot(Setting setting, Stage stage, Map<Way, WebSide> sides, SystemCalls counter)
            throws IOException, InterruptedException {
        String missing = SlowDisk.unavailableBecause(setting.programs());
        if (!missing.isEmpty()) {
            setting.report().skip(name() + ", " + NEVER_HOT, missing);
            return;
        }
        Path sources = setting.files().resolveSibling("web-fuse-sources");
        Path source = TestFiles.file(sources, "small-4k", SMALL);
        List<WebSide> measured = List.of(side(sides, Way.REGION), side(sides, Way.HANDLER));
        try (SlowDisk disk = SlowDisk.mount(setting.programs(), setting.files().resolve("web-fuse"), sources, 0)) {
            String file = disk.mountPoint().getFileName() + "/small-4k";
            for (WebSide side : measured) {
                setting.screen().working(NEVER_HOT + ", warming up");
                side.prepare(file, source, setting.quick() ? 0 : WebSide.WARM_UP_SECONDS);
            }
            alternate(setting, NEVER_HOT, measured, file, SMALL, Wrk.CONNECTIONS, 1);
            countCalls(setting, stage, measured, counter, NEVER_HOT, file);
        }
        for (Way way : List.of(Way.REGION, Way.HANDLER)) {
            compare(setting, NEVER_HOT, way, WebSide.RATE, NEVER_HOT_RATE);
        }
        judgeCost(setting, NEVER_HOT, Way.HANDLER, null, CALLS_NEVER_HOT);
    }

    private void alternate(
            Setting setting, String testCase, List<WebSide> sides, String file, long size, int connections, int seconds)
            throws IOException, InterruptedException {
        int rounds = WebSide.rounds(setting);
        Rounds.alternate(rounds, sides, (side, round) -> {
            setting.screen().working(testCase + ", " + side.title() + ", round " + (round + 1) + " of " + rounds);
            side.measure(setting, name(), testCase, file, size, connections, seconds, round);
        });
    }

    private void countCalls(
            Setting setting, Stage stage, List<WebSide> sides, SystemCalls counter, String testCase, String file)
            throws IOException, InterruptedException {
        if (counter == SystemCalls.NEITHER) {
            return;
        }
        Rounds.alternate(setting.rounds(), sides, (side, round) -> {
            double calls = side.systemCalls(counter, stage.directory("counts", 0), file);
            setting.report().sample(name(), testCase, side.title(), "system-calls", "calls/request", calls);
        });
    }

    /** Prints a row, and its ratio to that of {@code DefaultFileRegion}. */
    private void compare(Setting setting, String testCase, Way way, String metric, @Nullable Goal goal) {
        Report report = setting.report();
        boolean isTheirs = way == Way.REGION;
        Ratio ratio = isTheirs
                ? Ratio.of(Double.NaN)
                : report.compareRounds(
                        name(),
                        testCase,
                        way.title + ", of DefaultFileRegion",
                        way.title,
                        Way.REGION.title,
                        metric,
                        goal);
        double served = report.median(name(), testCase, way.title, metric);
        double calls = report.median(name(), testCase, way.title, "system-calls");
        Tone tone = isTheirs ? Tone.FAINT : Tone.PLAIN;
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                Cell.of(isTheirs ? testCase : ""),
                                new Cell(way.title, tone),
                                new Cell(
                                        metric.equals(WebSide.RATE)
                                                ? Units.rate(served)
                                                : Units.megabytesPerSecond(served),
                                        tone),
                                setting.cell(ratio, goal),
                                new Cell(Units.micros(report.median(name(), testCase, way.title, WebSide.P99)), tone),
                                new Cell(Units.micros(report.median(name(), testCase, way.title, Cost.CPU)), tone),
                                new Cell(Double.isNaN(calls) ? "–" : Units.format("%.1f", calls), tone)));
    }

    private void judgeCost(Setting setting, String testCase, Way way, @Nullable Goal cpu, double mostCalls) {
        Report report = setting.report();
        report.compareRounds(
                name(),
                testCase,
                way.title + ", CPU a request of that of DefaultFileRegion",
                way.title,
                Way.REGION.title,
                Cost.CPU,
                cpu);
        report.judge(
                name(),
                testCase,
                way.title + ", system calls a request",
                report.metric(name(), testCase, way.title, "system-calls"),
                1,
                "calls",
                Goal.atMost(mostCalls));
    }
}
