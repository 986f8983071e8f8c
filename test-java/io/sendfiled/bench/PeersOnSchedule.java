package io.sendfiled.bench;

import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * Latencies of warm 4 KiB at one rate that all of the servers can keep, alone and beside 16 cold downloads from the same
 * server, each from when its request was due; and one run of each in which the downloads come and go, in slices of time.
 */
final class PeersOnSchedule {
    static final String CASE = Peers.SMALL + " on a schedule";
    private static final String BESIDE = ", beside cold";
    private static final String TIME_LINE = "time line";

    /** Of what the slowest of them serves at most. */
    private static final double SHARE = 0.5;

    private static final long ROUND_MS = 1500;
    private static final long QUICK_ROUND_MS = 200;
    private static final int SLICE_MS = 100;
    /** The downloads go on for the second of three such parts. */
    private static final long PART_MS = 1000;

    private static final List<Double> PERCENTILES = List.of(50.0, 99.0, 99.9, 100.0);
    private static final double NS_PER_US = 1e3;

    private static final List<Column> COLUMNS = List.of(
            Column.left("server", 32),
            Column.right("p50", 8),
            Column.right("p99", 8),
            Column.right("p99.9", 8),
            Column.right("longest", 8),
            Column.right("none", 4));

    private final Scenario scenario;
    private final Scenario.Setting setting;
    private final Map<String, Histogram> latencies = new LinkedHashMap<>(); // of all rounds, by subject
    private final Map<String, Long> unanswered = new LinkedHashMap<>();
    private long rate;

    PeersOnSchedule(Scenario scenario, Scenario.Setting setting) {
        this.scenario = scenario;
        this.setting = setting;
    }

    /** Blocks. After the warm files, whose rates it goes by. */
    void measure(Map<Peer, WebSide> sides) throws IOException, InterruptedException {
        List<Peer> peers = Peers.NEAREST.stream().filter(sides::containsKey).toList();
        double slowest = peers.stream()
                .mapToDouble(peer -> setting.report().median(scenario.name(), Peers.SMALL, peer.title, WebSide.RATE))
                .min()
                .orElse(Double.NaN);
        if (!Double.isFinite(slowest)) {
            throw new IOException("there is no rate of " + Peers.SMALL + " to go by");
        }
        rate = Math.max(1, Math.round(slowest * SHARE));
        setting.report().sample(scenario.name(), CASE, "all", WebSide.RATE, "requests/s", (double) rate);
        alternate("", null, peers, sides);
        String missing = SlowDisk.unavailableBecause(setting.programs());
        if (!missing.isEmpty()) {
            setting.report().skip(scenario.name() + ", " + CASE + BESIDE, missing);
            print(peers);
            return;
        }
        try (ColdWebFiles cold = ColdWebFiles.mount(setting)) {
            alternate(BESIDE, cold, peers, sides);
            print(peers);
            if (setting.quick()) {
                setting.report().skip(scenario.name() + ", " + TIME_LINE, "--quick");
                return;
            }
            setting.screen().blank();
            setting.screen()
                    .title(
                            TIME_LINE,
                            "answers in each " + SLICE_MS + " ms; the cold downloads in the second of "
                                    + 3 * PART_MS / 1000 + " seconds");
            for (Peer peer : peers) {
                setting.attempt(
                        scenario,
                        TIME_LINE + ", " + peer.title,
                        () -> measureTimeLine(
                                cold, peer, Peers.side(sides, peer).server(0)));
            }
        }
    }

    private void alternate(String beside, @Nullable ColdWebFiles cold, List<Peer> peers, Map<Peer, WebSide> sides)
            throws IOException, InterruptedException {
        int rounds = Peers.rounds(setting);
        Rounds.alternate(rounds, peers, (peer, round) -> {
            WebServer server = Peers.side(sides, peer).server(0);
            setting.screen().working(CASE + beside + ", " + peer.title + ", round " + (round + 1) + " of " + rounds);
            if (cold == null) {
                sample(peer.title, load(server));
                return;
            }
            cold.measureBeside(server, ColdWebFiles.PACE, () -> sample(peer.title + beside, load(server)));
            awaitRecovery(server);
        });
    }

    private PacedLoad load(WebServer server) throws IOException {
        return start(server, setting.quick() ? QUICK_ROUND_MS : ROUND_MS).pacedResult((double) rate);
    }

    private LoadClient.Running start(WebServer server, long ms) throws IOException {
        return setting.load().startPaced(server, Peers.SMALL_FILE, Peers.SMALL_BYTES, rate, ms);
    }

    /** Who waits for the disk itself has it to the end of a read, and is not to be measured meanwhile. */
    private void awaitRecovery(WebServer server) throws IOException, InterruptedException {
        server.check(Peers.SMALL_FILE, setting.files().resolve(Peers.SMALL_FILE));
    }

    private void sample(String subject, PacedLoad load) {
        Histogram round = load.histogram();
        latencies.merge(subject, round.copy(), (all, more) -> {
            all.add(more);
            return all;
        });
        unanswered.merge(subject, load.unanswered(), Long::sum);
        for (double percentile : PERCENTILES) {
            double us = round.getValueAtPercentile(percentile) / NS_PER_US;
            setting.report().sample(scenario.name(), CASE, subject, name(percentile), "us", us);
        }
        setting.report().sample(scenario.name(), CASE, subject, "unanswered", "requests", (double) load.unanswered());
    }

    private static String name(double percentile) {
        return percentile == 100
                ? "max"
                : "p" + BigDecimal.valueOf(percentile).stripTrailingZeros().toPlainString();
    }

    /** Of the latencies of all rounds together: few of one round are as rare as one of a thousand. */
    private void print(List<Peer> peers) {
        setting.screen().header(Peers.SMALL + ", " + Units.rate((double) rate), COLUMNS);
        for (String beside : List.of("", BESIDE)) {
            for (Peer peer : peers) {
                Histogram histogram = latencies.get(peer.title + beside);
                if (histogram != null) {
                    print(peer.title + beside, histogram);
                }
            }
        }
    }

    private void print(String subject, Histogram histogram) {
        List<Cell> cells = new ArrayList<>(List.of(Cell.of(subject)));
        for (double percentile : PERCENTILES) {
            cells.add(Cell.of(Units.micros(histogram.getValueAtPercentile(percentile) / NS_PER_US)));
        }
        long none = unanswered.getOrDefault(subject, 0L);
        cells.add(Cell.faint(none == 0 ? "–" : Units.format("%.0f%%", 100.0 * none / histogram.getTotalCount())));
        setting.screen().row(COLUMNS, cells);
    }

    private void measureTimeLine(ColdWebFiles cold, Peer peer, WebServer server)
            throws IOException, InterruptedException {
        long[] answers;
        try (LoadClient.Running load = start(server, 3 * PART_MS)) {
            Thread.sleep(PART_MS);
            ColdDownloads downloads = cold.download(server, ColdWebFiles.PACE);
            Thread.sleep(PART_MS);
            downloads.close();
            answers = load.pacedResult((double) rate).answersBySlice(SLICE_MS);
        }
        List<Long> counts = Arrays.stream(answers).boxed().toList();
        setting.report().rates(scenario.name(), TIME_LINE, peer.title, "answers", "requests/s", SLICE_MS, counts);
        setting.screen().line("  " + Screen.pad(peer.title, 20, false) + "▕" + Units.bars(answers) + "▏");
        awaitRecovery(server);
    }
}
