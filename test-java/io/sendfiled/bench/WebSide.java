package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * One of several web servers that are compared: the same server started by the owner of the files and by another user, to
 * whom the kernel tells less about them. Each serves half of the rounds. Where the harness is not root there is the first
 * only.
 */
record WebSide(String title, List<WebServer> servers) implements AutoCloseable {
    /** Starts a server. Blocks. */
    interface Starter {
        /** Blocks. User 0 is the owner of the files, 1 another. */
        WebServer start(int user) throws IOException, InterruptedException;
    }

    static final String RATE = "rate";
    static final String THROUGHPUT = "throughput";
    static final String P50 = "p50";
    static final String P99 = "p99";

    /** A JVM of two processors serves 0.6 to 0.7 of its rate before its compiler is done with what serves small files. */
    static final int WARM_UP_SECONDS = 10;

    private static final int FEW = 100;

    /** Starts the servers of a side. Blocks. */
    static WebSide start(String title, Starter starter) throws IOException, InterruptedException {
        WebSide side = new WebSide(title, new ArrayList<>());
        try {
            for (int user = 0; user < (Programs.isRoot() ? 2 : 1); user++) {
                side.servers.add(starter.start(user));
            }
        } catch (IOException | InterruptedException e) {
            side.close();
            throw e;
        }
        return side;
    }

    /**
     * Whether web servers can be measured; if not, the report says why.
     *
     * @param part of the scenario; empty: the whole
     */
    static boolean available(Scenario.Setting setting, String scenario, String part) throws IOException {
        String missing = !Programs.isInstalled("wrk")
                ? "wrk is missing"
                : Machine.isShortOfTcpMemory() ? "other programs have filled the kernel's TCP buffers" : "";
        if (!missing.isEmpty()) {
            setting.leaveOut(scenario, part, missing);
        }
        return missing.isEmpty();
    }

    /** Compares the bytes of a file, and has the servers' code compiled for so long, if at all. Blocks. */
    void prepare(String name, Path file, int seconds) throws IOException, InterruptedException {
        for (WebServer server : servers) {
            server.check(name, file);
            if (seconds > 0) {
                Wrk.run(server.url(name), Wrk.CONNECTIONS, seconds);
            }
        }
    }

    WebServer server(int round) {
        return servers.get(round % servers.size());
    }

    /** The one that does not own the files, where there is one. */
    WebServer other() {
        return servers.get(servers.size() - 1);
    }

    /** At least eight rounds, four of each user, unless it has to be quick. */
    static int rounds(Scenario.Setting setting) {
        return setting.quick() ? setting.rounds() : Math.max(setting.rounds(), 8);
    }

    /** Requests for so long, and what they cost. Blocks. */
    void measure(
            Scenario.Setting setting,
            String scenario,
            String testCase,
            String file,
            long size,
            int connections,
            int seconds,
            int round)
            throws IOException, InterruptedException {
        WebServer server = server(round);
        Cost before = server.costSoFar();
        Wrk.Result result = Wrk.run(server.url(file), connections, seconds);
        Cost after = server.costSoFar();
        Report report = setting.report();
        report.sample(scenario, testCase, title, RATE, "requests/s", result.rate());
        report.sample(scenario, testCase, title, THROUGHPUT, "MB/s", result.megabytesPerSecond());
        report.sample(scenario, testCase, title, P50, "us", result.p50Us());
        report.sample(scenario, testCase, title, P99, "us", result.p99Us());
        // Of the largest files few are complete when the time is over.
        double served = result.requests() < FEW ? result.bytes() / size : result.requests();
        after.since(before, served).sample(report, scenario, testCase, title);
    }

    /** System calls of a request, in a round of their own: counting costs time. Blocks. */
    double systemCalls(SystemCalls counter, Path directory, String file) throws IOException, InterruptedException {
        SystemCalls.Counted counted =
                counter.count(other().pids(), Wrk.command(other().url(file), Wrk.CONNECTIONS, 1), directory);
        return (double) counted.calls()
                / Wrk.checked(Wrk.parse(counted.output())).requests();
    }

    @Override
    public void close() {
        servers.forEach(WebServer::close);
    }
}
