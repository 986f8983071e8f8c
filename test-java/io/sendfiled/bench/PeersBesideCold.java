package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Warm 4 KiB from each server while 16 connections download cold files from the same server. {@code sfd serve} alternates with
 * itself alone, and with the same downloads from another process, which tell what is the machine's: the disk, its readers and
 * the warm load share the processors.
 */
final class PeersBesideCold {
    static final String CASE = Peers.SMALL + " beside " + ColdWebFiles.DOWNLOADS + " cold";
    private static final String SERVE = Peer.SERVE.title;
    private static final String ALONE = SERVE + ", alone";
    private static final String CONTROL = SERVE + ", cold elsewhere";
    private static final int ROUNDS_OF_PEERS = 2;
    private static final int WARM_UP_ROUNDS = 2;
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

    /** Blocks. A peer that stalls is waited for after each of its rounds, and left out of the next if that takes too long. */
    void measure(Stage stage, Map<Peer, WebSide> sides) throws IOException, InterruptedException {
        String missing = SlowDisk.unavailableBecause(setting.programs());
        if (!missing.isEmpty()) {
            setting.report().skip(scenario.name() + ", " + CASE, missing);
            return;
        }
        WebServer serve = Peers.side(sides, Peer.SERVE).server(0);
        List<Peer> peers = new ArrayList<>(sides.keySet());
        peers.remove(Peer.SERVE);
        if (setting.quick()) {
            peers.clear();
        }
        try (ColdWebFiles cold = ColdWebFiles.mount(setting);
                WebServer elsewhere = Peer.SERVE.start(stage, setting.files())) {
            warmUp(cold, serve, elsewhere);
            int rounds = Peers.rounds(setting);
            Rounds.alternate(rounds, List.of(ALONE, SERVE, CONTROL), (subject, round) -> {
                setting.screen().working(CASE + ", " + subject + ", round " + (round + 1) + " of " + rounds);
                if (subject.equals(ALONE)) {
                    sample(ALONE, Wrk.run(serve.url(Peers.SMALL_FILE), Wrk.CONNECTIONS, 1));
                } else {
                    WebServer downloadsFrom = subject.equals(CONTROL) ? elsewhere : serve;
                    measureBeside(cold, subject, serve, downloadsFrom, false);
                }
            });
            for (Peer peer : peers) {
                setting.attempt(
                        scenario,
                        CASE + ", " + peer.title,
                        () -> measurePeer(cold, peer, Peers.side(sides, peer).server(0)));
            }
        }
        print(peers);
    }

    private void warmUp(ColdWebFiles cold, WebServer serve, WebServer elsewhere)
            throws IOException, InterruptedException {
        for (int round = 0; round < WARM_UP_ROUNDS && !setting.quick(); round++) {
            for (WebServer downloadsFrom : List.of(serve, elsewhere)) {
                setting.screen().working(CASE + ", warming up");
                ColdDownloads downloads = cold.download(downloadsFrom, null);
                Wrk.runWithFailures(serve.url(Peers.SMALL_FILE), Wrk.CONNECTIONS, 1);
                downloads.close();
            }
        }
    }

    private void measurePeer(ColdWebFiles cold, Peer peer, WebServer server) throws IOException, InterruptedException {
        for (int round = 0; round < ROUNDS_OF_PEERS; round++) {
            setting.screen().working(CASE + ", " + peer.title);
            measureBeside(cold, peer.title, server, server, true);
            // Who waits for the disk itself has it to the end of a read, and is not to be measured meanwhile.
            server.check(Peers.SMALL_FILE, setting.files().resolve(Peers.SMALL_FILE));
        }
    }

    private void measureBeside(
            ColdWebFiles cold, String subject, WebServer warm, WebServer downloadsFrom, boolean mayFail)
            throws IOException, InterruptedException {
        double coldRate = cold.measureBeside(downloadsFrom, ColdWebFiles.PACE, () -> {
            Wrk.Result result = Wrk.runWithFailures(warm.url(Peers.SMALL_FILE), Wrk.CONNECTIONS, 1);
            sample(subject, mayFail ? result : Wrk.checked(result));
        });
        setting.report().sample(scenario.name(), CASE, subject, COLD, "MB/s", coldRate);
    }

    private void sample(String subject, Wrk.Result result) {
        setting.report().sample(scenario.name(), CASE, subject, WebSide.RATE, "requests/s", result.rate());
        setting.report().sample(scenario.name(), CASE, subject, WebSide.P99, "us", result.p99Us());
    }

    private void print(List<Peer> peers) {
        Report report = setting.report();
        Ratio ofAlone = report.compareRounds(
                scenario.name(), CASE, "requests of those alone", SERVE, ALONE, WebSide.RATE, OF_ALONE);
        Ratio ofControl = report.compareRounds(
                scenario.name(), CASE, "requests of those beside cold elsewhere", SERVE, CONTROL, WebSide.RATE, null);
        setting.screen().header(COLUMNS);
        row(ALONE, Ratio.of(Double.NaN), null);
        row(SERVE, ofAlone, OF_ALONE);
        row(CONTROL, Ratio.of(ofAlone.value() / ofControl.value()), null);
        for (Peer peer : peers) {
            double beside = report.median(scenario.name(), CASE, peer.title, WebSide.RATE);
            double alone = report.median(scenario.name(), Peers.SMALL, peer.title, WebSide.RATE);
            report.compare(scenario.name(), CASE, peer.title + ", requests of its own alone", beside, alone, null);
            row(peer.title, Ratio.of(beside / alone), null);
        }
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
