package io.sendfiled.bench;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.TypeAdapter;
import com.google.gson.annotations.SerializedName;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * What a run measured, as its file keeps it: {@code doc/benchmark-results.md} describes the format. All that is shown of a run
 * is made of one that was read, so that any file can be shown again.
 *
 * @param format {@link #FORMAT}
 * @param notes how a side was set up, and what is known about a figure
 * @param skipped what was left out, and why
 * @param failed what broke off, and why
 */
record Results(
        int format,
        Environment environment,
        List<Asked> scenarios,
        List<Report.Metric> metrics,
        List<Report.Comparison> comparisons,
        List<Series> series,
        List<Note> notes,
        Map<String, String> skipped,
        Map<String, String> failed) {
    /** Raised when a reader of an older one would misunderstand it; a new member does not. */
    static final int FORMAT = 1;

    /** A scenario that was run, and for how long. */
    record Asked(String name, String question, double seconds) {}

    /** One number over time. */
    record Series(
            String scenario,
            @SerializedName("case") String testCase,
            String subject,
            @SerializedName("metric") String name,
            String unit,
            @SerializedName("x") List<Double> seconds,
            @SerializedName("y") List<Double> values) {}

    /** A sentence on a scenario. */
    record Note(String scenario, String text) {}

    private static final Map<String, List<String>> MEMBERS = Map.of(
            "scenarios", List.of("name", "question", "seconds"),
            "metrics", List.of("scenario", "case", "subject", "metric", "unit", "samples"),
            "comparisons", List.of("scenario", "case", "what", "measured", "unit"),
            "series", List.of("scenario", "case", "subject", "metric", "unit", "x", "y"),
            "notes", List.of("scenario", "text"));

    private static final Gson GSON = new GsonBuilder()
            .registerTypeAdapter(double.class, new Finite())
            .registerTypeAdapter(Double.class, new Finite())
            .setPrettyPrinting()
            .disableHtmlEscaping()
            .create();

    /** JSON has no number that is not finite: it is null there, and NaN here. */
    private static final class Finite extends TypeAdapter<Double> {
        @Override
        public void write(JsonWriter out, Double value) throws IOException {
            out.value(Double.isFinite(value) ? value : null);
        }

        @Override
        public Double read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return Double.NaN;
            }
            return in.nextDouble();
        }
    }

    /** Reads a file; blocks. What is wrong with it is said, with its name. */
    static Results read(Path file) throws IOException {
        String text;
        try {
            text = Files.readString(file);
        } catch (NoSuchFileException e) {
            throw new IOException(file + ": there is no such file", e);
        } catch (CharacterCodingException e) {
            throw new IOException(file + ": this is not JSON", e);
        }
        try {
            JsonElement root = JsonParser.parseString(text);
            String fault = faultOf(root);
            if (!fault.isEmpty()) {
                throw new IOException(file + ": " + fault);
            }
            return GSON.fromJson(root, Results.class);
        } catch (JsonParseException e) {
            throw new IOException(file + ": this is not JSON of a benchmark: " + e.getMessage(), e);
        }
    }

    /** Why it cannot be read; empty if it can. */
    private static String faultOf(JsonElement element) {
        if (!element.isJsonObject()) {
            return "this is not the JSON of a benchmark";
        }
        JsonObject root = element.getAsJsonObject();
        JsonElement format = root.get("format");
        if (format == null || !format.isJsonPrimitive()) {
            return "it does not say its format; it may be older than format " + FORMAT;
        }
        if (!format.getAsString().equals(Integer.toString(FORMAT))) {
            return "it has format " + format.getAsString() + ", and this reads format " + FORMAT;
        }
        for (String member : List.of("environment", "skipped", "failed")) {
            if (!(root.get(member) instanceof JsonObject)) {
                return "it has no " + member;
            }
        }
        for (Map.Entry<String, List<String>> list : MEMBERS.entrySet()) {
            if (!(root.get(list.getKey()) instanceof JsonArray entries)) {
                return "it has no " + list.getKey();
            }
            for (JsonElement entry : entries) {
                for (String member : list.getValue()) {
                    if (!entry.isJsonObject() || !entry.getAsJsonObject().has(member)) {
                        return "one of its " + list.getKey() + " has no " + member;
                    }
                }
            }
        }
        return "";
    }

    /** Writes the file; blocks. The median and the interval of each metric are there for other readers. */
    void write(Path file) throws IOException {
        JsonObject root = GSON.toJsonTree(this).getAsJsonObject();
        for (int i = 0; i < metrics.size(); i++) {
            Ratio spread = Ratio.ofSamples(metrics.get(i));
            JsonObject metric = root.getAsJsonArray("metrics").get(i).getAsJsonObject();
            metric.add("median", GSON.toJsonTree(spread.value()));
            metric.add("low", GSON.toJsonTree(spread.low()));
            metric.add("high", GSON.toJsonTree(spread.high()));
        }
        Files.writeString(file, GSON.toJson(root) + "\n");
    }

    List<Report.Comparison> judged() {
        return comparisons.stream()
                .filter(comparison -> comparison.goal() != null)
                .toList();
    }

    long count(Ratio.Verdict verdict) {
        return comparisons.stream()
                .filter(comparison -> comparison.verdict() == verdict)
                .count();
    }
}
