package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** One question to the daemon, measured against its limits in the same run. */
interface Scenario {
    /** What a scenario works with. Servers and files are its own to make. */
    record Setting(
            Programs programs,
            LoadClient load,
            List<Server.Kind> servers,
            Path files,
            Path sockets,
            int rounds,
            boolean quick,
            Report report,
            Screen screen) {
        boolean measures(Server.Kind kind) {
            return servers.contains(kind);
        }
    }

    /** Its name on the command line. */
    String name();

    /** What it asks, in one line. */
    String question();

    /** Whether there is nothing to measure without the daemon. */
    default boolean isAboutDaemonOnly() {
        return false;
    }

    /** Measures and prints; blocks. Rounds of the sides alternate, so that a drifting machine drifts for all of them. */
    void run(Setting setting) throws IOException, InterruptedException;
}
