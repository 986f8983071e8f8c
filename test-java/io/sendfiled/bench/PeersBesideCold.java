package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Warm 4 KiB from each server alone, and while 16 connections download cold files from the same server. {@code sfd serve} is
 * measured as well while another process has the same downloads, which tells what is the machine's: the disk, its readers and
 * the warm load share the processors.
 */
final class PeersBesideCold {
    static final String CASE = Peers.SMALL + " beside " + ColdWebFiles.DOWNLOADS + " cold";
    private static final String SERVE = Peer.SERVE.title;
    private static final String ALONE = ", alone";
    private static final String CONTROL = SERVE + ", cold elsewhere";
    private static final int WARM_UP_ROUNDS = 2;

    /** What a server keeps open is of no account to one that waits for a disk. */
    private static final Set<Peer> ALIKE = EnumSet.of(Peer.SERVE_NONE_OPEN, Peer.NGINX_OPEN_FILES);

    private static final String COLD = "cold throughput";
    private static final Goal OF_ALONE = Goal.atLeast(0.95);

    private static final List<Column> COLUMNS = List.of(
            Column.left(CASE, 28),
            Column.right("served", 11),
            Column.right("of alone", 8),
            Column.right("p99", 8),
            Column.right("cold", 9));

    private final Scenario scenario;
    private final Scenario.Setting setting;

    PeersBesideCold(Scenario scenario, Scenario.Setting setting) {
        this.scenario = scenario;
        this.setting = setting;
    }

    /** Blocks. A peer that stalls is waited for after each of its rounds. */
    void measure(Stage stage, Map<Peer, WebSide> sides) throws IOException, InterruptedException {
        String missing = SlowDisk.unavailableBecause(setting.programs());
        if (!missing.isEmpty()) {
            setting.report().skip(scenario.name() + ", " + CASE, missing);
            return;
        }
        List<Peer> peers = new ArrayList<>(sides.keySet());
        peers.removeAll(setting.quick() ? EnumSet.complementOf(EnumSet.of(Peer.SERVE)) : ALIKE);
        try (ColdWebFiles cold = ColdWebFiles.mount(setting);
                WebServer elsewhere = Peer.SERVE.start(stage, setting.files())) {
            for (Peer peer : peers) {
                warmUp(cold, peer, Peers.side(sides, peer).server(0));
            }
            warmUp(cold, Peer.SERVE, elsewhere);
            int rounds = Peers.rounds(setting);
            Rounds.alternate(rounds, peers, (peer, round) -> {
                setting.screen().working(CASE + ", " + peer.title + ", round " + (round + 1) + " of " + rounds);
                WebServer server = Peers.side(sides, peer).server(0);
                sample(peer.title + ALONE, Wrk.run(server.url(Peers.SMALL_FILE), Wrk.CONNECTIONS, 1));
                measureBeside(cold, peer.title, server, server);
                if (peer == Peer.SERVE) {
                    measureBeside(cold, CONTROL, server, elsewhere);
                }
            });
        }
        print(peers);
    }

    /** Has a JVM compile what serves cold files. */
    private void warmUp(ColdWebFiles cold, Peer peer, WebServer server) throws IOException, InterruptedException {
        for (int round = 0; round < WARM_UP_ROUNDS && peer.isJava() && !setting.quick(); round++) {
            setting.screen().working(CASE + ", warming up " + peer.title);
            ColdDownloads downloads = cold.download(server, null);
            Wrk.runWithFailures(server.url(Peers.SMALL_FILE), Wrk.CONNECTIONS, 1);
            downloads.close();
            check(server);
        }
    }

    private void measureBeside(ColdWebFiles cold, String subject, WebServer warm, WebServer downloadsFrom)
            throws IOException, InterruptedException {
        double coldRate = cold.measureBeside(downloadsFrom, ColdWebFiles.PACE, () -> {
            Wrk.Result result = Wrk.runWithFailures(warm.url(Peers.SMALL_FILE), Wrk.CONNECTIONS, 1);
            sample(subject, subject.startsWith(SERVE) ? Wrk.checked(result) : result);
        });
        setting.report().sample(scenario.name(), CASE, subject, COLD, "MB/s", coldRate);
        check(downloadsFrom);
    }

    /** Who waits for the disk itself has it to the end of a read, and is not to be measured meanwhile. */
    private void check(WebServer server) throws IOException, InterruptedException {
        server.check(Peers.SMALL_FILE, setting.files().resolve(Peers.SMALL_FILE));
    }

    private void sample(String subject, Wrk.Result result) {
        setting.report().sample(scenario.name(), CASE, subject, WebSide.RATE, "requests/s", result.rate());
        setting.report().sample(scenario.name(), CASE, subject, WebSide.P99, "us", result.p99Us());
    }

    private void print(List<Peer> peers) {
        setting.screen().header(COLUMNS);
        row(SERVE + ALONE, Ratio.of(Double.NaN), null);
        for (Peer peer : peers) {
            Goal goal = peer == Peer.SERVE ? OF_ALONE : null;
            row(peer.title, compare(peer.title, peer.title + ALONE, "requests of its own alone", goal), goal);
            if (peer == Peer.SERVE) {
                row(CONTROL, compare(CONTROL, SERVE + ALONE, "requests of those alone", null), null);
            }
        }
    }

    private Ratio compare(String subject, String other, String what, @Nullable Goal goal) {
        return setting.report()
                .compareRounds(scenario.name(), CASE, subject + ", " + what, subject, other, WebSide.RATE, goal);
    }

    private void row(String subject, Ratio ofAlone, @Nullable Goal goal) {
        Report report = setting.report();
        double cold = report.median(scenario.name(), CASE, subject, COLD);
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                Cell.of(subject),
                                Cell.of(Units.rate(report.median(scenario.name(), CASE, subject, WebSide.RATE))),
                                setting.cell(ofAlone, goal),
                                Cell.of(Units.micros(report.median(scenario.name(), CASE, subject, WebSide.P99))),
                                Cell.faint(Double.isNaN(cold) ? "–" : Units.megabytesPerSecond(cold))));
    }
}
