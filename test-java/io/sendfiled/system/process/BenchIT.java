package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code ./dev bench} from its command line to its reports: that it works, and not how fast anything is. */
@Timeout(120)
final class BenchIT {
    private static final String BENCH = "io.sendfiled.bench.Bench";

    @TempDir
    private Path directory;

    private String bench(int status, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        for (String property : List.of(
                "sendfiled.library.path", "sendfiled.test.bin", "sendfiled.test.dist", "sendfiled.test.source")) {
            String value = System.getProperty(property);
            if (value != null) {
                command.add("-D" + property + "=" + Path.of(value).toAbsolutePath());
            }
        }
        command.addAll(
                List.of("-Dsendfiled.bench.caller=" + directory, "-cp", System.getProperty("java.class.path"), BENCH));
        command.addAll(List.of(arguments));
        Map<String, String> path = Map.of("PATH", System.getenv("PATH"));
        try (Program bench = Program.start(directory, command, path)) {
            String output = bench.output();
            assertEquals(status, bench.awaitExit(), () -> output + bench.errorsSoFar());
            return output + bench.errors();
        }
    }

    @Test
    void shouldMeasureAndReportAndCompare() throws Exception {
        bench(0, "--quick", "--rounds=1", "--scenario=rate", "--json=a.json", "--html=new/a.html", "--markdown=a.md");

        JsonObject results = JsonParser.parseString(Files.readString(directory.resolve("a.json")))
                .getAsJsonObject();
        assertEquals(1, results.get("format").getAsInt());
        assertFalse(results.getAsJsonArray("metrics").isEmpty());
        for (String cost : List.of("server-cpu ms/GB", "context-switches switches/GB", "pss MiB")) {
            assertTrue(isPositive(results, cost), cost);
        }
        String page = Files.readString(directory.resolve("new/a.html"));
        assertTrue(page.contains("scenario-rate") && page.contains("<svg"), page);

        Files.copy(directory.resolve("a.json"), directory.resolve("b.json"));
        bench(0, "--report", "b.json");
        assertEquals(page, Files.readString(directory.resolve("b.html")));
        assertEquals(Files.readString(directory.resolve("a.md")), Files.readString(directory.resolve("b.md")));

        String compared = bench(0, "--compare", "a.json", "b.json", "--check");
        assertTrue(compared.contains("0 better, 0 worse"), compared);
        compared = bench(0, "--compare", "a.json", "b.json", "a.json", "--check");
        assertTrue(compared.contains("3 runs") && compared.contains("0 differ"), compared);
    }

    /** Whether all samples of a metric, with its unit, are more than zero, and there are some. */
    private static boolean isPositive(JsonObject results, String name) {
        List<Double> samples = new ArrayList<>();
        for (JsonElement each : results.getAsJsonArray("metrics")) {
            JsonObject metric = each.getAsJsonObject();
            if (name.equals(metric.get("metric").getAsString() + " "
                    + metric.get("unit").getAsString())) {
                metric.getAsJsonArray("samples").forEach(sample -> samples.add(sample.getAsDouble()));
            }
        }
        return !samples.isEmpty() && samples.stream().allMatch(sample -> sample > 0);
    }

    @Test
    void shouldSayWhatItCannotDo() throws Exception {
        assertTrue(bench(1, "--compare", "no.json", "no.json").contains("no.json: there is no such file"));
        assertTrue(bench(2, "--compare", "no.json").contains("usage: ./dev bench"));
        assertTrue(bench(2, "--quick", "--check").contains("--quick judges nothing"));
        assertTrue(bench(2, "--report", "a.json", "--quick").contains("does not go with --quick"));
        assertTrue(bench(2, "--scenario", "no").contains("there is no 'no'"));
        Files.createFile(directory.resolve("file"));
        assertTrue(bench(2, "--scenario", "rate", "--html", "file/a.html").contains("file is no directory"));
        assertTrue(bench(2, "--scenario", "rate", "--json", ".").contains("is a directory"));
    }
}
