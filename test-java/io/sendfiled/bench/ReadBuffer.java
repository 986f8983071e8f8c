package io.sendfiled.bench;

import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * A warm file as memory: Read File into a buffer, beside a Read File through the pipe into new memory, and beside the program's
 * own mapping of the file, which waits for the disk itself when a page is not there. All end with the same sum of all bytes.
 *
 * <p>Time is from the request to the sum; processor time is the daemon's and the client's, with the memory's return in it.
 */
final class ReadBuffer implements Scenario {
    /** What the helper filereader reports. */
    private record Result(
            String way,
            long count,
            long bytes,
            String sum,
            int technique,
            double p50_us,
            double mb_per_s,
            double server_cpu_us,
            double server_switches,
            double server_pss_kib,
            double client_cpu_us) {
        Cost server() {
            return new Cost(server_cpu_us, server_switches, server_pss_kib / 1024);
        }
    }

    private enum Way {
        BUFFER("into a buffer", "buffer"),
        PIPE("through the pipe", "pipe"),
        MAP("its own mmap", "mmap"),
        MAP_POPULATED("the same, MAP_POPULATE", "mmap-populate");

        private final String title;
        private final String name;

        Way(String title, String name) {
            this.title = title;
            this.name = name;
        }

        boolean asks() {
            return this == BUFFER || this == PIPE;
        }
    }

    private static final long MIB = 1L << 20;
    private static final String SPEED = "throughput";
    private static final String TIME = "p50";
    private static final String CPU = "cpu";

    private static final List<Column> COLUMNS = List.of(
            Column.left("file, warm", 22),
            Column.left("technique", 9),
            Column.right("median", 7),
            Column.right("speed", 9),
            Column.right("ratio", 5),
            Column.right("CPU a GB", 8));

    @Override
    public String name() {
        return "read-buffer";
    }

    @Override
    public String question() {
        return "How fast is a warm file in memory: by a buffer, by the pipe, or mapped?";
    }

    @Override
    public boolean isAboutDaemonOnly() {
        return true;
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        List<Long> sizes = List.of(MIB, 64 * MIB, (setting.quick() ? 256 : 1024) * MIB);
        try (Server daemon = Server.start(setting.programs(), Server.Kind.DAEMON, setting.files(), setting.sockets())) {
            for (long size : sizes) {
                // The name of throughput's: one file of a gibibyte is enough.
                String fileName = "throughput-" + size / MIB + "m";
                setting.screen().working("making " + fileName);
                TestFiles.warm(TestFiles.file(setting.files(), fileName, size));
                print(setting, size, measure(setting, daemon, fileName, size));
            }
        }
    }

    /** Returns the technique of each way. Blocks. */
    private Map<Way, Integer> measure(Setting setting, Server daemon, String fileName, long size)
            throws IOException, InterruptedException {
        Report report = setting.report();
        String test = Units.size(size);
        int count = (int) Math.max(1, Math.min(100, 256 * MIB / size));
        String[] sum = new String[1];
        Map<Way, Integer> technique = new EnumMap<>(Way.class);
        Rounds.alternate(setting.rounds(), List.of(Way.values()), (way, round) -> {
            setting.screen().working(test + " " + way.title + ", round " + (round + 1));
            Result result = read(setting, daemon, way, fileName, count);
            if (sum[0] != null && !sum[0].equals(result.sum())) {
                throw new IOException(
                        fileName + ", " + way.title + ": other bytes than before, their sum is " + result.sum());
            }
            sum[0] = result.sum();
            technique.put(way, result.technique());
            double gigabytes = size / 1e9;
            report.sample(name(), test, way.title, SPEED, "MB/s", result.mb_per_s());
            report.sample(name(), test, way.title, TIME, "us", result.p50_us());
            result.server().sampleVolume(report, name(), test, way.title, gigabytes);
            double cpuMs = (result.server_cpu_us() + result.client_cpu_us()) / 1000;
            report.sample(name(), test, way.title, CPU, "ms/GB", cpuMs / gigabytes);
        });
        for (Way way : Way.values()) {
            if (way != Way.BUFFER) {
                report.compare(
                        name(),
                        test,
                        "speed, into a buffer of " + way.title,
                        report.metric(name(), test, Way.BUFFER.title, SPEED),
                        report.metric(name(), test, way.title, SPEED),
                        null);
            }
        }
        return technique;
    }

    private static Result read(Setting setting, Server daemon, Way way, String fileName, int count)
            throws IOException, InterruptedException {
        Path file = setting.files().resolve(fileName);
        List<String> command = Programs.command(
                setting.programs().helper("filereader"),
                "--way",
                way.name,
                "--count",
                count,
                "--server-pid",
                daemon.pid());
        command.addAll(
                way.asks()
                        ? List.of("--socket", daemon.socket().toString(), "--path", fileName)
                        : List.of("--file", file.toString()));
        return LoadClient.parse(Programs.run(command, Programs.START_TIMEOUT_MS * 4), Result.class);
    }

    private double speed(Report report, String test, Way way) {
        return report.median(name(), test, way.title, SPEED);
    }

    private void print(Setting setting, long size, Map<Way, Integer> technique) {
        Report report = setting.report();
        String test = Units.size(size);
        double ours = speed(report, test, Way.BUFFER);
        setting.screen().header(test + ", warm", COLUMNS);
        for (Way way : Way.values()) {
            Tone tone = way == Way.BUFFER ? Tone.PLAIN : Tone.FAINT;
            String used = way.asks() ? ForcedTechniques.TECHNIQUES.get(technique.getOrDefault(way, 0)) : "–";
            setting.screen()
                    .row(
                            COLUMNS,
                            List.of(
                                    new Cell(way.title, tone),
                                    Cell.faint(used),
                                    new Cell(Units.micros(report.median(name(), test, way.title, TIME)), tone),
                                    new Cell(Units.megabytesPerSecond(speed(report, test, way)), tone),
                                    way == Way.BUFFER
                                            ? Cell.faint("1")
                                            : setting.cell(ours / speed(report, test, way), null),
                                    new Cell(Units.value(report.median(name(), test, way.title, CPU), "ms"), tone)));
        }
    }
}
