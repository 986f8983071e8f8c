package io.sendfiled.bench;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** How many warm requests a second are answered before, while and after cold files are always under way. */
final class ColdTimeLine {
    private static final int SLICE_MS = 100;
    private static final int WARM_UP = 2000;
    private static final double PHASE_SECONDS = 2;
    private static final double QUICK_PHASE_SECONDS = 0.5;
    private static final int PHASES = 3;

    private final Scenario scenario;
    private final String warm;
    private final int connections;

    /**
     * Of a scenario.
     *
     * @param warm the file that is asked for
     * @param connections how many ask for it
     */
    ColdTimeLine(Scenario scenario, String warm, int connections) {
        this.scenario = scenario;
        this.warm = warm;
        this.connections = connections;
    }

    /** Measures the daemon and the original's calls one after the other. Blocks. */
    void measure(Scenario.Setting setting, ColdFiles files, int count) throws IOException, InterruptedException {
        double phase = setting.quick() ? QUICK_PHASE_SECONDS : PHASE_SECONDS;
        String testCase = Units.format("%d cold from %.1f to %.1f s", count, phase, 2 * phase);
        for (Server.Kind kind : List.of(Server.Kind.DAEMON, Server.Kind.ORIGINAL)) {
            if (setting.measures(kind)) {
                setting.screen().working("over time: " + kind.title);
                try (Server server = Server.start(setting.programs(), kind, setting.files(), setting.sockets())) {
                    setting.report()
                            .rates(
                                    scenario.name(),
                                    testCase,
                                    kind.title,
                                    "warm requests",
                                    "requests/s",
                                    SLICE_MS,
                                    answered(setting, files, count, server, phase));
                }
            }
        }
    }

    private List<Long> answered(Scenario.Setting setting, ColdFiles files, int count, Server server, double phase)
            throws IOException, InterruptedException {
        try (LoadClient.Running load = setting.load()
                .start(
                        server,
                        "--path",
                        warm,
                        "--threads",
                        connections,
                        "--warmup",
                        WARM_UP,
                        "--seconds",
                        PHASES * phase,
                        "--slice",
                        SLICE_MS)) {
            pass(phase);
            try (LoadClient.Running cold = ColdIsolation.coldOn(setting, files, count, server)) {
                pass(phase);
                if (!cold.isRunning()) {
                    throw new IOException("the cold load ended before its time");
                }
            }
            return load.slices();
        }
    }

    private static void pass(double seconds) throws InterruptedException {
        TimeUnit.MILLISECONDS.sleep(Math.round(seconds * 1000));
    }
}
