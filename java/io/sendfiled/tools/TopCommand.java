package io.sendfiled.tools;

import io.sendfiled.counters.Counter;
import io.sendfiled.counters.CountersReading;
import io.sendfiled.counters.RequestKind;
import io.sendfiled.counters.RunningTransfer;
import io.sendfiled.counters.WaitsFor;
import io.sendfiled.jni.DescriptorsNative;
import io.sendfiled.names.Names;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * {@code sfd top}: the transfers under way. On a terminal it looks again and again, and obeys keys; else it shows them
 * once, with their rate since they began.
 */
final class TopCommand {
    /** What to order by. */
    enum Sort {
        RATE('r'),
        AGE('a'),
        SIZE('s'),
        MOVED('m'),
        USER('u'),
        ID('i'),
        WAITING('w'),
        FILE('f');

        private final char key;

        Sort(char key) {
            this.key = key;
        }

        private Comparator<Row> order() {
            Comparator<Row> order =
                    switch (this) {
                        case RATE -> Comparator.comparingDouble(Row::rate).reversed();
                        case AGE ->
                            Comparator.comparingLong((Row row) -> row.transfer().ageNs())
                                    .reversed();
                        case SIZE ->
                            Comparator.comparingLong((Row row) -> row.transfer().size())
                                    .reversed();
                        case MOVED ->
                            Comparator.comparingLong((Row row) -> row.transfer().moved())
                                    .reversed();
                        case USER -> Comparator.comparing(Row::user);
                        case ID ->
                            Comparator.comparingLong((Row row) -> row.transfer().id());
                        case WAITING ->
                            Comparator.comparing((Row row) -> row.transfer().waitsFor());
                        case FILE ->
                            Comparator.comparing((Row row) -> row.transfer().path());
                    };
            return order.thenComparingLong((Row row) -> row.transfer().id());
        }

        String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** A line. */
    private record Row(RunningTransfer transfer, double rate, String user) {}

    /** What names a transfer where one daemon follows another: each counts from 1 on. */
    private record Key(long daemon, long id) {}

    private static final char PAUSE = 'p';
    private static final char QUIT = 'q';
    private static final int WIDTH = 80;
    private static final int HEAD = "ID       PID     USER     WHAT  SIZE DONE   RATE    AGE WAITING   ".length();
    private static final double NS = 1e9;
    private static final int HUNDRED = 100;
    private static final int STDOUT_LINES = Integer.MAX_VALUE;

    private final Arguments arguments;
    private final Map<Integer, String> users = new HashMap<>();
    private List<Inspection> inspections = List.of();
    private List<Row> rows = List.of();
    private Map<Key, RunningTransfer> before = Map.of();
    private long beforeNs;
    private Sort sort;
    private boolean paused;

    private TopCommand(Arguments arguments) throws SfdException {
        this.arguments = arguments;
        sort = sort(arguments.value(OptionSpec.SORT));
    }

    /** Blocks as long as it looks. */
    static void run(Arguments arguments, StandardOutput out) throws SfdException, InterruptedException {
        TopCommand top = new TopCommand(arguments);
        long intervalMs = CountersCommand.interval(arguments).toMillis();
        if (arguments.isSet(OptionSpec.JSON)) {
            out.print(InspectionJson.transfers(Inspection.of(arguments)) + "\n");
        } else if (arguments.isSet(OptionSpec.ONCE) || !Screen.isPossible(out)) {
            top.read();
            out.print(top.screen(width(out), STDOUT_LINES));
        } else {
            top.look(out, intervalMs);
        }
    }

    private static Sort sort(@Nullable String word) throws SfdException {
        if (word == null) {
            return Sort.RATE;
        }
        for (Sort one : Sort.values()) {
            if (one.word().equals(word)) {
                return one;
            }
        }
        throw SfdException.usage("--sort: '" + SfdException.printable(word)
                + "' is none of rate, age, size, moved, user, id, waiting and file");
    }

    private static int width(StandardOutput out) {
        int width = out.isTerminal() ? DescriptorsNative.terminalWidth(DataDescriptor.number()) : WIDTH;
        return width == 0 ? WIDTH : width;
    }

    private void look(StandardOutput out, long intervalMs) throws SfdException, InterruptedException {
        try (Screen screen = Screen.open(out)) {
            while (true) {
                if (!paused) {
                    read();
                }
                screen.show(screen(width(out), screen.lines()));
                char key = screen.key(intervalMs);
                if (key == QUIT) {
                    return;
                }
                paused ^= key == PAUSE;
                for (Sort one : Sort.values()) {
                    sort = one.key == key ? one : sort;
                }
            }
        }
    }

    /** What is there now, with rates since the last time. */
    private void read() throws SfdException {
        inspections = Inspection.of(arguments);
        List<Row> found = new ArrayList<>();
        Map<Key, RunningTransfer> seen = new HashMap<>();
        long readNs = 0;
        for (Inspection inspection : inspections) {
            CountersReading reading = inspection.reading();
            readNs = reading.readNs();
            for (RunningTransfer transfer : reading.transfers()) {
                Key key = new Key(reading.pid(), transfer.id());
                seen.put(key, transfer);
                found.add(new Row(transfer, rate(transfer, before.get(key), readNs), user(transfer.uid())));
            }
        }
        rows = found;
        before = seen;
        beforeNs = readNs;
    }

    /** What is to be seen: a line for each daemon, a heading, and as many transfers as there is room for. */
    private String screen(int width, int lines) {
        StringBuilder text = new StringBuilder();
        long counted = 0;
        for (Inspection inspection : inspections) {
            text.append(cut(inspection.title(), width)).append('\n');
            counted += inspection.reading().get(Counter.TRANSFERS);
        }
        rows.sort(sort.order());
        long all = Math.max(counted, rows.size());
        String heading = all
                + (all == 1 ? " transfer, by " : " transfers, by ")
                + sort.word()
                + (lines == STDOUT_LINES ? "" : (paused ? ", paused" : "") + "; keys: " + keys());
        text.append(cut(heading, width)).append("\n\n");
        text.append(cut("ID       PID     USER     WHAT  SIZE DONE   RATE    AGE WAITING   FILE", width))
                .append('\n');
        int room = lines == STDOUT_LINES ? lines : Math.max(0, lines - inspections.size() - 4);
        for (Row row : rows.subList(0, Math.min(rows.size(), room))) {
            text.append(cut(line(row, width), width)).append('\n');
        }
        return text.toString();
    }

    private static String keys() {
        StringBuilder keys = new StringBuilder();
        for (Sort one : Sort.values()) {
            keys.append(one.key).append(' ');
        }
        return keys.append(PAUSE).append(' ').append(QUIT).toString();
    }

    /** Since the last look; of what was not there then, since it began. */
    private double rate(RunningTransfer transfer, @Nullable RunningTransfer earlier, long readNs) {
        if (earlier == null) {
            return transfer.ageNs() == 0 ? 0 : transfer.moved() * NS / transfer.ageNs();
        }
        return Math.max(0, transfer.moved() - earlier.moved()) * NS / Math.max(1, readNs - beforeNs);
    }

    private String user(int uid) {
        String known = users.get(uid);
        if (known == null) {
            known = nameOf(uid);
            users.put(uid, known);
        }
        return known;
    }

    /** From /etc/passwd alone: a directory service may not answer in time. */
    private static String nameOf(int uid) {
        String number = Integer.toUnsignedString(uid);
        try {
            for (String line :
                    Names.text(Files.readAllBytes(Path.of("/etc/passwd"))).split("\n", -1)) {
                String[] fields = line.split(":", -1);
                if (fields.length > 2 && fields[2].equals(number)) {
                    return Names.printable(fields[0]);
                }
            }
        } catch (IOException e) {
            // Numbers are names as well.
        }
        return number;
    }

    private static String line(Row row, int width) {
        RunningTransfer transfer = row.transfer;
        String file = transfer.path().isEmpty() ? "(descriptor)" : Names.printable(transfer.path());
        return Columns.left(transfer.name(), 8)
                + " " + Columns.left(transfer.pid() == 0 ? "?" : Integer.toString(transfer.pid()), 7)
                + " " + Columns.left(row.user.length() > 8 ? row.user.substring(0, 7) + "+" : row.user, 8)
                + " " + what(transfer.kind())
                + " " + Columns.right(transfer.size() < 0 ? "?" : Columns.bytes(transfer.size()), 5)
                + " " + Columns.right(done(transfer), 4)
                + " " + Columns.right(Columns.bytes(Math.round(row.rate)), 6)
                + " " + Columns.right(Columns.time(transfer.ageNs()), 6)
                + " " + Columns.left(waits(transfer), 9)
                + " " + Columns.end(transfer.pathCut() ? ".." + file : file, Math.max(1, width - HEAD));
    }

    private static String what(RequestKind kind) {
        return Columns.left(kind.label().substring(0, Math.min(4, kind.label().length())), 4);
    }

    private static String done(RunningTransfer transfer) {
        if (transfer.size() < 0) {
            return "-";
        }
        long percent = transfer.size() == 0 ? HUNDRED : (long) (HUNDRED * (double) transfer.moved() / transfer.size());
        return Math.max(0, Math.min(HUNDRED, percent)) + "%";
    }

    private static String waits(RunningTransfer transfer) {
        if (transfer.waitsFor() == WaitsFor.NOTHING) {
            return transfer.ended() ? "ending" : "-";
        }
        return transfer.waitsFor().label();
    }

    private static String cut(String line, int width) {
        return line.length() <= width ? line : line.substring(0, width);
    }
}
