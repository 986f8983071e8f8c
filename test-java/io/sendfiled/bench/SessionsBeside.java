package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What else the scenario of sessions asks: an HTTP server over one, beside nginx, and what a thousand cost that ask nothing. */
final class SessionsBeside {
    private static final String EXAMPLE = "http_session_server";
    private static final Goal OF_NGINX = Goal.atLeast(0.8);

    private static final String IDLE = "idle sessions";
    private static final int SESSIONS = 1000;
    private static final int KIB = 1024;
    private static final Goal MEMORY = Goal.atMost(16);
    /** Of a processor, in percent: what a JVM that does nothing rounds to. */
    private static final Goal CPU = Goal.atMost(0.05);

    private static final List<Column> COLUMNS = List.of(
            Column.left("warm", 15),
            Column.left("server", 19),
            Column.right("requests", 11),
            Column.right("p99", 8),
            Column.right("ratio", 6),
            Column.right("CPU each", 9));

    private final Scenario scenario;

    SessionsBeside(Scenario scenario) {
        this.scenario = scenario;
    }

    void run(Scenario.Setting setting) throws InterruptedException {
        setting.attempt(scenario, ExampleBesideNginx.CASE, () -> measureWeb(setting));
        setting.attempt(scenario, IDLE, () -> measureIdle(setting));
    }

    private void measureWeb(Scenario.Setting setting) throws IOException, InterruptedException {
        String nginx = ExampleBesideNginx.NGINX;
        if (!ExampleBesideNginx.measure(setting, scenario.name(), EXAMPLE, List.of())) {
            return;
        }
        Ratio ratio = setting.report()
                .compareRounds(
                        scenario.name(),
                        ExampleBesideNginx.CASE,
                        "requests of those of nginx",
                        EXAMPLE,
                        nginx,
                        WebSide.RATE,
                        OF_NGINX);
        setting.screen().header(COLUMNS);
        print(setting, EXAMPLE, ratio, OF_NGINX);
        print(setting, nginx, Ratio.of(Double.NaN), null);
    }

    private void print(Scenario.Setting setting, String subject, Ratio ratio, @Nullable Goal goal) {
        String test = ExampleBesideNginx.CASE;
        Report report = setting.report();
        setting.screen()
                .row(
                        COLUMNS,
                        List.of(
                                Cell.of(test),
                                Cell.of(subject),
                                Cell.of(Units.rate(report.median(scenario.name(), test, subject, WebSide.RATE))),
                                Cell.of(Units.micros(report.median(scenario.name(), test, subject, WebSide.P99))),
                                setting.cell(ratio, goal),
                                Cell.of(Units.micros(report.median(scenario.name(), test, subject, Cost.CPU)))));
    }

    /** The first sessions of a daemon also have its code loaded: what they cost is not counted. */
    private void measureIdle(Scenario.Setting setting) throws IOException, InterruptedException {
        Report report = setting.report();
        double seconds = setting.quick() ? 2 : 10;
        for (int round = 0; round < (setting.quick() ? 1 : setting.rounds()); round++) {
            setting.screen().working(SESSIONS + " sessions that ask nothing, round " + (round + 1));
            try (Server daemon = Server.startDaemon(
                    setting.programs(), "idle-" + round, SESSIONS, setting.files(), setting.sockets())) {
                setting.load().idleSessions(daemon, 1).close();
                long before = Machine.anonymousBytes(daemon.pid());
                try (LoadClient.Running held = setting.load().idleSessions(daemon, SESSIONS)) {
                    double grown = (double) (Machine.anonymousBytes(daemon.pid()) - before) / KIB / SESSIONS;
                    report.sample(scenario.name(), IDLE, "sendfiled", "memory", "KiB", grown);
                    LoadClient.Idle.Use use = setting.load()
                            .idle(seconds, List.of(daemon))
                            .processes()
                            .get(0);
                    report.sample(scenario.name(), IDLE, "sendfiled", "cpu", "%", use.cpu_us_per_s() / 1e4);
                    if (!held.isRunning()) {
                        throw new IOException("the idle sessions have ended");
                    }
                }
            }
        }
        Report.Metric memory = report.metric(scenario.name(), IDLE, "sendfiled", "memory");
        Report.Metric cpu = report.metric(scenario.name(), IDLE, "sendfiled", "cpu");
        report.judge(scenario.name(), IDLE, "memory of each, without its ring", memory, 1, "KiB", MEMORY);
        report.judge(scenario.name(), IDLE, "CPU of all, of one processor", cpu, 1, "%", CPU);
        setting.screen()
                .line(String.format(
                        java.util.Locale.ROOT,
                        "%d idle sessions: %.1f KiB of memory each, %.3f %% of a processor",
                        SESSIONS,
                        memory.median(),
                        cpu.median()));
    }
}
