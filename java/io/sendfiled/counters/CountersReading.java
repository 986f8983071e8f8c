package io.sendfiled.counters;

import io.sendfiled.jni.CountersLayout;
import io.sendfiled.names.Names;
import io.sendfiled.technique.Technique;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * All that an engine tells of itself, read once: sums over its loops. Layout and meaning are those of {@code
 * native/core/base/counters_file.h}.
 *
 * <p>Every number comes from memory that somebody else writes to, so each place and count is checked before it is used.
 * Counters are read one by one while the engine goes on: each is right for a moment of the reading, and they need not
 * add up to the last request. Immutable, any thread.
 */
public final class CountersReading {
    /** Where the bytes come from: a file, or the memory of this process. */
    @FunctionalInterface
    public interface Source {
        /** Fills {@code into} with what is at {@code from} on; leaves room in it at the end of all. */
        void read(long from, ByteBuffer into) throws IOException;
    }

    private static final byte[] MAGIC = "SFDCOUNT".getBytes(StandardCharsets.US_ASCII);
    /** Of the layout: what is of another one cannot be read. */
    public static final int VERSION = 1;

    private static final int HEAD_SIZE = 4096;

    /** Of which no engine has more. */
    private static final int MANY = 1 << 20;

    private static final long SIZE_MAX = 1L << 30;

    private static final int STATE_ENDED = 2;

    private static final String[] QUEUES_OF_NO_DEVICE = {"close", "open", "linger"};

    /** Of a histogram: struct sfd_histogram. */
    private static final int HISTOGRAM_SUM = 8;

    private static final int HISTOGRAM_MAX = 16;

    private static final int MAJOR_SHIFT = 8;
    private static final int MAJOR_MASK = 0xfff;
    private static final int MINOR_MASK = 0xff;
    private static final int MINOR_SHIFT = 12;

    private static final long NS_A_SECOND = 1_000_000_000L;

    private final ByteBuffer head;
    private final String name;
    private final long[] counters;
    private final long[] requests;
    private final long[] outcomes;
    private final long[] flows;
    private final long[] refusals;
    private final long[] failures;
    private final LatencyHistogram[] latencies;
    private final List<DiskQueue> queues;
    private final List<RunningTransfer> transfers;
    private final long[] turnedNs; // of each loop
    private final long readNs;

    /** Copies and checks. */
    private CountersReading(Source source, boolean withTransfers) throws IOException {
        head = copy(source, 0, HEAD_SIZE);
        demand(Arrays.equals(text(0, MAGIC.length), MAGIC), "is no file of counters");
        demand(number(CountersLayout.VERSION) == VERSION, "is of another version of sendfiled");
        long size = head.getLong(CountersLayout.SIZE);
        demand(size >= HEAD_SIZE && size <= SIZE_MAX, "is damaged");
        name = string(CountersLayout.NAME);

        int loops = count(CountersLayout.LOOPS);
        int loopSize = count(CountersLayout.LOOP_SIZE);
        int operations = count(CountersLayout.OPERATIONS);
        int techniques = count(CountersLayout.TECHNIQUES);
        int ends = count(CountersLayout.OUTCOMES);
        int errnos = count(CountersLayout.ERRNOS);
        int cells = count(CountersLayout.CELLS);
        demand(
                operations >= RequestKind.values().length
                        && techniques >= Technique.values().length
                        && ends >= Outcome.values().length,
                "is of another version of sendfiled");
        within(CountersLayout.LOOPS_AT, loops, loopSize, size);
        inLoop(CountersLayout.COUNTERS_AT, count(CountersLayout.COUNTERS), loopSize);
        inLoop(CountersLayout.REQUESTS_AT, operations, loopSize);
        inLoop(CountersLayout.OUTCOMES_AT, (long) operations * ends, loopSize);
        inLoop(CountersLayout.FLOWS_AT, (long) operations * techniques * CountersLayout.FLOW_LONGS, loopSize);
        inLoop(CountersLayout.REFUSALS_AT, (long) operations * errnos, loopSize);
        inLoop(CountersLayout.FAILURES_AT, (long) operations * errnos, loopSize);
        inLoop(CountersLayout.TURNED_AT, 1, loopSize);
        int times = count(CountersLayout.TIMES);
        int histogramSize = count(CountersLayout.HISTOGRAM_SIZE);
        demand((long) number(CountersLayout.CELLS_AT) + (long) cells * Long.BYTES <= histogramSize, "is damaged");
        demand(number(CountersLayout.CELLS_AT) >= HISTOGRAM_MAX + Long.BYTES, "is damaged");
        demand(
                number(CountersLayout.HISTOGRAMS_AT) >= 0
                        && number(CountersLayout.HISTOGRAMS_AT) + (long) times * histogramSize <= loopSize,
                "is damaged");

        counters = new long[Math.max(count(CountersLayout.COUNTERS), Counter.values().length)];
        requests = new long[operations];
        outcomes = new long[operations * ends];
        flows = new long[operations * techniques * CountersLayout.FLOW_LONGS];
        refusals = new long[operations * errnos];
        failures = new long[operations * errnos];
        int kinds = Math.max(times, Latency.values().length);
        long[][] timeCells = new long[kinds][cells];
        long[] timeSums = new long[kinds];
        long[] timeMaxima = new long[kinds];
        turnedNs = new long[loops];
        for (int i = 0; i < loops; i++) {
            ByteBuffer loop = copy(source, number(CountersLayout.LOOPS_AT) + (long) i * loopSize, loopSize);
            add(loop, CountersLayout.COUNTERS_AT, counters, count(CountersLayout.COUNTERS));
            add(loop, CountersLayout.REQUESTS_AT, requests, requests.length);
            add(loop, CountersLayout.OUTCOMES_AT, outcomes, outcomes.length);
            add(loop, CountersLayout.FLOWS_AT, flows, flows.length);
            add(loop, CountersLayout.REFUSALS_AT, refusals, refusals.length);
            add(loop, CountersLayout.FAILURES_AT, failures, failures.length);
            for (int j = 0; j < times; j++) {
                int at = number(CountersLayout.HISTOGRAMS_AT) + j * histogramSize;
                int cellsAt = at + number(CountersLayout.CELLS_AT);
                long max = loop.getLong(at + HISTOGRAM_MAX);
                if (max > 0 || loop.getLong(cellsAt) > 0) { // thousands of cells, which a short-lived JVM interprets
                    add(loop, cellsAt, timeCells[j]);
                    timeSums[j] += loop.getLong(at + HISTOGRAM_SUM);
                    timeMaxima[j] = Math.max(timeMaxima[j], max);
                }
            }
            turnedNs[i] = loop.getLong(number(CountersLayout.TURNED_AT));
        }
        latencies = new LatencyHistogram[kinds];
        for (int i = 0; i < kinds; i++) {
            latencies[i] = new LatencyHistogram(timeSums[i], timeMaxima[i], timeCells[i]);
        }
        queues = readQueues(source, size);
        readNs = System.nanoTime(); // CLOCK_MONOTONIC, as HotSpot has it on Linux
        transfers = withTransfers ? readTransfers(source, loops, size) : List.of();
    }

    /**
     * Reads all.
     *
     * @throws IOException with the reason in words if it cannot be read, or is nothing that an engine writes
     */
    public static CountersReading of(Source source) throws IOException {
        return new CountersReading(source, true);
    }

    /** The same without {@link #transfers}. */
    public static CountersReading withoutTransfers(Source source) throws IOException {
        return new CountersReading(source, false);
    }

    private static void demand(boolean sound, String otherwise) throws IOException {
        if (!sound) {
            throw new IOException(otherwise);
        }
    }

    private static ByteBuffer copy(Source source, long from, int length) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(length).order(ByteOrder.nativeOrder());
        source.read(from, bytes);
        demand(!bytes.hasRemaining(), "is cut short");
        return bytes.flip();
    }

    private int number(int at) {
        return head.getInt(at);
    }

    private int count(int at) throws IOException {
        int count = head.getInt(at);
        demand(count >= 0 && count <= MANY, "is damaged");
        return count;
    }

    private void within(int at, int count, int each, long size) throws IOException {
        demand(number(at) >= HEAD_SIZE && number(at) + (long) count * each <= size, "is damaged");
    }

    private void inLoop(int at, long longs, int loopSize) throws IOException {
        demand(number(at) >= 0 && number(at) + longs * Long.BYTES <= loopSize, "is damaged");
    }

    private byte[] text(int at, int length) {
        byte[] bytes = new byte[length];
        head.get(at, bytes);
        return bytes;
    }

    private String string(int at) {
        byte[] bytes = text(at, CountersLayout.NAME_SIZE);
        int length = 0;
        while (length < bytes.length && bytes[length] != 0) {
            length++;
        }
        return Names.text(Arrays.copyOf(bytes, length));
    }

    private void add(ByteBuffer loop, int headAt, long[] sums, int count) {
        for (int i = 0; i < count; i++) {
            sums[i] += loop.getLong(number(headAt) + i * Long.BYTES);
        }
    }

    private static void add(ByteBuffer loop, int at, long[] sums) {
        for (int i = 0; i < sums.length; i++) {
            sums[i] += loop.getLong(at + i * Long.BYTES);
        }
    }

    private List<DiskQueue> readQueues(Source source, long size) throws IOException {
        int count = count(CountersLayout.QUEUES);
        int each = count(CountersLayout.QUEUE_SIZE);
        demand(each >= CountersLayout.QUEUE_BYTES, "is damaged");
        within(CountersLayout.QUEUES_AT, count, each, size);
        ByteBuffer all = copy(source, number(CountersLayout.QUEUES_AT), count * each);
        List<DiskQueue> found = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int at = i * each;
            // In the order in which they are written the other way round, so that no difference is negative.
            long done = all.getLong(at + CountersLayout.QUEUE_DONE);
            long begun = all.getLong(at + CountersLayout.QUEUE_BEGUN);
            long queued = all.getLong(at + CountersLayout.QUEUE_QUEUED);
            if (queued == 0) {
                continue;
            }
            String queue = i < QUEUES_OF_NO_DEVICE.length ? QUEUES_OF_NO_DEVICE[i] : deviceName(all.getLong(at));
            found.add(new DiskQueue(queue, Math.max(0, queued - begun), Math.max(0, begun - done), done));
        }
        return List.copyOf(found);
    }

    /** {@code major:minor}, as dev_t of Linux has them: makedev(3). */
    private static String deviceName(long device) {
        long major = ((device >>> MAJOR_SHIFT) & MAJOR_MASK) | ((device >>> Integer.SIZE) & ~MAJOR_MASK);
        long minor = (device & MINOR_MASK) | ((device >>> MINOR_SHIFT) & ~MINOR_MASK & 0xffffffffL);
        return major + ":" + minor;
    }

    /**
     * Rows are read three times: what has the same even number before and after is one transfer, whatever order the bytes
     * of one reading have.
     */
    private List<RunningTransfer> readTransfers(Source source, int loops, long size) throws IOException {
        int each = count(CountersLayout.ROW_SIZE);
        int rows = count(CountersLayout.ROWS);
        demand(each >= CountersLayout.ROW_BYTES_OF_ALL && (long) rows * loops <= MANY, "is damaged");
        within(CountersLayout.ROWS_AT, rows * loops, each, size);
        long from = number(CountersLayout.ROWS_AT);
        ByteBuffer before = copy(source, from, rows * loops * each);
        ByteBuffer now = copy(source, from, rows * loops * each);
        ByteBuffer after = copy(source, from, rows * loops * each);
        List<RunningTransfer> found = new ArrayList<>();
        for (int at = 0; at < now.limit(); at += each) {
            long sequence = before.getLong(at);
            if (now.getLong(at + CountersLayout.ROW_ID) != 0 && sequence % 2 == 0 && after.getLong(at) == sequence) {
                found.add(transfer(now, at));
            }
        }
        return List.copyOf(found);
    }

    private RunningTransfer transfer(ByteBuffer rows, int at) {
        int pathLength = Short.toUnsignedInt(rows.getShort(at + CountersLayout.ROW_PATH_LENGTH));
        int kept = Math.min(pathLength, CountersLayout.PATH_SIZE);
        byte[] path = new byte[kept];
        rows.get(at + CountersLayout.ROW_PATH, path);
        long first = rows.getLong(at + CountersLayout.ROW_FIRST_NS);
        Technique technique = Technique.of(rows.get(at + CountersLayout.ROW_TECHNIQUE));
        return new RunningTransfer(
                rows.getLong(at + CountersLayout.ROW_ID),
                rows.getInt(at + CountersLayout.ROW_PID),
                rows.getInt(at + CountersLayout.ROW_UID),
                of(RequestKind.values(), rows.get(at + CountersLayout.ROW_OPERATION), RequestKind.OTHER),
                technique == null ? Technique.AUTO : technique,
                of(WaitsFor.values(), rows.get(at + CountersLayout.ROW_WAITS_FOR), WaitsFor.NOTHING),
                rows.get(at + CountersLayout.ROW_COLD) != 0,
                rows.get(at + CountersLayout.ROW_ENDED) != 0,
                Names.text(path),
                pathLength > kept,
                rows.getLong(at + CountersLayout.ROW_BYTES),
                rows.getLong(at + CountersLayout.ROW_MOVED),
                Math.max(0, nowNs() - rows.getLong(at + CountersLayout.ROW_BEGUN_NS)),
                first == 0 ? -1 : Math.max(0, first - rows.getLong(at + CountersLayout.ROW_ASKED_NS)));
    }

    private static <T> T of(T[] values, int index, T otherwise) {
        return index >= 0 && index < values.length ? values[index] : otherwise;
    }

    /** Of an engine that has ended, the time stands still. */
    private long nowNs() {
        return hasEnded() ? lastTurnNs() : readNs;
    }

    /** The name of the instance; empty: it has none. */
    public String name() {
        return name;
    }

    /** The process that has the engine, as it sees itself. */
    public long pid() {
        return Integer.toUnsignedLong(number(CountersLayout.PID));
    }

    /** The time of that process's start in the unit of /proc: field 22 of {@code /proc/PID/stat}. */
    long processStart() {
        return head.getLong(CountersLayout.PROCESS_START);
    }

    /** When the engine was started. */
    public Instant startedAt() {
        return epoch(head.getLong(CountersLayout.STARTED_NS));
    }

    /** When a loop last went to wait for something; before the first time, the start. */
    public Instant lastTurnAt() {
        return epoch(lastTurnNs());
    }

    /** How many event loops there are. */
    public int loops() {
        return turnedNs.length;
    }

    /** Since the last turn of a loop began, in nanoseconds; before the first one, since the start. */
    public long lastTurnAgeNs(int loop) {
        return Math.max(0, nowNs() - Math.max(turnedNs[loop], head.getLong(CountersLayout.STARTED_NS)));
    }

    private long lastTurnNs() {
        long last = head.getLong(CountersLayout.STARTED_NS);
        for (long turned : turnedNs) {
            last = Math.max(last, turned);
        }
        return last;
    }

    private Instant epoch(long ns) {
        long epochNs = head.getLong(CountersLayout.STARTED_EPOCH_NS) + ns - head.getLong(CountersLayout.STARTED_NS);
        return Instant.ofEpochSecond(Math.floorDiv(epochNs, NS_A_SECOND), Math.floorMod(epochNs, NS_A_SECOND));
    }

    /** Whether the engine has ended, and nothing changes any more. */
    public boolean hasEnded() {
        return number(CountersLayout.STATE) == STATE_ENDED;
    }

    /** When this was read, {@link System#nanoTime}. */
    public long readNs() {
        return readNs;
    }

    /** One of the counters that are not divided any further. */
    public long get(Counter counter) {
        return counters[counter.index()];
    }

    /** Requests received. */
    public long requests(RequestKind kind) {
        return requests[kind.code()];
    }

    /** Requests that have ended in this way. */
    public long outcomes(RequestKind kind, Outcome outcome) {
        return outcomes[kind.code() * number(CountersLayout.OUTCOMES) + outcome.code()];
    }

    /** Transfers that have ended and were moved by a technique; {@link Technique#AUTO}: by none. */
    public long transfers(RequestKind kind, Technique technique) {
        return flows[flow(kind, technique)];
    }

    /** Bytes that destinations have accepted, also of transfers under way. */
    public long bytes(RequestKind kind, Technique technique) {
        return flows[flow(kind, technique) + CountersLayout.FLOW_BYTES / Long.BYTES];
    }

    /** Windows that the disk pool loaded. */
    public long coldWindows(RequestKind kind, Technique technique) {
        return flows[flow(kind, technique) + CountersLayout.FLOW_COLD_WINDOWS / Long.BYTES];
    }

    private int flow(RequestKind kind, Technique technique) {
        return (kind.code() * number(CountersLayout.TECHNIQUES) + technique.code()) * CountersLayout.FLOW_LONGS;
    }

    /** Requests refused with an errno; 0: with one that Linux has no name for. */
    public long refusals(RequestKind kind, int errno) {
        return errno < errnos() ? refusals[kind.code() * errnos() + errno] : 0;
    }

    /** Transfers that failed with an errno. */
    public long failures(RequestKind kind, int errno) {
        return errno < errnos() ? failures[kind.code() * errnos() + errno] : 0;
    }

    /** The errno values that are counted apart: below this. */
    public int errnos() {
        return number(CountersLayout.ERRNOS);
    }

    /** The times of one kind. */
    public LatencyHistogram latency(Latency latency) {
        return latencies[latency.code()];
    }

    /** The times that came since an earlier reading of the same engine; the longest is that of all. */
    public LatencyHistogram latencySince(CountersReading before, Latency latency) {
        return latency(latency).since(before.latency(latency));
    }

    /** The queues of the disk pool that were used. Unmodifiable. */
    public List<DiskQueue> queues() {
        return queues;
    }

    /** The transfers under way, in no order; of very many, some are counted only. Unmodifiable. */
    public List<RunningTransfer> transfers() {
        return transfers;
    }
}
