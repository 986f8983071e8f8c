package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Tone;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Measures the parts of a scenario, whatever becomes of one of them. */
final class ScenarioTest {
    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();

    private Scenario.Setting setting(boolean quick) {
        Path nowhere = Path.of("/nonexistent");
        Programs programs = new Programs(nowhere, nowhere);
        Screen screen = new Screen(new PrintStream(printed, true, StandardCharsets.UTF_8), false);
        return new Scenario.Setting(
                programs,
                new LoadClient(programs),
                List.of(),
                nowhere,
                nowhere,
                1,
                quick,
                new Report(0, quick),
                screen);
    }

    @Test
    void shouldColourARatioByItsVerdictButNotInAQuickRun() {
        Ratio ratio = new Ratio(1, 0.9, 1.1, 5);

        assertEquals(Tone.GOOD, setting(false).cell(ratio, Goal.atMost(1.2)).tone());
        assertEquals(Tone.WARN, setting(false).cell(ratio, Goal.atMost(1)).tone());
        assertEquals(Tone.BAD, setting(false).cell(ratio, Goal.atMost(0.8)).tone());
        assertEquals(Tone.FAINT, setting(true).cell(ratio, Goal.atMost(0.8)).tone());
        assertEquals(Cell.faint("–"), setting(false).cell(Double.NaN, Goal.atMost(1)));
    }

    @Test
    void shouldSayWhatIsLeftOut() {
        Scenario.Setting setting = setting(false);
        setting.leaveOut("hot", "64 KiB", "it is missing");
        setting.leaveOut("loops", "", "so is this");

        assertEquals(
                Map.of("hot, 64 KiB", "it is missing", "loops", "so is this"),
                setting.report().skipped());
        assertTrue(printed.toString(StandardCharsets.UTF_8).contains("left out: it is missing"));
    }

    @Test
    void shouldMeasureTheOtherPartsWhenOneBreaksOff() throws InterruptedException {
        Scenario.Setting setting = setting(false);
        Report report = setting.report();
        Scenario scenario = new HotPath();

        setting.attempt(scenario, "64 KiB", () -> {
            throw new IOException("3 requests failed");
        });
        setting.attempt(scenario, "1 MiB", () -> report.judge("hot", "1 MiB", "p99", 1, "ms", Goal.atMost(2)));

        assertEquals(Map.of("hot, 64 KiB", "3 requests failed"), report.failed());
        assertTrue(printed.toString(StandardCharsets.UTF_8).contains("3 requests failed"));
        assertEquals(1, report.comparisons().size());
    }
}
