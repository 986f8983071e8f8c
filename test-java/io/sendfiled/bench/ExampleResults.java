package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import java.io.IOException;

/** What a run might have measured: each kind of figure, and names that markup would take for something else. */
final class ExampleResults {
    static final String HOSTILE = "a <b> & \"c\" | `d` *e*";
    private static final long[] SIZES = {4096, 65_536, 1 << 20};

    private ExampleResults() {}

    static Results make() throws IOException, InterruptedException {
        return make(1);
    }

    /** The same of a server that is so much faster. */
    static Results make(double faster) throws IOException, InterruptedException {
        Report report = new Report(0.5, false);
        for (long size : SIZES) {
            for (int round = 0; round < 6; round++) {
                double rate = (100_000 + 100 * round) * 4096.0 / size;
                report.sample("web", Units.size(size), "sendfiled", "rate", "requests/s", rate * faster);
                report.sample("web", Units.size(size), HOSTILE, "rate", "requests/s", rate);
                report.sample("web", Units.size(size), "sendfiled", "p50", "us", 20 + round);
                report.sample("web", Units.size(size), "sendfiled", "p99", "us", 900 + round);
                report.sample("web", Units.size(size), "sendfiled", "max", "us", 9000 + round);
                report.sample("web", Units.size(size), "sendfiled", Cost.MEMORY, "MiB", 100);
                report.sample("web", Units.size(size), "nginx, sendfile on", Cost.MEMORY, "MiB", 50);
            }
        }
        for (String size : new String[] {"4 KiB", "64 KiB"}) {
            report.compareRounds("web", size, "of theirs", "sendfiled", HOSTILE, "rate", Goal.atLeast(1));
        }
        report.compareRounds("web", "1 MiB", "of theirs, doubled", "sendfiled", HOSTILE, "rate", Goal.atLeast(2.05));
        report.judge(
                "web",
                "4 KiB",
                "p99",
                report.metric("web", "4 KiB", "sendfiled", "p99"),
                1e-3,
                "ms",
                Goal.atMost(0.902));
        report.series("web", HOSTILE, "sendfiled", "rate", "requests/s", new double[] {0.05, 0.15, 0.25}, new double[] {
            10, 0, 12
        });
        report.note("web", HOSTILE);
        report.skip("web, " + HOSTILE, "it is missing");
        report.fail("hot", "3 requests failed");
        report.version("nginx", "1.22.1");
        report.took("web", "How fast is " + HOSTILE + "?", 1.5);
        report.took("hot", "Is it as fast when it is warm?", 0.5);
        return report.results(6);
    }
}
