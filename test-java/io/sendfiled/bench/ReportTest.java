package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.bench.Ratio.Verdict;
import io.sendfiled.bench.Report.Goal;
import org.junit.jupiter.api.Test;

/** Compares what was measured in the same round. */
final class ReportTest {
    private final Report report = new Report(0, false);

    private void sample(String subject, double... values) {
        for (double value : values) {
            report.sample("web", "4 KiB", subject, "rate", "requests/s", value);
        }
    }

    private Ratio compare() {
        return report.compareRounds("web", "4 KiB", "of theirs", "ours", "theirs", "rate", Goal.atLeast(1));
    }

    @Test
    void shouldTakeTheMedianOfTheRatiosOfTheRounds() {
        sample("ours", 10, 40, 30);
        sample("theirs", 10, 10, 60);

        assertEquals(1, compare().value(), "the ratio of the medians would be 3");
    }

    @Test
    void shouldNotCompareWhatWasNotMeasured() {
        sample("ours", 10);

        assertFalse(compare().isMeasured());
        assertEquals(0, report.comparisons().size());
    }

    @Test
    void shouldMissAGoalThatIsNotReached() {
        sample("ours", 9, 9, 9, 9, 9);
        sample("theirs", 10, 10, 10, 10, 10);

        assertEquals(new Ratio(0.9, 0.9, 0.9, 5), compare());
        assertEquals(Verdict.MISSED, report.comparisons().get(0).verdict());
        assertEquals("0.90", report.comparisons().get(0).shown());
    }

    @Test
    void shouldGiveNoVerdictWhereTheRoundsAllowBoth() {
        sample("ours", 12, 11, 13, 9, 12);
        sample("theirs", 10, 10, 10, 10, 10);

        assertEquals(new Ratio(1.2, 0.9, 1.3, 5), compare());
        assertEquals(Verdict.NOISY, report.comparisons().get(0).verdict());
        assertEquals("1.20 [0.90, 1.30]", report.comparisons().get(0).shown());
    }

    @Test
    void shouldJudgeNothingInAQuickRun() {
        Report quick = new Report(0, true);
        quick.judge("web", "4 KiB", "p99", 3, "ms", Goal.atMost(2));

        assertNull(quick.comparisons().get(0).verdict());
        assertNull(quick.comparisons().get(0).goal());
        assertEquals("3.00 ms, once", quick.comparisons().get(0).shown());
    }

    @Test
    void shouldGiveNoVerdictOfFewerRoundsThanAnIntervalNeeds() {
        sample("ours", 9, 9, 9, 9);
        sample("theirs", 10, 10, 10, 10);
        compare();
        report.judge("web", "4 KiB", "p99", 3, "ms", Goal.atMost(2));
        report.compare("web", "4 KiB", "of medians", 3, 1, Goal.atLeast(1));

        for (Report.Comparison comparison : report.comparisons()) {
            assertEquals(Verdict.FEW_ROUNDS, comparison.verdict(), comparison.what());
        }
        assertEquals("3.00", report.comparisons().get(2).shown(), "nobody knows of how many rounds");
    }

    @Test
    void shouldJudgeACountOfCallsByOneRound() {
        report.judge("web", "4 KiB", "system calls", 6.1, "calls", Goal.atMost(6.5));

        assertEquals(Verdict.MET, report.comparisons().get(0).verdict());
        assertEquals("6.10 calls, once", report.comparisons().get(0).shown());
    }

    @Test
    void shouldAddWhatARequestHasCost() {
        new Cost(20, 0.5, 23).sample(report, "web", "4 KiB", "ours");
        new Cost(20_000, 4, 0).sampleVolume(report, "web", "1 GiB", "ours", 0.5);

        assertEquals(20, report.median("web", "4 KiB", "ours", Cost.CPU));
        assertEquals(0.5, report.median("web", "4 KiB", "ours", Cost.SWITCHES));
        assertEquals(23, report.median("web", "4 KiB", "ours", Cost.MEMORY));
        assertEquals(40, report.median("web", "1 GiB", "ours", Cost.CPU), "ms/GB");
        assertEquals(8, report.median("web", "1 GiB", "ours", Cost.SWITCHES));
        assertTrue(report.metric("web", "1 GiB", "ours", Cost.MEMORY).samples().isEmpty(), "not known");
    }

    @Test
    void shouldLeaveOutWhatIsFarOff() {
        sample("ours", 30, 11, 12, 13, 14, 15, 16, 17, 18, 1); // of ten rounds the second to the ninth: 1 - 22 / 1024
        sample("theirs", 10, 10, 10, 10, 10, 10, 10, 10, 10, 10);

        assertEquals(new Ratio(1.45, 1.1, 1.8, 10), compare());
        assertEquals(Verdict.MET, report.comparisons().get(0).verdict());
        assertEquals(Verdict.MISSED, compare().verdict(Goal.atMost(1)));
        assertEquals(Verdict.NOISY, compare().verdict(Goal.atMost(1.7)));
    }

    @Test
    void shouldJudgeANumberByTheIntervalOfItsRoundsInItsUnit() {
        sample("ours", 900, 1000, 1100, 950, 1050);
        Report.Metric rate = report.metric("web", "4 KiB", "ours", "rate");

        assertEquals(
                new Ratio(1, 0.9, 1.1, 5), report.judge("web", "4 KiB", "rate", rate, 1e-3, "k/s", Goal.atLeast(1)));
        assertEquals(Verdict.NOISY, report.comparisons().get(0).verdict());
        assertEquals("1.00 [0.90, 1.10] k/s", report.comparisons().get(0).shown());
        assertEquals(
                Verdict.MET,
                report.judge("web", "4 KiB", "rate", rate, 1, "/s", null).verdict(Goal.atLeast(900)));
    }
}
