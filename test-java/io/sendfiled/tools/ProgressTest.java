package io.sendfiled.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

final class ProgressTest {
    private static final long MIB = 1 << 20;
    private static final long SECOND = 1_000_000_000;

    private static String line(long moved, long total, double seconds, int columns) {
        return Progress.line("file", moved, total, (long) (seconds * SECOND), columns);
    }

    @Test
    void shouldShowTheRateSinceTheFirstByteAndTheTimeThatIsLeft() {
        assertEquals(
                "file [##########                              ]  25% 150.0 MiB, 100.0 MiB/s, 0:05 left",
                line(150 * MIB, 600 * MIB, 1.5, 200).stripTrailing());
        assertEquals(
                "file [########################################] 100% 600.0 MiB, 100.0 MiB/s",
                line(600 * MIB, 600 * MIB, 6, 200).stripTrailing());
        assertTrue(line(1, 36_001, 1, 80).stripTrailing().endsWith("10:00:00 left"));
    }

    @Test
    void shouldFillTheLineOfAnyTerminalAndNotTheNext() {
        for (int columns = 0; columns < 200; columns++) {
            for (long moved : new long[] {0, 1, 150 * MIB, 600 * MIB, 601 * MIB}) {
                String line = line(moved, 600 * MIB, 1.5, columns);
                assertEquals(Math.max(columns - 1, 0), line.length(), line);
            }
        }
        String wide = Progress.line("\u6f22\u5b57".repeat(50), 1, 2, SECOND, 40);
        assertTrue(wide.codePoints().map(c -> c > 0x1100 ? 2 : 1).sum() == 39, wide);
    }

    @Test
    void shouldSurviveAFileThatIsEmptyOrOfNoKnownSize() {
        assertEquals("file [####", line(0, 0, 1, 80).substring(0, 10));
        assertTrue(line(10, 0, 0, 80).contains("100%"));
    }
}
