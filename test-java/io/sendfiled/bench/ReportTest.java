package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.bench.Report.Goal;
import org.junit.jupiter.api.Test;

/** Compares what was measured in the same round. */
final class ReportTest {
    private final Report report = new Report(0);

    private void sample(String subject, double... values) {
        for (double value : values) {
            report.sample("web", "4 KiB", subject, "rate", "requests/s", value);
        }
    }

    private double compare() {
        return report.compareRounds("web", "4 KiB", "of theirs", "ours", "theirs", "rate", Goal.atLeast(1));
    }

    @Test
    void shouldTakeTheMedianOfTheRatiosOfTheRounds() {
        sample("ours", 10, 40, 30);
        sample("theirs", 10, 10, 60);

        assertEquals(1, compare(), "the ratio of the medians would be 3");
        assertEquals(true, report.comparisons().get(0).met());
    }

    @Test
    void shouldNotCompareWhatWasNotMeasured() {
        sample("ours", 10);

        assertTrue(Double.isNaN(compare()));
        assertEquals(0, report.comparisons().size());
    }

    @Test
    void shouldMissAGoalThatIsNotReached() {
        sample("ours", 9, 9);
        sample("theirs", 10, 10);

        assertEquals(0.9, compare());
        assertEquals(false, report.comparisons().get(0).met());
    }
}
