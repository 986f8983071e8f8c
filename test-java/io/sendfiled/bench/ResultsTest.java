package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is written is what is read, and what cannot be read is said. */
final class ResultsTest {
    @TempDir
    private Path directory;

    private Path file() {
        return directory.resolve("results.json");
    }

    private String messageOf(String json) throws IOException {
        Files.writeString(file(), json);
        return assertThrows(IOException.class, () -> Results.read(file())).toString();
    }

    @Test
    void shouldReadWhatItHasWritten() throws Exception {
        Results results = ExampleResults.make();
        results.write(file());

        assertEquals(results, Results.read(file()));
    }

    @Test
    void shouldReadANumberThatIsNotFinite() throws Exception {
        Report report = new Report(Double.NaN, false);
        report.sample("web", "4 KiB", "ours", "rate", "requests/s", Double.POSITIVE_INFINITY);
        report.results(1).write(file());

        assertEquals(List.of(Double.NaN), Results.read(file()).metrics().get(0).samples());
    }

    @Test
    void shouldTellOtherReadersTheMedianAndItsInterval() throws Exception {
        ExampleResults.make().write(file());

        JsonObject metric = JsonParser.parseString(Files.readString(file()))
                .getAsJsonObject()
                .getAsJsonArray("metrics")
                .get(0)
                .getAsJsonObject();
        assertEquals("4 KiB", metric.get("case").getAsString());
        assertEquals("rate", metric.get("metric").getAsString());
        assertEquals(100_250, metric.get("median").getAsDouble());
        assertEquals(100_000, metric.get("low").getAsDouble());
        assertEquals(100_500, metric.get("high").getAsDouble());
    }

    @Test
    void shouldTellOfTheMachineAndOfWhatWasBuilt() throws Exception {
        Environment environment = ExampleResults.make().environment();

        assertFalse(environment.cpu().isEmpty());
        assertTrue(environment.memory() > 1 << 20, environment::toString);
        assertEquals("1.22.1", environment.described().get("nginx"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"format\": 2} | it has format 2, and this reads format 1",
                "{\"environment\": {}} | it does not say its format",
                "{\"format\": 1} | it has no environment",
                "{\"format\": 1, \"environment\": {}, \"skipped\": {}, \"failed\": {}} | it has no ",
                "[1, 2] | this is not the JSON of a benchmark",
                "not JSON at all | this is not JSON of a benchmark",
                "{ | this is not JSON of a benchmark"
            })
    void shouldSayWhatItCannotRead(String json, String fault) throws IOException {
        String message = messageOf(json);

        assertTrue(message.contains(fault), message);
        assertTrue(message.contains(file() + ": "), message);
    }

    @Test
    void shouldSayWhichMemberIsMissing() throws Exception {
        ExampleResults.make().write(file());

        String message = messageOf(Files.readString(file()).replace("\"samples\"", "\"simples\""));
        assertTrue(message.contains("one of its metrics has no samples"), message);
    }

    @Test
    void shouldSayThatThereIsNoFile() {
        String message =
                assertThrows(IOException.class, () -> Results.read(file())).toString();

        assertTrue(message.endsWith(file() + ": there is no such file"), message);
    }
}
