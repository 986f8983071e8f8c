package io.sendfiled.system.installed;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.yaml.snakeyaml.Yaml;

/** The objects of {@code packaging/kubernetes}. */
final class Manifests {
    /** Of capabilities(7). */
    private static final Map<String, Integer> NUMBERS = Map.of("CHOWN", 0, "SETGID", 6, "SETUID", 7);

    private static final int UNKNOWN = -1;

    private Manifests() {}

    static List<JsonObject> all() throws IOException {
        List<JsonObject> all = new ArrayList<>();
        try (Stream<Path> files = Files.list(Containerfile.SOURCE.resolve("packaging/kubernetes"))) {
            for (Path file : files.filter(path -> path.toString().endsWith(".yaml"))
                    .sorted()
                    .toList()) {
                for (Object document : new Yaml().loadAll(Files.readString(file))) {
                    all.add(new Gson().toJsonTree(document).getAsJsonObject());
                }
            }
        }
        return all;
    }

    /** The one of a kind. */
    static JsonObject of(String kind) throws IOException {
        List<JsonObject> found = all().stream()
                .filter(object -> object.get("kind").getAsString().equals(kind))
                .toList();
        if (found.size() != 1) {
            throw new IOException(found.size() + " objects of kind " + kind);
        }
        return found.get(0);
    }

    /** The specification of its pods. */
    static JsonObject podSpec(JsonObject object) {
        JsonObject spec = object.getAsJsonObject("spec");
        return spec.has("template") ? spec.getAsJsonObject("template").getAsJsonObject("spec") : spec;
    }

    /** The only container of its pods. */
    static JsonObject container(JsonObject object) {
        return podSpec(object).getAsJsonArray("containers").get(0).getAsJsonObject();
    }

    /** As {@code test-native/support/contained.c} takes them, when all others are dropped. */
    static String capabilities(JsonObject container) {
        JsonObject capabilities = container.getAsJsonObject("securityContext").getAsJsonObject("capabilities");
        if (!capabilities.getAsJsonArray("drop").toString().equals("[\"ALL\"]")) {
            throw new IllegalArgumentException("not all are dropped: " + capabilities);
        }
        return capabilities.getAsJsonArray("add").asList().stream()
                .map(JsonElement::getAsString)
                .map(name -> Integer.toString(NUMBERS.getOrDefault(name, UNKNOWN)))
                .collect(Collectors.joining(","));
    }
}
