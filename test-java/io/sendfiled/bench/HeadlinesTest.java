package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a run says at first, with its figures. */
final class HeadlinesTest {
    private final Report report = new Report(0, false);

    private void requestsOf(String theirs, double ratio) {
        report.compare("http", "4 KiB", "sfd serve, requests of those of " + theirs, ratio, 1, null);
    }

    @Test
    void shouldSayHowFastItIsBesideTwoOthers() throws Exception {
        requestsOf("nginx, aio threads", 1.6);
        requestsOf("DefaultFileRegion", 2.28);

        List<String> headlines = Headlines.of(report.results(5));
        assertEquals(1, headlines.size());
        assertTrue(
                headlines
                        .get(0)
                        .endsWith("sfd serve answers 1.60 times the requests of nginx, aio threads;"
                                + " 2.28 times the requests of DefaultFileRegion."),
                headlines.get(0));
    }

    @Test
    void shouldLeaveOutASentenceWhoseFiguresAreMissing() throws Exception {
        report.sample("http", "4 KiB", "sfd serve", "rate", "requests/s", 1);

        assertEquals(List.of(), Headlines.of(report.results(5)));
    }

    @Test
    void shouldTakeTheCostOfTheLoopThatWasTheFastest() throws Exception {
        report.compare("throughput", "1 GiB to TCP", "sendfiled of the fastest bare loop (polling)", 0.9, 1, null);
        report.sample("throughput", "1 GiB to TCP", "sendfiled", Cost.CPU, "ms/GB", 110);
        report.sample("throughput", "1 GiB to TCP", "bare loop, blocking", Cost.CPU, "ms/GB", 50);
        report.sample("throughput", "1 GiB to TCP", "bare loop, polling", Cost.CPU, "ms/GB", 100);

        List<String> headlines = Headlines.of(report.results(5));
        assertEquals(1, headlines.size(), headlines::toString);
        assertTrue(headlines.get(0).contains("1.10 times the CPU of that loop (110 ms/GB against 100 ms/GB)"));
    }

    @Test
    void shouldFindAllFiguresInTheRunThatIsKept() throws Exception {
        List<String> headlines = Headlines.of(Results.read(Path.of("packaging/bench/report.json")));

        assertEquals(4, headlines.size(), headlines::toString);
        assertTrue(headlines.get(1).contains("DefaultFileRegion "), headlines.get(1));
        assertTrue(headlines.get(3).contains("of memory (PSS)"), headlines.get(3));
    }
}
