package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Big warm files: how close to a bare loop around one system call? */
final class Throughput implements Scenario {
    private record Case(String title, String channel, int connections, long fileSize, boolean read) {}

    private static final long GIB = 1L << 30;
    private static final String BARE = "bare loop";
    private static final String SPEED = "throughput";
    private static final Goal GOAL = Goal.atLeast(0.85);

    private static final List<Column> COLUMNS = List.of(
            Column.left("throughput, warm", 26),
            Column.right("bare loop", 10),
            Column.right("sendfiled", 10),
            Column.right("of bare", 8),
            Column.right("original's", 10),
            Column.right("fewest", 10));

    @Override
    public String name() {
        return "throughput";
    }

    @Override
    public String question() {
        return "How close to a bare sendfile loop are big warm files?";
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        long big = setting.quick() ? GIB / 4 : GIB;
        List<Case> cases = List.of(
                new Case(Units.size(big) + " to TCP", "tcp", 1, big, false),
                new Case("8 × " + Units.size(big / 4) + " to TCP", "tcp", 8, big / 4, false),
                new Case(Units.size(big) + " to a UNIX socket", "unix", 1, big, false),
                new Case(Units.size(big) + " read by pipe", "pipe", 1, big, true));
        Map<Server.Kind, Server> servers = new LinkedHashMap<>();
        try {
            for (Server.Kind kind : setting.servers()) {
                servers.put(kind, Server.start(setting.programs(), kind, setting.files(), setting.sockets()));
            }
            setting.screen().header(COLUMNS);
            for (Case test : cases) {
                measure(setting, test, servers);
                print(setting, test);
            }
        } finally {
            servers.values().forEach(Server::close);
        }
    }

    private void measure(Setting setting, Case test, Map<Server.Kind, Server> servers)
            throws IOException, InterruptedException {
        String fileName = "throughput-" + (test.fileSize() >> 20) + "m";
        setting.screen().working("making " + fileName);
        Path file = TestFiles.file(setting.files(), fileName, test.fileSize());
        TestFiles.warm(file);
        Report report = setting.report();
        for (int round = 0; round < setting.rounds(); round++) {
            setting.screen().working(test.title() + ", round " + (round + 1) + " of " + setting.rounds());
            double bare = setting.load()
                    .bare(file, test.channel(), test.connections())
                    .mb_per_s();
            report.sample(name(), test.title(), BARE, SPEED, "MB/s", bare);
            for (Map.Entry<Server.Kind, Server> entry : servers.entrySet()) {
                if (entry.getKey() == Server.Kind.FEWEST && test.connections() > 1) {
                    continue; // It serves one at a time by design.
                }
                double ours = setting.load()
                        .run(
                                entry.getValue(),
                                "--op",
                                test.read() ? "read" : "send",
                                "--to",
                                test.channel(),
                                "--path",
                                fileName,
                                "--depth",
                                test.connections(),
                                "--count",
                                test.connections())
                        .mb_per_s();
                report.sample(name(), test.title(), entry.getKey().title, SPEED, "MB/s", ours);
            }
        }
        report.compare(
                name(),
                test.title(),
                "sendfiled of bare loop",
                median(report, test, Server.Kind.DAEMON.title),
                median(report, test, BARE),
                GOAL);
    }

    private double median(Report report, Case test, String subject) {
        return report.median(name(), test.title(), subject, SPEED);
    }

    private void print(Setting setting, Case test) {
        Report report = setting.report();
        double bare = median(report, test, BARE);
        double ours = median(report, test, Server.Kind.DAEMON.title);
        List<Cell> cells = new ArrayList<>();
        cells.add(Cell.of(test.title()));
        cells.add(Cell.faint(speed(bare)));
        cells.add(Cell.of(speed(ours)));
        cells.add(Bench.ratioCell(ours / bare, GOAL));
        cells.add(new Cell(speed(median(report, test, Server.Kind.ORIGINAL.title)), Tone.FAINT));
        cells.add(new Cell(speed(median(report, test, Server.Kind.FEWEST.title)), Tone.FAINT));
        setting.screen().row(COLUMNS, cells);
    }

    private static String speed(double megabytes) {
        return Double.isNaN(megabytes) ? "–" : Units.megabytesPerSecond(megabytes);
    }
}
