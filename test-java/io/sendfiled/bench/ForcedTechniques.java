package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Every technique into every kind of destination that it fits, a big warm file each: does auto choose well? */
final class ForcedTechniques implements Scenario {
    private static final String HOW_TO_READ =
            "Of the techniques that fit, auto is to take the one that costs the least processor time: a daemon serves many "
                    + "at once. A single receiver may have its bytes sooner by a copy (mmap, read-write): two processors "
                    + "share the work then, and the server's part of it is two or three times as much.";

    private record Destination(String title, String operation, String channel, List<String> techniques) {}

    private static final String FILE = "file";
    private static final String MEMORY_FILE = "memory file"; // copy_file_range wants one file system (EXDEV)
    private static final String AUTO = "auto";
    /** As on the wire: the number is the place. */
    static final List<String> TECHNIQUES = List.of(AUTO, "sendfile", "splice", "mmap", "read-write", "copy-file-range");

    private static final List<String> TO_SOCKETS = List.of(AUTO, "sendfile", "mmap", "read-write");
    private static final List<Destination> DESTINATIONS = List.of(
            new Destination("TCP", "send", "tcp", TO_SOCKETS),
            new Destination("UNIX socket", "send", "unix", TO_SOCKETS),
            new Destination("pipe (Read File)", "read", "pipe", List.of(AUTO, "splice", "mmap", "read-write")),
            new Destination(
                    "pipe, non-blocking", "send", "pipe", List.of(AUTO, "splice", "sendfile", "mmap", "read-write")),
            new Destination(
                    "file, same disk",
                    "send",
                    FILE,
                    List.of(AUTO, "copy-file-range", "sendfile", "mmap", "read-write")),
            new Destination("memory file", "send", MEMORY_FILE, TO_SOCKETS),
            new Destination("/dev/null", "send", "null", TO_SOCKETS));
    private static final Goal CHEAP = Goal.atMost(1.1);
    private static final int FILES_A_ROUND = 4; // a process of its own for each would measure its start
    private static final int MIB = 1 << 20;
    private static final String SPEED = "throughput";
    private static final List<Column> COLUMNS = List.of(
            Column.left("warm, to", 20),
            Column.right(AUTO, 9),
            Column.right("CPU a GB", 8),
            Column.left("fastest forced", 15),
            Column.right("its speed", 9),
            Column.right("ratio", 5));

    @Override
    public String name() {
        return "techniques";
    }

    @Override
    public String question() {
        return "Which technique is the fastest into what, and does auto know?";
    }

    @Override
    public boolean isAboutDaemonOnly() {
        return true;
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        setting.report().note(name(), HOW_TO_READ);
        long size = (setting.quick() ? 32L : 128L) * MIB;
        String fileName = "techniques-" + (size >> 20) + "m";
        setting.screen().working("making " + fileName);
        Path file = TestFiles.file(setting.files(), fileName, size);
        TestFiles.warm(file);
        try (Server daemon = Server.start(setting.programs(), Server.Kind.DAEMON, setting.files(), setting.sockets())) {
            setting.screen().header(Units.size(size) + ", warm, to", COLUMNS);
            for (Destination destination : DESTINATIONS) {
                measure(setting, daemon, destination, fileName);
                print(setting, destination);
            }
        }
    }

    private void measure(Setting setting, Server daemon, Destination destination, String fileName)
            throws IOException, InterruptedException {
        Rounds.alternate(setting.rounds(), destination.techniques(), (technique, round) -> {
            setting.screen().working(destination.title() + ", " + technique);
            LoadClient.Result result = setting.load().run(daemon, options(setting, destination, fileName, technique));
            String used = TECHNIQUES.get(result.technique());
            if (!technique.equals(AUTO) && !technique.equals(used)) {
                throw new IOException(technique + " was forced, and " + used + " was used");
            }
            String subject = subject(technique);
            setting.report().sample(name(), destination.title(), subject, SPEED, "MB/s", result.mb_per_s());
            result.sampleVolume(setting.report(), name(), destination.title(), subject);
        });
        Report report = setting.report();
        String fastest = fastest(report, destination);
        compare(report, destination, "auto of the fastest forced (" + fastest + ")", fastest, SPEED, null);
        String cheapest = forced(destination)
                .min(Comparator.comparingDouble(technique -> median(report, destination, technique, Cost.CPU)))
                .orElseThrow();
        compare(report, destination, "CPU, auto of the cheapest forced (" + cheapest + ")", cheapest, Cost.CPU, CHEAP);
    }

    private void compare(
            Report report, Destination destination, String what, String other, String metric, @Nullable Goal goal) {
        report.compareRounds(name(), destination.title(), what, AUTO, subject(other), metric, goal);
    }

    private static Stream<String> forced(Destination destination) {
        return destination.techniques().stream().filter(technique -> !technique.equals(AUTO));
    }

    private static String subject(String technique) {
        return technique.equals(AUTO) ? AUTO : "forced " + technique;
    }

    private static Object[] options(Setting setting, Destination destination, String fileName, String technique) {
        List<Object> options = new ArrayList<>(List.of("--op", destination.operation(), "--path", fileName));
        options.addAll(List.of("--technique", technique, "--count", FILES_A_ROUND, "--pipe-size", MIB));
        options.addAll(List.of("--to", destination.channel().equals(MEMORY_FILE) ? FILE : destination.channel()));
        if (destination.channel().equals(FILE)) {
            options.addAll(List.of("--directory", setting.files()));
        }
        return options.toArray();
    }

    private double median(Report report, Destination destination, String technique, String metric) {
        return report.median(name(), destination.title(), subject(technique), metric);
    }

    private String fastest(Report report, Destination destination) {
        return forced(destination)
                .max(Comparator.comparingDouble(technique -> median(report, destination, technique, SPEED)))
                .orElseThrow();
    }

    private void print(Setting setting, Destination destination) {
        Report report = setting.report();
        String fastest = fastest(report, destination);
        double forced = median(report, destination, fastest, SPEED);
        double auto = median(report, destination, AUTO, SPEED);
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                Cell.of(destination.title()),
                                Cell.of(Units.megabytesPerSecond(auto)),
                                Cell.of(Units.value(median(report, destination, AUTO, Cost.CPU), "ms")),
                                Cell.faint(fastest),
                                Cell.faint(Units.megabytesPerSecond(forced)),
                                setting.cell(auto / forced, null)));
    }
}
