package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;

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

        /**
         * Measures a part of a scenario; blocks. What one part cannot do is no reason to lose what the others find out: the
         * report says that it broke off, which is a failure as a goal missed is.
         */
        void attempt(Scenario scenario, String part, Part measurement) throws InterruptedException {
            try {
                measurement.measure();
            } catch (IOException e) {
                String why = Objects.requireNonNullElse(e.getMessage(), e.toString());
                report.fail(scenario.name() + (part.isEmpty() ? "" : ", " + part), why);
                screen.failure(part.isEmpty() ? scenario.name() : part, why);
            }
        }
    }

    /** A part of a scenario, or the whole. */
    interface Part {
        /** Measures and prints; blocks. */
        void measure() throws IOException, InterruptedException;
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
