package io.sendfiled.client;

import java.io.IOException;
import java.nio.file.Path;

/** Clients that do without the native library although it is there. */
public final class JavaClients {
    private JavaClients() {}

    public static SendfiledClient start(Path root) throws IOException {
        return SendfiledClient.embedded().root(root).startInJava();
    }
}
