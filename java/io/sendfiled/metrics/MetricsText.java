package io.sendfiled.metrics;

import io.prometheus.metrics.config.EscapingScheme;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot.InfoDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricMetadata;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.sendfiled.counters.Counter;
import io.sendfiled.counters.CountersReading;
import io.sendfiled.counters.DiskQueue;
import io.sendfiled.counters.Latency;
import io.sendfiled.counters.LatencyHistogram;
import io.sendfiled.counters.Outcome;
import io.sendfiled.counters.RequestKind;
import io.sendfiled.counters.WaitsFor;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntToLongFunction;

/**
 * The counters as Prometheus reads them: names in its manner, base units, and all labels from the start on, but for errno
 * values and devices, which come as they are met.
 *
 * <p>Needs the library prometheus-metrics, which nothing else does. Any thread.
 */
public final class MetricsText {
    /** Of {@link #of}. */
    public static final String CONTENT_TYPE = PrometheusTextFormatWriter.CONTENT_TYPE;

    private static final int EXPECTED_BYTES = 1 << 16;
    private static final double NS_A_SECOND = 1e9;
    private static final double MS_A_SECOND = 1e3;
    private static final String OPERATION = "operation";
    private static final String REASON = "reason";

    /** Upper bounds of times, in nanoseconds; one that is within 1 % of a bound may be counted on its other side. */
    private static final long[] BOUNDS_NS = {
        10_000,
        25_000,
        50_000,
        100_000,
        250_000,
        500_000,
        1_000_000,
        2_500_000,
        5_000_000,
        10_000_000,
        25_000_000,
        50_000_000,
        100_000_000,
        250_000_000,
        500_000_000,
        1_000_000_000L,
        2_500_000_000L,
        5_000_000_000L,
        10_000_000_000L,
        30_000_000_000L,
        100_000_000_000L,
        300_000_000_000L,
    };

    private static final RequestKind[] TRANSFERS = {
        RequestKind.OPEN, RequestKind.READ, RequestKind.SEND, RequestKind.DESCRIPTOR
    };

    private final CountersReading reading;
    private final List<Family> families = new ArrayList<>();
    private final List<MetricSnapshot> others = new ArrayList<>();

    private MetricsText(CountersReading reading) {
        this.reading = reading;
    }

    /**
     * Loads what it needs.
     *
     * @throws NoClassDefFoundError if the library is not there
     */
    public static void load() {
        List<Object> unused =
                List.of(PrometheusTextFormatWriter.create(), EscapingScheme.UNDERSCORE_ESCAPING, Labels.EMPTY);
    }

    /**
     * All that was read, in the text format 0.0.4.
     *
     * @param version of the program
     */
    public static byte[] of(CountersReading reading, String version) throws IOException {
        MetricsText text = new MetricsText(reading);
        text.addProgram(version);
        text.addRequests();
        text.addTransfers();
        text.addTimes();
        text.addDisks();
        text.addLoops();
        List<MetricSnapshot> metrics = new ArrayList<>(text.others);
        text.families.forEach(family -> metrics.add(family.snapshot()));
        ByteArrayOutputStream out = new ByteArrayOutputStream(EXPECTED_BYTES);
        // Without timestamps; no file or variable of the environment has a say.
        PrometheusTextFormatWriter.create()
                .write(out, new MetricSnapshots(metrics), EscapingScheme.UNDERSCORE_ESCAPING);
        return out.toByteArray();
    }

    private void addProgram(String version) {
        others.add(InfoSnapshot.builder()
                .name("sendfiled_build")
                .help("The program, and the name of its instance.")
                .dataPoint(new InfoDataPointSnapshot(
                        Labels.of("version", version, "name", Names.printable(reading.name()))))
                .build());
        gauge("sendfiled_start_time_seconds", "When the engine was started, since the epoch.")
                .measure(reading.startedAt().toEpochMilli() / MS_A_SECOND);
    }

    private void addRequests() {
        Family requests = counter("sendfiled_requests", "Requests received.");
        Family ended = counter("sendfiled_requests_ended", "Requests that are over, by what came of them.");
        Family refusals = counter("sendfiled_refusals", "Requests refused, by errno.");
        for (RequestKind kind : RequestKind.values()) {
            requests.add(reading.requests(kind), OPERATION, kind.label());
            for (Outcome outcome : Outcome.values()) {
                ended.add(reading.outcomes(kind, outcome), OPERATION, kind.label(), "outcome", outcome.label());
            }
            addErrnos(refusals, kind, errno -> reading.refusals(kind, errno));
        }
        Family limits = counter("sendfiled_limit_refusals", "Requests refused because of a limit; among the refusals.");
        limits.add(reading.get(Counter.REFUSED_TRANSFERS), "limit", "max-transfers");
        limits.add(reading.get(Counter.REFUSED_CLIENT_TRANSFERS), "limit", "client-transfers");
        limits.add(reading.get(Counter.REFUSED_CLIENT_DESCRIPTORS), "limit", "client-descriptors");
        limits.add(reading.get(Counter.REFUSED_CLIENT_DISK_TASKS), "limit", "client-disk-tasks");
        limits.add(reading.get(Counter.REFUSED_USER_TRANSFERS), "limit", "user-transfers");
        single(Counter.CROWDED, "sendfiled_crowded_requests", "Requests that lost descriptors: too many were open.");
    }

    private void addErrnos(Family points, RequestKind kind, IntToLongFunction count) {
        for (int errno = 0; errno < reading.errnos(); errno++) {
            long value = count.applyAsLong(errno);
            if (value != 0) {
                points.add(value, OPERATION, kind.label(), REASON, errno == 0 ? "unknown" : Errno.name(errno));
            }
        }
    }

    private void addTransfers() {
        Family transfers = counter("sendfiled_transfers", "Transfers that have ended, by what moved them.");
        Family bytes = counter("sendfiled_sent_bytes", "Bytes that destinations have accepted.");
        Family windows = counter("sendfiled_cold_windows", "Parts of files that the disk pool loaded.");
        Family failures = counter("sendfiled_failures", "Transfers that failed after they had begun, by errno.");
        for (RequestKind kind : TRANSFERS) {
            for (Technique technique : Technique.values()) {
                String[] labels = {
                    OPERATION, kind.label(), "technique", technique == Technique.AUTO ? "none" : technique.label()
                };
                transfers.add(reading.transfers(kind, technique), labels);
                bytes.add(reading.bytes(kind, technique), labels);
                windows.add(reading.coldWindows(kind, technique), labels);
            }
        }
        for (RequestKind kind : RequestKind.values()) {
            addErrnos(failures, kind, errno -> reading.failures(kind, errno));
        }
        gauge("sendfiled_transfers_under_way", "Transfers now.").add(reading.get(Counter.TRANSFERS));
        Map<WaitsFor, Long> waiting = new EnumMap<>(WaitsFor.class);
        reading.transfers().forEach(transfer -> waiting.merge(transfer.waitsFor(), 1L, Long::sum));
        Family waits = gauge(
                "sendfiled_transfers_waiting",
                "Transfers now, by what each waits for; of very many, some are left out.");
        for (WaitsFor what : WaitsFor.values()) {
            waits.add(waiting.getOrDefault(what, 0L), "waits_for", what.label());
        }
        gauge("sendfiled_descriptors", "Descriptors that are held for clients now, or promised to their transfers.")
                .add(reading.get(Counter.DESCRIPTORS));
        single(Counter.BLOCKED, "sendfiled_receiver_waits", "Times that a transfer waited for its receiver.");
        Family timeouts = counter("sendfiled_timeouts", "Transfers that ended because a time was over.");
        timeouts.add(reading.get(Counter.OPEN_TIMEOUTS), "timeout", "open");
        timeouts.add(reading.get(Counter.IDLE_TIMEOUTS), "timeout", "idle");
        timeouts.add(reading.get(Counter.DEADLINES), "timeout", "deadline");
        timeouts.add(reading.get(Counter.DRAIN_TIMEOUTS), "timeout", "drain");
        single(Counter.UNFIT_SELECTIONS, "sendfiled_unfit_selections", "Choices of the selector that did not fit.");
    }

    private void addTimes() {
        histogram(
                "sendfiled_first_byte_seconds",
                "From a request until its destination has accepted a byte; cold: where a disk was waited for.",
                times(Latency.FIRST_BYTE_WARM, Labels.of("cache", "warm")),
                times(Latency.FIRST_BYTE_COLD, Labels.of("cache", "cold")));
        histogram(
                "sendfiled_transfer_seconds",
                "From a request to the end, of transfers that completed.",
                times(Latency.TRANSFER, Labels.EMPTY));
        histogram(
                "sendfiled_loop_turn_seconds", "Of event loops between two waits.", times(Latency.TURN, Labels.EMPTY));
    }

    private void histogram(String name, String help, HistogramDataPointSnapshot... points) {
        others.add(new HistogramSnapshot(new MetricMetadata(name, help), List.of(points)));
    }

    private HistogramDataPointSnapshot times(Latency latency, Labels labels) {
        LatencyHistogram histogram = reading.latency(latency);
        double[] bounds = new double[BOUNDS_NS.length + 1];
        long[] counts = new long[bounds.length];
        long below = 0;
        for (int i = 0; i < BOUNDS_NS.length; i++) {
            long upTo = histogram.countUpTo(BOUNDS_NS[i]);
            bounds[i] = BOUNDS_NS[i] / NS_A_SECOND;
            counts[i] = upTo - below;
            below = upTo;
        }
        bounds[BOUNDS_NS.length] = Double.POSITIVE_INFINITY;
        counts[BOUNDS_NS.length] = histogram.count() - below;
        return new HistogramDataPointSnapshot(
                ClassicHistogramBuckets.of(bounds, counts), histogram.sumNs() / NS_A_SECOND, labels, null, 0L);
    }

    private void addDisks() {
        Family tasks = gauge("sendfiled_disk_tasks", "Tasks of the disk pool now, by device.");
        Family done = counter("sendfiled_disk_tasks_done", "Tasks that the disk pool has done, by device.");
        for (DiskQueue queue : reading.queues()) {
            tasks.add(queue.waiting(), "device", queue.name(), "state", "queued");
            tasks.add(queue.busy(), "device", queue.name(), "state", "running");
            done.add(queue.done(), "device", queue.name());
        }
        single(Counter.COLD_OPENS, "sendfiled_cold_opens", "Opens that went to the disk pool.");
        single(Counter.OPEN_FILE_HITS, "sendfiled_open_file_hits", "Paths that the cache of open files had.");
        single(Counter.OPEN_FILE_EVICTIONS, "sendfiled_open_file_evictions", "Open files that made room for others.");
        single(Counter.OPEN_FILE_STALE, "sendfiled_open_file_stale", "Open files that a check found to be others now.");
        single(Counter.SHORTAGES, "sendfiled_shortages", "Waits because the system lacked memory or the like.");
    }

    private void addLoops() {
        Family ages = gauge(
                "sendfiled_loop_last_turn_age_seconds",
                "Since the last turn of each event loop began; one that has nothing to do takes none.");
        for (int i = 0; i < reading.loops(); i++) {
            ages.measure(reading.lastTurnAgeNs(i) / NS_A_SECOND, "loop", Integer.toString(i));
        }
        single(
                Counter.STUCK,
                "sendfiled_loop_stuck",
                "Times that one call held the thread of an event loop for too long.");
        single(
                Counter.SESSION_MOVES,
                "sendfiled_session_moves",
                "Times that a session went to an event loop with less to do.");
    }

    // ---- in the library's words ----

    /** A metric of counters or gauges; one without a point is not told. */
    private static final class Family {
        private final boolean counts;
        private final MetricMetadata metadata;
        private final Map<Labels, Double> points = new LinkedHashMap<>();

        Family(boolean counts, String name, String help) {
            this.counts = counts;
            metadata = new MetricMetadata(name, help);
        }

        /** What has the same labels is one: the library wants no two. */
        void add(long value, String... labels) {
            measure((double) value, labels);
        }

        void measure(double value, String... labels) {
            points.merge(Labels.of(labels), value, Double::sum);
        }

        MetricSnapshot snapshot() {
            return counts ? new CounterSnapshot(metadata, counted()) : new GaugeSnapshot(metadata, measured());
        }

        private List<CounterDataPointSnapshot> counted() {
            List<CounterDataPointSnapshot> all = new ArrayList<>();
            points.forEach((labels, value) -> all.add(new CounterDataPointSnapshot(value, labels, null, 0L)));
            return all;
        }

        private List<GaugeDataPointSnapshot> measured() {
            List<GaugeDataPointSnapshot> all = new ArrayList<>();
            points.forEach((labels, value) -> all.add(new GaugeDataPointSnapshot(value, labels, null)));
            return all;
        }
    }

    /** Its name gets {@code _total}. */
    private Family counter(String name, String help) {
        return family(new Family(true, name, help));
    }

    private Family gauge(String name, String help) {
        return family(new Family(false, name, help));
    }

    private Family family(Family family) {
        families.add(family);
        return family;
    }

    private void single(Counter counter, String name, String help) {
        counter(name, help).add(reading.get(counter));
    }
}
