package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Memory for another process: handed over as a buffer, beside the same bytes copied through a UNIX socket.
 *
 * <p>First the hand-over alone, from just before the send until the receiver has read the first byte; the copy, until it has
 * the last one. The copy's memory is in place on both sides, and a sealed buffer is what a program sends that seals where it
 * fills. Then the whole way, with new memory on both sides in each round: allocate, fill, hand over, read every byte. To
 * free the memory is in none of the times.
 */
final class Buffers implements Scenario {
    /** What the helper handover reports. */
    private record Result(String way, List<Size> sizes) {
        record Size(long bytes, long count, double p50_us, double p99_us) {}
    }

    private enum Way {
        SEALED("sealed before", "sealed", false),
        SEALING("sealing included", "unsealed", false),
        SEALING_HUGE("sealing included, huge", "unsealed", true),
        COPIED("copied by a socket", "socket", false),
        WHOLE("buffer", "whole-buffer", false),
        WHOLE_HUGE("huge pages", "whole-buffer", true),
        WHOLE_COPIED("copied", "whole-socket", false);

        private final String title;
        private final String name;
        private final boolean hugePages;

        Way(String title, String name, boolean hugePages) {
            this.title = title;
            this.name = name;
            this.hugePages = hugePages;
        }
    }

    private static final long MIB = 1L << 20;
    private static final String LATENCY = "p50";
    private static final int HAND_OVERS_A_ROUND = 100; // of each size

    private static final Goal AS_FAST_AS_SMALL = Goal.atMost(1.5);
    private static final Goal FASTER_THAN_A_COPY = Goal.atLeast(100);

    private static final List<Column> HAND_OVERS = List.of(
            Column.left("hand-over, median", 22),
            Column.right("median", 9),
            Column.right("of 1 MiB", 9),
            Column.right("ratio", 5),
            Column.right("faster than a copy", 18));
    private static final List<Column> WHOLE_WAY = List.of(
            Column.left("allocate, fill, …, read", 23),
            Column.right("buffer", 9),
            Column.right("faster", 6),
            Column.right("huge pages", 10),
            Column.right("faster", 6),
            Column.right("copied", 9));

    @Override
    public String name() {
        return "buffers";
    }

    @Override
    public String question() {
        return "What does it cost to hand memory to another process, beside a copy through a socket?";
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        long big = (setting.quick() ? 256 : 1024) * MIB;
        long needed = 3 * big; // of a copy both sides have one, and a sender's pages may still be on their way back
        if (Machine.availableMemory() < needed) {
            String why = Units.size(needed) + " of memory are needed, " + Units.size(Machine.availableMemory())
                    + " are available";
            setting.leaveOut(name(), "", why);
            return;
        }
        try (HugePages hugePages = HugePages.of(big)) {
            if (hugePages.unavailable() != null) {
                setting.report().skip(name() + ", huge pages", hugePages.unavailable());
            }
            handOver(setting, big, hugePages.areThere());
            setting.screen().blank();
            wholeWay(setting, big, hugePages.areThere());
        }
    }

    /** Runs one way, so many times for each size; the medians are samples of the report. Blocks. */
    private void measure(Setting setting, Way way, int count, long... sizes) throws IOException, InterruptedException {
        List<String> command =
                Programs.command(setting.programs().helper("handover"), "--way", way.name, "--count", count);
        for (long size : sizes) {
            command.addAll(List.of("--size", Long.toString(size)));
        }
        if (way.hugePages) {
            command.add("--huge-pages");
        }
        setting.screen().working(way.title);
        Result result = LoadClient.parse(Programs.run(command, Programs.START_TIMEOUT_MS * 4), Result.class);
        for (Result.Size size : result.sizes()) {
            String test = Units.size(size.bytes());
            setting.report().sample(name(), test, way.title, LATENCY, "us", size.p50_us());
            setting.report().sample(name(), test, way.title, "p99", "us", size.p99_us());
        }
    }

    private Report.Metric latency(Setting setting, Way way, long size) {
        return setting.report().metric(name(), Units.size(size), way.title, LATENCY);
    }

    private double median(Setting setting, Way way, long size) {
        return latency(setting, way, size).median();
    }

    // ---------------------------------------------------------------- the hand-over alone

    private void handOver(Setting setting, long big, boolean hugePages) throws IOException, InterruptedException {
        List<Way> ways = new ArrayList<>(List.of(Way.SEALED, Way.SEALING, Way.COPIED));
        if (hugePages) {
            ways.add(2, Way.SEALING_HUGE);
        }
        Rounds.alternate(setting.rounds(), ways, (way, round) -> {
            if (way == Way.SEALED) {
                // Both sizes in each, now one first and now the other: where the scheduler puts the processes is in
                // both.
                long first = round % 2 == 0 ? MIB : big;
                measure(setting, way, HAND_OVERS_A_ROUND, first, MIB + big - first);
            } else {
                measure(setting, way, 1, big);
            }
        });
        Report report = setting.report();
        String test = Units.size(big);
        Report.Metric copied = latency(setting, Way.COPIED, big);
        report.compare(
                name(),
                test,
                "sealed hand-over, of that of 1 MiB",
                latency(setting, Way.SEALED, big),
                latency(setting, Way.SEALED, MIB),
                AS_FAST_AS_SMALL);
        for (Way way : ways) {
            if (way != Way.COPIED) {
                report.compare(
                        name(),
                        test,
                        "a copy through a socket of a hand-over, " + way.title,
                        copied,
                        latency(setting, way, big),
                        way == Way.SEALED ? FASTER_THAN_A_COPY : null);
            }
        }
        setting.screen().header("hand-over of " + test, HAND_OVERS);
        for (Way way : ways) {
            Report.Metric time = latency(setting, way, big);
            Goal sizeGoal = way == Way.SEALED ? AS_FAST_AS_SMALL : null;
            Goal copyGoal = way == Way.SEALED ? FASTER_THAN_A_COPY : null;
            setting.screen()
                    .row(
                            HAND_OVERS,
                            List.of(
                                    new Cell(way.title, way == Way.COPIED ? Tone.FAINT : Tone.PLAIN),
                                    time(time.median()),
                                    time(median(setting, way, MIB)),
                                    setting.cell(Ratio.ofRounds(time, latency(setting, way, MIB)), sizeGoal),
                                    way == Way.COPIED
                                            ? Cell.faint("1")
                                            : setting.cell(Ratio.ofRounds(copied, time), copyGoal)));
        }
    }

    // ---------------------------------------------------------------- the whole way

    private void wholeWay(Setting setting, long big, boolean hugePages) throws IOException, InterruptedException {
        List<Way> ways = new ArrayList<>(List.of(Way.WHOLE, Way.WHOLE_COPIED));
        if (hugePages) {
            ways.add(1, Way.WHOLE_HUGE);
        }
        setting.screen().header(WHOLE_WAY);
        for (long size : List.of(MIB, 64 * MIB, big)) {
            int count = (int) Math.max(1, Math.min(100, 192 * MIB / size));
            Rounds.alternate(setting.rounds(), ways, (way, round) -> measure(setting, way, count, size));
            double copied = median(setting, Way.WHOLE_COPIED, size);
            compareWhole(setting, Way.WHOLE, size);
            compareWhole(setting, Way.WHOLE_HUGE, size);
            setting.screen()
                    .row(
                            WHOLE_WAY,
                            List.of(
                                    Cell.of(Units.size(size)),
                                    time(median(setting, Way.WHOLE, size)),
                                    setting.cell(copied / median(setting, Way.WHOLE, size), null),
                                    time(median(setting, Way.WHOLE_HUGE, size)),
                                    setting.cell(copied / median(setting, Way.WHOLE_HUGE, size), null),
                                    time(copied)));
        }
    }

    private void compareWhole(Setting setting, Way way, long size) {
        setting.report()
                .compare(
                        name(),
                        Units.size(size),
                        "the whole way copied, of the whole way of a " + (way.hugePages ? "huge-page " : "") + "buffer",
                        latency(setting, Way.WHOLE_COPIED, size),
                        latency(setting, way, size),
                        null);
    }

    private static Cell time(double us) {
        return Double.isNaN(us) ? Cell.faint("–") : Cell.of(Units.micros(us));
    }
}
