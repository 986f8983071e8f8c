package io.sendfiled.system;

import io.sendfiled.Sendfiled;
import io.sendfiled.client.JavaClients;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.counters.Counter;
import io.sendfiled.counters.Counters;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** How a client reaches its engine. Both run in this process, so that one count of descriptors has all of them. */
public enum ClientKind {
    /** A request socket and status channels. */
    CONNECTED,
    /** The same, beside the hot path. */
    CONNECTED_HOT,
    /** Mailboxes and turn buffers, beside the hot path. */
    EMBEDDED,
    /** Mailboxes and turn buffers alone. */
    EMBEDDED_COLD,
    /** A disk pool in Java: neither an engine nor a native call. */
    JAVA;

    /** A client, and an engine that is not the client's own. Closing closes both. */
    public record Running(SendfiledClient client, @Nullable Sendfiled engine, Path root) implements AutoCloseable {
        /** What the engine has counted; 0 where there is none. */
        public long count(Counter counter) {
            Counters counters = engine != null ? engine.counters() : client.counters();
            return counters == null ? 0 : counters.get(counter);
        }

        @Override
        public void close() {
            client.close();
            if (engine != null) {
                engine.close();
            }
        }
    }

    /** Starts both with these settings, by key, and two loops if they name no number. */
    public Running start(Path directory, Path root, Map<String, String> settings) throws IOException {
        SendfiledConfig.Builder builder =
                SendfiledConfig.builder().root(root).socketDirectory(directory).loops(2);
        for (Setting setting : Setting.values()) {
            String value = settings.get(setting.key());
            if (value != null) {
                builder.set(setting, value);
            }
        }
        SendfiledConfig config = builder.build();
        if (this == JAVA) {
            return new Running(JavaClients.start(root), null, root);
        }
        if (this == EMBEDDED || this == EMBEDDED_COLD) {
            SendfiledClient client =
                    Sendfiled.embedded().config(config).hot(this == EMBEDDED).start();
            return new Running(client, null, root);
        }
        Sendfiled engine = Sendfiled.launch(config);
        try {
            SendfiledClient.Builder client =
                    SendfiledClient.builder().socketDirectory(directory).name(config.name());
            if (this == CONNECTED_HOT) {
                client.localRoot(root);
            }
            return new Running(client.connect(), engine, root);
        } catch (Throwable t) {
            engine.close();
            throw t;
        }
    }
}
