package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.bench.Differences.Change;
import io.sendfiled.bench.Report.Goal;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A run beside an older one. */
final class DifferencesTest {
    private static final double[] SLOW = {100, 101, 102, 103, 104};
    private static final double[] FAST = {110, 111, 112, 113, 114};
    private static final double[] BETWEEN = {102, 106, 108, 110, 112};

    private static Results results(String unit, double... samples) throws Exception {
        Report report = new Report(0, false);
        for (double sample : samples) {
            report.sample("web", "4 KiB", "ours", "figure", unit, sample);
            report.sample("web", "4 KiB", "theirs", "figure", unit, 100);
        }
        report.compareRounds(
                "web", "4 KiB", "of theirs (" + samples[0] + ")", "ours", "theirs", "figure", Goal.atLeast(1));
        return report.results(samples.length);
    }

    private static Change changeOf(String unit, double[] older, double[] newer) throws Exception {
        return Differences.between(results(unit, older), results(unit, newer))
                .rows()
                .get(0)
                .change();
    }

    private static String printed(Results older, Results newer, boolean worse) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Screen screen = new Screen(new PrintStream(out, true, StandardCharsets.UTF_8), false);
        assertEquals(worse, DifferencesScreen.print(screen, older, newer));
        return out.toString(StandardCharsets.UTF_8);
    }

    @Test
    void shouldFindMoreOfARateBetterAndMoreOfATimeWorse() throws Exception {
        assertEquals(Change.BETTER, changeOf("requests/s", SLOW, FAST));
        assertEquals(Change.WORSE, changeOf("us", SLOW, FAST));
        assertEquals(Change.WORSE, changeOf("MB/s", FAST, SLOW));
        assertEquals(Change.BETTER, changeOf("KiB", FAST, SLOW));
    }

    @Test
    void shouldFindNothingWhereTheIntervalsMeet() throws Exception {
        assertEquals(Change.NOISE, changeOf("us", SLOW, BETWEEN));
        assertEquals(Change.NOISE, changeOf("us", FAST, BETWEEN));
    }

    @Test
    void shouldSayNothingOfAFewRounds() throws Exception {
        assertEquals(Change.UNKNOWN, changeOf("us", SLOW, new double[] {200, 201, 202, 203}));
    }

    @Test
    void shouldGiveTheRatioOfTheMediansAndAsMuchAsBothIntervalsAllow() throws Exception {
        Ratio ratio = Differences.between(results("us", SLOW), results("us", FAST))
                .rows()
                .get(0)
                .ratio();

        assertEquals(112 / 102.0, ratio.value(), 1e-9);
        assertEquals(110 / 104.0, ratio.low(), 1e-9);
        assertEquals(114 / 100.0, ratio.high(), 1e-9);
    }

    @Test
    void shouldCompareGoalsWhateverTheySayInParentheses() throws Exception {
        Differences differences = Differences.between(results("us", FAST), results("us", SLOW));

        assertEquals(
                List.of(Change.WORSE),
                differences.goals().stream().map(Differences.Row::change).toList());
        String text = printed(results("us", FAST), results("us", SLOW), true);
        assertTrue(text.contains("goals: 0 better, 1 worse, 0 within noise, 0 with too few rounds"), text);
        printed(results("us", SLOW), results("us", FAST), false);
    }

    @Test
    void shouldSayNothingOfGoalsOfAFewRounds() throws Exception {
        Differences differences = Differences.between(results("us", FAST), results("us", 50, 51, 52));

        assertEquals(Change.UNKNOWN, differences.goals().get(0).change());
    }

    @Test
    void shouldNameWhatOnlyOneHasMeasured() throws Exception {
        Results web = results("us", SLOW);
        Results other = new Report(0, false).results(5);

        assertEquals(2, Differences.between(web, other).onlyOld().size());
        assertEquals(
                "web, 4 KiB, ours, figure",
                Differences.between(other, web).onlyNew().get(0));
    }

    @Test
    void shouldNameTheDifferencesOfTheMachines() throws Exception {
        Report report = new Report(0, true);
        report.version("nginx", "1.22.1");
        String text = printed(results("us", SLOW), report.results(5), false);

        assertTrue(text.contains("nginx") && text.contains("not known, then 1.22.1"), text);
        assertTrue(text.contains("5, then 5, --quick"), text);
        assertFalse(printed(results("us", SLOW), results("us", SLOW), false).contains(", then "));
    }
}
