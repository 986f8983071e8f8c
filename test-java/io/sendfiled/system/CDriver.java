package io.sendfiled.system;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.support.HelperProgram;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A daemon as the C client library sees it: {@code test-native/support/client_driver.c}, which says what it can do. */
public final class CDriver {
    private final Path sockets;
    private final String name;

    /** Drives the daemon of this name. */
    public CDriver(Path sockets, String name) {
        this.sockets = sockets;
        this.name = name;
    }

    /** One command and its outcome. */
    public Outcome drive(String... arguments) throws IOException, InterruptedException {
        Process process = start(arguments);
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(process.waitFor(), output);
    }

    public Process start(String... arguments) throws IOException {
        List<Object> all = new ArrayList<>(List.of(sockets, name));
        Collections.addAll(all, arguments);
        return HelperProgram.start("client_driver", all.toArray());
    }

    /** What the driver said: its exit status and its line of JSON. */
    public record Outcome(int exit, String json) {
        private JsonObject object() {
            return JsonParser.parseString(json).getAsJsonObject();
        }

        public long number(String key) {
            return object().get(key).getAsLong();
        }

        public String string(String key) {
            return object().get(key).getAsString();
        }

        public boolean flag(String key) {
            return object().get(key).getAsBoolean();
        }
    }
}
