package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Markdown that GitHub shows as it is meant. */
final class MarkdownReportTest {
    private static List<String> lines() throws Exception {
        return MarkdownReport.of(ExampleResults.make()).lines().toList();
    }

    @Test
    void shouldHaveAsManyCellsInEachRowAsInItsHeader() throws Exception {
        int columns = 0;
        int rows = 0;
        for (String line : lines()) {
            int cells = line.replace("\\|", "").replaceAll("[^|]", "").length();
            assertTrue(columns == 0 || cells == 0 || cells == columns, line);
            columns = cells;
            rows += cells > 0 ? 1 : 0;
        }
        assertTrue(rows > 20, () -> "only a few rows");
    }

    @Test
    void shouldTellOfLossesFirst() throws Exception {
        List<String> headings =
                lines().stream().filter(line -> line.startsWith("#")).toList();

        assertEquals("## At a glance", headings.get(1));
        assertEquals("## Losses, and what is not certain", headings.get(2));
        assertEquals("### Worse than another side, and no goal says so", headings.get(3));
        assertTrue(lines().contains("| ✗ missed | web | 1 MiB | of theirs, doubled | 1.00 | ≥ 2.05 |"));
        assertTrue(lines().contains("| web | 4 KiB | memory (PSS) | sendfiled: 100 MiB | nginx, sendfile on: 50.0 MiB"
                + " | 2.00 | 64 KiB: 2.00; 1 MiB: 2.00 |"));
    }

    @Test
    void shouldTellAtAGlanceWhatEachScenarioAsksAndHowItWent() throws Exception {
        assertTrue(lines().contains("| scenario | what it asks | goals met | the worst of it |"));
        assertTrue(lines().contains("| hot | Is it as fast when it is warm? |  |  |"));
        assertTrue(lines().stream()
                .anyMatch(line -> line.startsWith("| web | How fast is ")
                        && line.endsWith("? | 2 of 4 | ✗ 1.00 (≥ 2.05): 1 MiB, of theirs, doubled |")));
    }

    @Test
    void shouldShowOurSidesFirstInWhateverOrderTheyWereMeasured() throws Exception {
        Report report = new Report(0, false);
        for (String side : List.of("nginx, sendfile on", "DefaultFileRegion", "sfd serve")) {
            report.sample("web", "4 KiB", side, "rate", "requests/s", 1);
        }
        report.took("web", "How fast is it?", 1);

        assertEquals(
                List.of("sfd serve", "DefaultFileRegion", "nginx, sendfile on"),
                MarkdownReport.of(report.results(5))
                        .lines()
                        .filter(line -> line.startsWith("| 4 KiB |"))
                        .map(line -> line.split(" \\| ", -1)[1])
                        .toList());
    }

    @Test
    void shouldTellWhatHappensOverTime() throws Exception {
        assertTrue(lines().contains("| case | side | metric | before | beside cold downloads | after |"));
        assertTrue(lines().stream()
                .anyMatch(line ->
                        line.endsWith("| sendfiled | rate | 10.0 requests/s | 0 requests/s | 12.0 requests/s |")));
    }

    @Test
    void shouldEscapeWhatMarkdownWouldRead() throws Exception {
        String report = MarkdownReport.of(ExampleResults.make());

        assertFalse(report.contains("<b>"), report);
        assertTrue(report.contains("a &lt;b> &amp; \"c\" \\| \\`d\\` \\*e\\*"), report);
    }
}
