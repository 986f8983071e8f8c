package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.bench.Agreement.Finding;
import io.sendfiled.bench.Agreement.Row;
import io.sendfiled.bench.Report.Goal;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs of one build: they agree, or most have said that they are noisy. */
final class AgreementTest {
    private static final double[] STEADY = {99, 100, 100, 100, 101};
    private static final double[] HIGHER = {119, 120, 120, 120, 121};
    private static final double[] NOISY = {100, 110, 120, 130, 140};

    @TempDir
    private Path directory;

    /** As they are read from files. */
    private List<Results> runs(double[]... samples) throws Exception {
        List<Results> runs = new ArrayList<>();
        for (double[] ours : samples) {
            Report report = new Report(0, false);
            for (double sample : ours) {
                report.sample("web", "4 KiB", "ours", "rate", "requests/s", sample);
                report.sample("web", "4 KiB", "theirs", "rate", "requests/s", 110);
            }
            report.compareRounds("web", "4 KiB", "of theirs", "ours", "theirs", "rate", Goal.atLeast(1));
            Path file = directory.resolve(runs.size() + ".json");
            report.results(ours.length).write(file);
            runs.add(Results.read(file));
        }
        return runs;
    }

    private Finding findingOf(double[]... samples) throws Exception {
        Agreement agreement = Agreement.of(runs(samples));
        Row row = agreement.rows().get(0);
        assertEquals("web, 4 KiB, ours, rate", row.key().toString());
        assertEquals(row.finding(), agreement.goals().get(0).finding(), "the goal's ratio is of the same rounds");
        return row.finding();
    }

    private static String printed(List<Results> runs, boolean wrong) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Screen screen = new Screen(new PrintStream(out, true, StandardCharsets.UTF_8), false);
        assertEquals(wrong, AgreementScreen.print(screen, runs));
        return out.toString(StandardCharsets.UTF_8);
    }

    @Test
    void shouldFindThatRunsAgreeWhoseMediansAreCloseToEachOther() throws Exception {
        assertEquals(Finding.AGREES, findingOf(STEADY, STEADY, new double[] {103, 104, 105, 106, 107}));
        assertEquals(Finding.AGREES, findingOf(NOISY, NOISY, NOISY), "whatever their intervals are");
    }

    @Test
    void shouldExcuseMediansThatAreApartIfMostRunsHaveSaidSo() throws Exception {
        assertEquals(Finding.NOISY, findingOf(STEADY, NOISY, NOISY));
    }

    @Test
    void shouldNotExcuseAllRunsByOneThatIsNoisy() throws Exception {
        assertEquals(Finding.DIFFERS, findingOf(STEADY, STEADY, NOISY));
        assertEquals(Finding.DIFFERS, findingOf(STEADY, STEADY, NOISY, NOISY), "half of them are not most");
    }

    @Test
    void shouldFindMediansThatAreApartThoughEachRunIsCertain() throws Exception {
        assertEquals(Finding.DIFFERS, findingOf(STEADY, HIGHER, STEADY));
    }

    @Test
    void shouldTellHowFarTheMediansAreApart() throws Exception {
        Row row = Agreement.of(runs(STEADY, HIGHER, STEADY)).rows().get(0);

        assertEquals(100, row.median());
        assertEquals(0.2, row.spread(), 1e-9);
    }

    @Test
    void shouldLeaveOutWhatARunHasNotMeasured() throws Exception {
        List<Results> runs = runs(STEADY, HIGHER);
        runs.add(new Report(0, false).results(5));

        assertEquals(new Agreement(List.of(), List.of()), Agreement.of(runs));
    }

    @Test
    void shouldPrintWhatIsApartAndCountTheRest() throws Exception {
        String text = printed(runs(STEADY, HIGHER, STEADY), true);
        assertTrue(text.contains("web, 4 KiB, ours, rate") && text.contains("✗ differs"), text);
        assertTrue(text.contains("figures: 1 agree, 0 are noisy, 1 differ"), text);

        text = printed(runs(STEADY, NOISY, NOISY), false);
        assertTrue(text.contains("~ noisy") && text.contains("goals: 0 agree, 1 are noisy, 0 differ"), text);
    }
}
