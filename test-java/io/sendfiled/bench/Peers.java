package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * {@code sfd serve} and the servers of files that one would use instead: warm files in alternating rounds, then what cold
 * downloads do to each ({@link PeersBesideCold}), then latencies at a rate that all of them can keep ({@link PeersOnSchedule}).
 */
final class Peers implements Scenario {
    private static final String HOW_TO_READ =
            "What 16 cold downloads cost the warm requests of a server is the machine's in part: \"cold "
                    + "elsewhere\" is sfd serve while another process has the same downloads. A server whose loop "
                    + "waits for a disk answers nothing meanwhile; where nothing was answered, the p99 is the time for "
                    + "which that was measured.";

    /** A file, and what {@code sfd serve} should reach of whom. */
    private record Size(String title, String file, int bytes, Map<Peer, Goal> goals) {}

    /** Ours, those that goals are about, and the one beside them that no disk stops either. */
    static final List<Peer> NEAREST = List.of(Peer.SERVE, Peer.NGINX, Peer.NGINX_THREADS, Peer.REGION, Peer.POOL);

    /** Neither of a pair keeps a file open from one request to the next. */
    private static final Map<Peer, Peer> ALIKE = Map.of(Peer.SERVE_NONE_OPEN, Peer.NGINX);

    static final String SMALL = "4 KiB";
    static final String SMALL_FILE = "peers-4KiB";
    static final int SMALL_BYTES = 4 << 10;
    private static final int LARGE_BYTES = 1 << 20;
    /** The code is the same, and warm. */
    private static final int WARM_UP_LARGER_SECONDS = 3;

    private static final int WARM_UP_NATIVE_SECONDS = 1;
    private static final Goal NO_LESS = Goal.atLeast(1.0);
    private static final Size SMALLER =
            new Size(SMALL, SMALL_FILE, SMALL_BYTES, Map.of(Peer.REGION, NO_LESS, Peer.NGINX_THREADS, NO_LESS));
    private static final Size LARGER = new Size("1 MiB", "peers-1MiB", LARGE_BYTES, Map.of(Peer.NGINX, NO_LESS));

    private static final List<Column> COLUMNS = List.of(
            Column.left("warm", 19),
            Column.right("served", 9),
            Column.right("serve", 5),
            Column.right("p50", 6),
            Column.right("p99", 6),
            Column.right("CPU", 6),
            Column.right("switches", 8),
            Column.right("PSS", 5));

    @Override
    public String name() {
        return "http";
    }

    @Override
    public String question() {
        return "Is sfd serve as fast as what one would use instead, also beside cold files?";
    }

    @Override
    public boolean isAboutDaemonOnly() {
        return true;
    }

    @Override
    public void run(Setting setting) throws IOException, InterruptedException {
        setting.report().note(name(), HOW_TO_READ);
        if (!WebSide.available(setting, name(), "")) {
            return;
        }
        List<Size> sizes = setting.quick() ? List.of(SMALLER) : List.of(SMALLER, LARGER);
        for (Size size : sizes) {
            TestFiles.warm(TestFiles.file(setting.files(), size.file(), size.bytes()));
        }
        Map<Peer, WebSide> sides = new EnumMap<>(Peer.class);
        try (Stage stage = Stage.create(setting.programs())) {
            for (Peer peer : Peer.values()) {
                setting.attempt(this, peer.title, () -> start(setting, stage, peer, sizes, sides));
            }
            for (Size size : sizes) {
                setting.attempt(this, size.title(), () -> measure(setting, sides, size));
            }
            setting.attempt(this, PeersBesideCold.CASE, () -> new PeersBesideCold(this, setting).measure(stage, sides));
            setting.attempt(this, PeersOnSchedule.CASE, () -> new PeersOnSchedule(this, setting).measure(sides));
        } finally {
            sides.values().forEach(WebSide::close);
        }
    }

    /** Has it serve the files right before it is measured, and says what it is. */
    private void start(Setting setting, Stage stage, Peer peer, List<Size> sizes, Map<Peer, WebSide> sides)
            throws IOException, InterruptedException {
        String missing = peer.missing();
        if (!missing.isEmpty()) {
            setting.leaveOut(name(), peer.title, missing);
            return;
        }
        setting.screen().working("starting " + peer.title);
        WebSide side = new WebSide(peer.title, List.of(peer.start(stage, setting.files())));
        sides.put(peer, side);
        for (Size size : sizes) {
            Path file = setting.files().resolve(size.file());
            if (setting.quick()) {
                side.server(0).check(size.file(), file);
            } else {
                side.prepare(size.file(), file, warmUp(peer, size));
            }
        }
        String version = peer.version(stage);
        setting.report().version(peer.title, version);
        setting.report().note(name(), peer.title + " is set up as: " + peer.setup);
        setting.screen().step(peer.title, version + ": " + peer.setup);
    }

    private static int warmUp(Peer peer, Size size) {
        if (!peer.isJava()) {
            return WARM_UP_NATIVE_SECONDS;
        }
        return size.equals(SMALLER) ? WebSide.WARM_UP_SECONDS : WARM_UP_LARGER_SECONDS;
    }

    private void measure(Setting setting, Map<Peer, WebSide> sides, Size size)
            throws IOException, InterruptedException {
        List<Peer> measured = new ArrayList<>(sides.keySet());
        if (setting.quick()) {
            measured.retainAll(NEAREST);
            setting.report().skip(name() + ", the other peers", "checked, not measured, because of --quick");
        }
        int rounds = rounds(setting);
        Rounds.alternate(rounds, measured, (peer, round) -> {
            WebSide side = side(sides, peer);
            setting.screen().working(size.title() + ", " + peer.title + ", round " + (round + 1) + " of " + rounds);
            side.measure(setting, name(), size.title(), size.file(), size.bytes(), Wrk.CONNECTIONS, 1, round);
        });
        setting.screen().header("warm " + size.title(), COLUMNS);
        for (Peer peer : measured) {
            print(setting, size.title(), peer, size.goals().get(peer));
        }
        for (Map.Entry<Peer, Peer> alike : ALIKE.entrySet()) {
            setting.report()
                    .compareRounds(
                            name(),
                            size.title(),
                            alike.getKey().title + ", requests of those of " + alike.getValue().title,
                            alike.getKey().title,
                            alike.getValue().title,
                            WebSide.RATE,
                            null);
        }
    }

    /** Of a quick run one: it shows that everything works, with servers that are not warm, and judges nothing. */
    static int rounds(Setting setting) {
        return setting.quick() ? 1 : setting.rounds();
    }

    static WebSide side(Map<Peer, WebSide> sides, Peer peer) {
        return Objects.requireNonNull(sides.get(peer));
    }

    private void print(Setting setting, String testCase, Peer peer, @Nullable Goal goal) {
        Report report = setting.report();
        Ratio ratio = peer == Peer.SERVE
                ? Ratio.of(Double.NaN)
                : report.compareRounds(
                        name(),
                        testCase,
                        "sfd serve, requests of those of " + peer.title,
                        Peer.SERVE.title,
                        peer.title,
                        WebSide.RATE,
                        goal);
        double switches = report.median(name(), testCase, peer.title, Cost.SWITCHES);
        double memory = report.median(name(), testCase, peer.title, Cost.MEMORY);
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                Cell.of(peer.title),
                                Cell.of(Units.rate(report.median(name(), testCase, peer.title, WebSide.RATE))),
                                setting.cell(ratio, goal),
                                micros(setting, testCase, peer, WebSide.P50),
                                micros(setting, testCase, peer, WebSide.P99),
                                micros(setting, testCase, peer, Cost.CPU),
                                Cell.of(Units.format("%.2f", switches)),
                                Cell.of(Units.format("%.0f M", memory))));
    }

    private Cell micros(Setting setting, String testCase, Peer peer, String metric) {
        return Cell.of(Units.micros(setting.report().median(name(), testCase, peer.title, metric)));
    }
}
