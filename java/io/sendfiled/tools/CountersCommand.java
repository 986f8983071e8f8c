package io.sendfiled.tools;

import io.sendfiled.counters.Counter;
import io.sendfiled.counters.CountersReading;
import io.sendfiled.counters.DiskQueue;
import io.sendfiled.counters.Latency;
import io.sendfiled.counters.LatencyHistogram;
import io.sendfiled.counters.Outcome;
import io.sendfiled.counters.RequestKind;
import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import io.sendfiled.units.Numbers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** {@code sfd counters}: what a daemon has done so far, from its file. No line has more than 80 columns. */
final class CountersCommand {
    private static final String CLEAR = "\033[H\033[J";
    private static final Duration SECOND = Duration.ofSeconds(1);
    private static final Duration INTERVAL_MAX = Duration.ofDays(1);
    private static final double NS = 1e9;
    private static final int WIDTH = 80;
    private static final int NAME = 16;
    private static final int NUMBER = 11;
    private static final int TIME = 8;
    private static final double MEDIAN = 0.5;
    private static final double NINE = 0.9;
    private static final double NINES = 0.99;
    private static final double MORE_NINES = 0.999;

    /** Those that are divided by kind, and so are shown there. */
    private static final List<Counter> ELSEWHERE = List.of(
            Counter.REQUESTS,
            Counter.REFUSED,
            Counter.COMPLETED,
            Counter.FAILED,
            Counter.CANCELLED,
            Counter.BYTES,
            Counter.COLD_WINDOWS);

    /** Those that can fall. */
    private static final List<Counter> GAUGES = List.of(Counter.TRANSFERS, Counter.DESCRIPTORS, Counter.DISK_TASKS);

    private final CountersReading now;
    private final @Nullable CountersReading before;
    private final StringBuilder text = new StringBuilder();

    private CountersCommand(CountersReading now, @Nullable CountersReading before) {
        this.now = now;
        this.before = before;
    }

    /** Blocks as long as it watches. */
    static void run(Arguments arguments, StandardOutput out) throws SfdException, InterruptedException {
        Duration interval = interval(arguments);
        boolean watches = arguments.isSet(OptionSpec.WATCH) || arguments.isSet(OptionSpec.INTERVAL);
        boolean json = arguments.isSet(OptionSpec.JSON);
        List<Inspection> before = List.of();
        while (true) {
            List<Inspection> now = Inspection.of(arguments);
            if (json) {
                out.print(InspectionJson.counters(now) + "\n");
            } else {
                String clear = watches && out.isTerminal() ? CLEAR : "";
                out.print(clear + text(now, watches ? before : List.of()));
            }
            if (!watches) {
                return;
            }
            before = now;
            Thread.sleep(interval.toMillis());
        }
    }

    static Duration interval(Arguments arguments) throws SfdException {
        String value = arguments.value(OptionSpec.INTERVAL);
        return value == null ? SECOND : OptionValue.time(OptionSpec.INTERVAL, value, INTERVAL_MAX);
    }

    /** All instances, with what came since an earlier reading of the same process where there is one. */
    static String text(List<Inspection> now, List<Inspection> before) {
        StringBuilder text = new StringBuilder();
        for (Inspection one : now) {
            CountersReading earlier = null;
            for (Inspection other : before) {
                if (other.reading().pid() == one.reading().pid()
                        && other.reading().startedAt().equals(one.reading().startedAt())) {
                    earlier = other.reading();
                }
            }
            text.append(text.length() == 0 ? "" : "\n").append(one.title()).append('\n');
            text.append(new CountersCommand(one.reading(), earlier).table());
        }
        return text.toString();
    }

    private String table() {
        if (before != null) {
            text.append("Each second of the last ")
                    .append(Numbers.fixed(seconds(), 1))
                    .append(" s:\n");
        }
        requests();
        bytes();
        errors("Refused", true);
        errors("Failed", false);
        others();
        latencies();
        queues();
        return text.toString();
    }

    private double seconds() {
        return before == null ? 1 : Math.max(1e-3, (now.readNs() - before.readNs()) / NS);
    }

    /** The whole number, or how many came a second. */
    private String number(long total, long earlier) {
        if (before == null) {
            return Long.toString(total);
        }
        double rate = Math.max(0, total - earlier) / seconds();
        return rate == 0 ? "0" : rate < 10 ? Numbers.fixed(rate, 1) : Long.toString(Math.round(rate));
    }

    private String amount(long total, long earlier) {
        return Columns.bytes(before == null ? total : Math.round(Math.max(0, total - earlier) / seconds()));
    }

    private void heading(String name, String... columns) {
        text.append('\n').append(Columns.left(name, NAME));
        for (String column : columns) {
            text.append(Columns.right(column, NUMBER));
        }
        text.append('\n');
    }

    private void requests() {
        heading("Requests", "received", "completed", "refused", "failed", "cancelled");
        for (RequestKind kind : RequestKind.values()) {
            if (now.requests(kind) == 0 && kind != RequestKind.READ && kind != RequestKind.SEND) {
                continue;
            }
            text.append(Columns.left("  " + kind.label(), NAME))
                    .append(Columns.right(
                            number(now.requests(kind), before == null ? 0 : before.requests(kind)), NUMBER));
            for (Outcome outcome : List.of(Outcome.COMPLETED, Outcome.REFUSED, Outcome.FAILED, Outcome.CANCELLED)) {
                long earlier = before == null ? 0 : before.outcomes(kind, outcome);
                text.append(Columns.right(number(now.outcomes(kind, outcome), earlier), NUMBER));
            }
            text.append('\n');
        }
    }

    private void bytes() {
        heading("Moved by", "transfers", "bytes", "cold loads");
        for (Technique technique : Technique.values()) {
            long transfers = 0;
            long bytes = 0;
            long windows = 0;
            long transfersBefore = 0;
            long bytesBefore = 0;
            long windowsBefore = 0;
            for (RequestKind kind : RequestKind.values()) {
                transfers += now.transfers(kind, technique);
                bytes += now.bytes(kind, technique);
                windows += now.coldWindows(kind, technique);
                transfersBefore += before == null ? 0 : before.transfers(kind, technique);
                bytesBefore += before == null ? 0 : before.bytes(kind, technique);
                windowsBefore += before == null ? 0 : before.coldWindows(kind, technique);
            }
            if (transfers != 0 || bytes != 0 || windows != 0) {
                text.append(Columns.left("  " + (technique == Technique.AUTO ? "none" : technique.label()), NAME + 2))
                        .append(Columns.right(number(transfers, transfersBefore), NUMBER - 2))
                        .append(Columns.right(amount(bytes, bytesBefore), NUMBER))
                        .append(Columns.right(number(windows, windowsBefore), NUMBER))
                        .append('\n');
            }
        }
    }

    private void errors(String name, boolean refusals) {
        List<String> cells = new ArrayList<>();
        for (int errno = 0; errno < now.errnos(); errno++) {
            long count = 0;
            long earlier = 0;
            for (RequestKind kind : RequestKind.values()) {
                count += refusals ? now.refusals(kind, errno) : now.failures(kind, errno);
                if (before != null) {
                    earlier += refusals ? before.refusals(kind, errno) : before.failures(kind, errno);
                }
            }
            if (count != 0) {
                cells.add((errno == 0 ? "other" : Errno.name(errno)) + " " + number(count, earlier));
            }
        }
        list(name, cells);
    }

    /** Cells behind a name, in as many lines as they need. */
    private void list(String name, List<String> cells) {
        if (cells.isEmpty()) {
            return;
        }
        text.append('\n');
        StringBuilder line = new StringBuilder(Columns.left(name, NAME));
        for (String cell : cells) {
            if (line.length() + cell.length() + 2 > WIDTH) {
                text.append(line.toString().stripTrailing()).append('\n');
                line = new StringBuilder(" ".repeat(NAME));
            }
            line.append(cell).append("  ");
        }
        text.append(line.toString().stripTrailing()).append('\n');
    }

    private void others() {
        List<String> gauges = new ArrayList<>();
        List<String> cells = new ArrayList<>();
        for (Counter counter : Counter.values()) {
            long value = now.get(counter);
            String label = counter.name().toLowerCase(Locale.ROOT).replace('_', '-');
            if (GAUGES.contains(counter)) {
                gauges.add(label + " " + value);
            } else if (value != 0 && !ELSEWHERE.contains(counter)) {
                cells.add(label + " " + number(value, before == null ? 0 : before.get(counter)));
            }
        }
        list("Now", gauges);
        list("Events", cells);
    }

    private void latencies() {
        text.append('\n').append(Columns.left("Times", NAME));
        text.append(Columns.right("count", NUMBER));
        for (String column : List.of("mean", "50%", "90%", "99%", "99.9%", "max")) {
            text.append(Columns.right(column, TIME));
        }
        text.append('\n');
        for (Latency latency : Latency.values()) {
            LatencyHistogram all = before == null ? now.latency(latency) : now.latencySince(before, latency);
            text.append(Columns.left("  " + latency.label(), NAME + 2))
                    .append(Columns.right(number(all.count(), 0), NUMBER - 2));
            if (all.count() > 0) {
                text.append(Columns.right(Columns.time(all.sumNs() / all.count()), TIME));
                for (double share : List.of(MEDIAN, NINE, NINES, MORE_NINES)) {
                    text.append(Columns.right(Columns.time(all.atShare(share)), TIME));
                }
                text.append(Columns.right(Columns.time(all.maxNs()), TIME));
            }
            text.append('\n');
        }
    }

    private void queues() {
        if (now.queues().isEmpty()) {
            return;
        }
        heading("Disk", "waiting", "busy", "done");
        for (DiskQueue queue : now.queues()) {
            long earlier = 0;
            for (DiskQueue other : before == null ? List.<DiskQueue>of() : before.queues()) {
                earlier = other.name().equals(queue.name()) ? other.done() : earlier;
            }
            text.append(Columns.left("  " + queue.name(), NAME))
                    .append(Columns.right(queue.waiting(), NUMBER))
                    .append(Columns.right(queue.busy(), NUMBER))
                    .append(Columns.right(number(queue.done(), earlier), NUMBER))
                    .append('\n');
        }
    }
}
