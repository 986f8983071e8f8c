package io.sendfiled.bench;

import io.sendfiled.bench.Report.Goal;
import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Tone;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** One question to the daemon, measured against its limits in the same run. */
interface Scenario {
    /**
     * What a scenario works with. Servers and files are its own to make.
     *
     * @param quick shows that it works: nothing is judged
     */
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

        /** A ratio in a table; with a goal it is green, red, or yellow where the rounds allow no verdict. */
        Cell cell(Ratio ratio, @Nullable Goal goal) {
            return ratio.isMeasured() ? cell(Units.ratio(ratio.value()), ratio, goal, Tone.FAINT) : Cell.faint("–");
        }

        /** The same of a ratio of numbers that have no rounds in common. */
        Cell cell(double ratio, @Nullable Goal goal) {
            return cell(Ratio.of(ratio), goal);
        }

        /** The same of a number, as it is shown, with the tone that it has without a goal. */
        Cell cell(String shown, double number, @Nullable Goal goal, Tone otherwise) {
            return cell(shown, Ratio.of(number), goal, otherwise);
        }

        private Cell cell(String shown, Ratio measured, @Nullable Goal goal, Tone otherwise) {
            Ratio.Verdict verdict = measured.verdict(quick ? null : goal);
            return new Cell(
                    shown,
                    verdict == null
                            ? otherwise
                            : switch (verdict) {
                                case MET -> Tone.GOOD;
                                case NOISY, FEW_ROUNDS -> Tone.WARN;
                                case MISSED -> Tone.BAD;
                            });
        }

        /** Says on the screen and in the report that a part of a scenario, or the whole, is not measured, and why. */
        void leaveOut(String scenario, String part, String why) {
            report.skip(name(scenario, part), why);
            screen.warn(part.isEmpty() ? scenario : part, "left out: " + why);
        }

        private static String name(String scenario, String part) {
            return scenario + (part.isEmpty() ? "" : ", " + part);
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
                report.fail(name(scenario.name(), part), why);
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
