package io.sendfiled.system.installed;

import com.google.gson.Gson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What the last stage of {@code packaging/container/Containerfile} says. */
final class Containerfile {
    static final Path SOURCE =
            Path.of(System.getProperty("sendfiled.test.source", ".")).toAbsolutePath();

    private Containerfile() {}

    /** The commands that run in the image while it is made. */
    static List<List<String>> steps() throws IOException {
        List<List<String>> steps = new ArrayList<>();
        for (String words : instructions("RUN")) {
            steps.add(words(words));
        }
        return steps;
    }

    /** The command of a container. */
    static List<String> entryPoint() throws IOException {
        return words(instructions("ENTRYPOINT").get(0));
    }

    /** The command that tells whether the container is well. */
    static List<String> healthCheck() throws IOException {
        String check = instructions("HEALTHCHECK").get(0);
        return words(check.substring(check.indexOf(" CMD ") + " CMD ".length()));
    }

    /** The environment of a container. */
    static Map<String, String> environment() throws IOException {
        Map<String, String> environment = new LinkedHashMap<>();
        for (String pair : instructions("ENV")) {
            environment.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
        }
        return environment;
    }

    /** There is no shell in the image, so they are arrays in JSON. */
    private static List<String> words(String array) {
        return List.of(new Gson().fromJson(array, String[].class));
    }

    private static List<String> instructions(String name) throws IOException {
        List<String> lines = Files.readAllLines(SOURCE.resolve("packaging/container/Containerfile"));
        List<String> found = new ArrayList<>();
        for (String line : lines.subList(lines.indexOf("FROM scratch"), lines.size())) {
            if (line.startsWith(name + " ")) {
                found.add(line.substring(name.length() + 1));
            }
        }
        return found;
    }
}
