package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.bench.Report.Goal;
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
    @Test
    void shouldMeasureTheOtherPartsWhenOneBreaksOff() throws InterruptedException {
        Report report = new Report(0, false);
        Path nowhere = Path.of("/nonexistent");
        Programs programs = new Programs(nowhere, nowhere);
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        Screen screen = new Screen(new PrintStream(printed, true, StandardCharsets.UTF_8), false);
        Scenario.Setting setting = new Scenario.Setting(
                programs, new LoadClient(programs), List.of(), nowhere, nowhere, 1, true, report, screen);
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
