package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.sendfiled.bench.Report.Goal;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a run lost, and no goal says so. */
final class LossesTest {
    private static final String NGINX = "nginx, aio threads";
    private static final Set<Peer> OURS = EnumSet.of(Peer.SERVE, Peer.SERVE_NONE_OPEN, Peer.HANDLER);

    private final Report report = new Report(0, false);

    private void measured(String testCase, String subject, String name, String unit, double... samples) {
        for (double sample : samples) {
            report.sample("web", testCase, subject, name, unit, sample);
        }
    }

    private void rate(String testCase, String subject, double... samples) {
        measured(testCase, subject, "rate", "requests/s", samples);
    }

    /** Each as case, sides and factor. */
    private List<String> losses() throws Exception {
        return Losses.of(report.results(5)).stream()
                .flatMap(loss -> loss.cases().stream())
                .map(loss -> Units.format(
                        "%s %s than %s %s",
                        loss.ours().testCase(),
                        loss.ours().subject(),
                        loss.than(),
                        Units.ratio(loss.factor().value())))
                .toList();
    }

    @Test
    void shouldFindTheStrongestOfTheOthers() throws Exception {
        rate("4 KiB", "sfd serve", 100, 101, 102, 99, 98);
        rate("4 KiB", "DefaultFileRegion", 150, 150, 150, 150, 150);
        rate("4 KiB", NGINX, 200, 200, 200, 200, 200);

        assertEquals(List.of("4 KiB sfd serve than nginx, aio threads 2.00"), losses());
    }

    @Test
    void shouldCountLessOfTimeAndMemoryAsBetter() throws Exception {
        measured("4 KiB", "sfd serve", "p99", "us", 100, 100, 100, 100, 100);
        measured("4 KiB", NGINX, "p99", "us", 200, 200, 200, 200, 200);
        measured("4 KiB", "sfd serve", Cost.MEMORY, "MiB", 80, 80, 80, 80, 80);
        measured("4 KiB", NGINX, Cost.MEMORY, "MiB", 4, 4, 4, 4, 4);

        assertEquals(List.of("4 KiB sfd serve than nginx, aio threads 20.00"), losses());
    }

    @Test
    void shouldNotCallALossWhatIsNotCertain() throws Exception {
        rate("noisy", "sfd serve", 100, 100, 100, 100, 100);
        rate("noisy", NGINX, 200, 200, 200, 200, 109);
        rate("few", "sfd serve", 100, 100, 100, 100);
        rate("few", NGINX, 200, 200, 200, 200);

        assertEquals(List.of(), losses());
    }

    @Test
    void shouldNotRepeatWhatAGoalJudges() throws Exception {
        rate("4 KiB", "sfd serve", 100, 100, 100, 100, 100);
        rate("4 KiB", NGINX, 200, 200, 200, 200, 200);
        report.compareRounds("web", "4 KiB", "of nginx", "sfd serve", NGINX, "rate", Goal.atLeast(1));

        assertEquals(List.of(), losses());
    }

    @Test
    void shouldNotCompareWithAControlNorTheMemoryOfALoop() throws Exception {
        rate("4 KiB", "sendfiled", 100, 100, 100, 100, 100);
        rate("4 KiB", "control: no disk of its own", 200, 200, 200, 200, 200);
        measured("4 KiB", "sendfiled", Cost.MEMORY, "MiB", 28, 28, 28, 28, 28);
        measured("4 KiB", "bare loop, polling", Cost.MEMORY, "MiB", 1, 1, 1, 1, 1);

        assertEquals(List.of(), losses());
    }

    @Test
    void shouldCompareWhatStandsBesideColdFilesWithWhatDoesToo() throws Exception {
        rate("4 KiB", "sfd serve, beside cold", 100, 100, 100, 100, 100);
        rate("4 KiB", NGINX, 900, 900, 900, 900, 900);
        rate("4 KiB", NGINX + ", beside cold", 150, 150, 150, 150, 150);

        assertEquals(List.of("4 KiB sfd serve, beside cold than nginx, aio threads, beside cold 1.50"), losses());
    }

    @Test
    void shouldTellWhatASideLosesOfItsOwnAlone() throws Exception {
        rate("alone", "sendfiled", 100, 100, 100, 100, 100);
        rate("beside 16 cold", "sendfiled", 50, 50, 50, 50, 50);

        assertEquals(List.of("beside 16 cold sendfiled than sendfiled, alone 2.00"), losses());
    }

    @Test
    void shouldNotCompareWithAnotherSideThatIsAlone() throws Exception {
        rate("beside", "sfd serve", 100, 100, 100, 100, 100);
        rate("beside", "sfd serve, alone", 120, 120, 120, 120, 120);
        rate("beside", NGINX + ", alone", 900, 900, 900, 900, 900);

        assertEquals(List.of("beside sfd serve than sfd serve, alone 1.20"), losses());
    }

    @Test
    void shouldPutTheWorstFirstInEachKindOfFigureAndOfThem() throws Exception {
        rate("a", "sendfiled", 100, 100, 100, 100, 100);
        rate("a", "fewest calls", 120, 120, 120, 120, 120);
        rate("b", "sendfiled", 100, 100, 100, 100, 100);
        rate("b", "fewest calls", 130, 130, 130, 130, 130);
        measured("a", "sendfiled", Cost.CPU, "us/request", 30, 30, 30, 30, 30);
        measured("a", "fewest calls", Cost.CPU, "us/request", 10, 10, 10, 10, 10);

        assertEquals(
                List.of(
                        "a sendfiled than fewest calls 3.00",
                        "b sendfiled than fewest calls 1.30",
                        "a sendfiled than fewest calls 1.20"),
                losses());
        assertEquals(2, Losses.of(report.results(5)).size());
    }

    @Test
    void shouldTakeTheFirstOfOurSidesInWhateverOrderTheyWereMeasured() throws Exception {
        rate("4 KiB", "our Netty handler", 10, 10, 10, 10, 10);
        rate("4 KiB", NGINX, 200, 200, 200, 200, 200);
        rate("4 KiB", "sfd serve", 100, 100, 100, 100, 100);

        assertEquals(List.of("4 KiB sfd serve than nginx, aio threads 2.00"), losses());
    }

    @Test
    void shouldCompareWhoOpensEachFileWithWhoDoesToo() throws Exception {
        rate("4 KiB", "sfd serve, uncached", 100, 100, 100, 100, 100);
        rate("4 KiB", "nginx, file cache", 900, 900, 900, 900, 900);
        rate("4 KiB", NGINX, 200, 200, 200, 200, 200);

        assertEquals(List.of("4 KiB sfd serve, uncached than nginx, aio threads 2.00"), losses());
    }

    @Test
    void shouldNotCompareWhatBothHaveNoneOf() throws Exception {
        measured("4 KiB", "sfd serve", "unanswered", "requests", 0, 0, 7, 9, 8);
        measured("4 KiB", NGINX, "unanswered", "requests", 0, 0, 0, 0, 0);

        assertEquals(List.of(), losses());
    }

    @Test
    void shouldTellRequestsAndTheirBytesOnce() throws Exception {
        rate("4 KiB", "sfd serve", 100, 100, 100, 100, 100);
        rate("4 KiB", NGINX, 200, 200, 200, 200, 200);
        measured("4 KiB", "sfd serve", "throughput", "MB/s", 10, 10, 10, 10, 10);
        measured("4 KiB", NGINX, "throughput", "MB/s", 20, 20, 20, 20, 20);

        assertEquals(List.of("4 KiB sfd serve than nginx, aio threads 2.00"), losses());
    }

    @Test
    void shouldShowALossWithoutBound() throws Exception {
        rate("4 KiB", "sfd serve", 0, 0, 0, 0, 0);
        rate("4 KiB", NGINX, 100, 100, 100, 100, 100);

        assertEquals(List.of("4 KiB sfd serve than nginx, aio threads ∞"), losses());
    }

    @Test
    void shouldKnowEachPeerByItsName() throws Exception {
        for (Peer peer : Peer.values()) {
            if (!OURS.contains(peer)) {
                rate(peer.title, Peer.SERVE.title, 100, 100, 100, 100, 100);
                rate(peer.title, peer.title, 200, 200, 200, 200, 200);
            }
        }
        rate("calls", Peer.HANDLER.title, 100, 100, 100, 100, 100);
        rate("calls", Server.Kind.ORIGINAL.title, 200, 200, 200, 200, 200);
        rate("fewest", Server.Kind.DAEMON.title, 100, 100, 100, 100, 100);
        rate("fewest", Server.Kind.FEWEST.title, 200, 200, 200, 200, 200);

        assertEquals(Peer.values().length - OURS.size() + 2, losses().size(), () -> "of " + List.of(Peer.values()));
    }
}
