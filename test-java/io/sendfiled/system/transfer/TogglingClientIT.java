package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.Scale;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;

/**
 * R5, D18: a client that sets and clears {@code O_NONBLOCK} of its destinations all the time gets its bytes ({@code
 * test-native/support/toggler.c}), and so do eight others beside it.
 *
 * <p>For how long by hand: {@code -Dsendfiled.toggle.seconds=30}.
 */
@ParameterizedClass
@EachKind
@Timeout(value = 10, unit = TimeUnit.MINUTES)
final class TogglingClientIT {
    private static final int SECONDS = Scale.of("toggle.seconds", 5);
    private static final int OTHERS = 8;
    private static final int BIG = 3_000_000;
    private static final int PATIENCE_SECONDS = 60;

    @TempDir
    private Path directory;

    @Parameter
    TestDaemon.Kind kind;

    @Test
    void shouldMoveAllBytesOfAllClients() throws Exception { // R5, D18
        try (TestDaemon daemon = TestDaemon.start(kind, directory, TestDaemon.Options.STANDARD)) {
            Content.write(daemon.root().resolve("big"), BIG);
            Content.write(daemon.root().resolve("small"), 10_000);
            Process toggler = HelperProgram.start(
                    "toggler", daemon.socket(), "big", daemon.root().resolve("big"), SECONDS);
            List<Process> others = new ArrayList<>();
            try {
                int rounds = 0;
                do { // at least once beside it from its beginning to its end
                    for (int i = 0; i < OTHERS; i++) {
                        others.add(HelperProgram.start(
                                "client_driver",
                                directory,
                                TestDaemon.NAME,
                                "many",
                                50,
                                4,
                                daemon.root(),
                                "small",
                                "big"));
                    }
                    for (Process other : others) {
                        assertTrue(other.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "another client waits");
                        JsonObject report = HelperProgram.json(other);
                        assertEquals(0, other.exitValue(), report.toString());
                        assertEquals(0, report.get("failed").getAsInt(), report.toString());
                    }
                    others.clear();
                    rounds++;
                } while (toggler.isAlive() && rounds < 1_000);
                assertTrue(toggler.waitFor(SECONDS + PATIENCE_SECONDS, TimeUnit.SECONDS), "the client itself waits");
                assertEquals(0, toggler.exitValue());
                JsonObject report = HelperProgram.json(toggler);
                assertTrue(report.get("transfers").getAsInt() > 0, report.toString());
                assertTrue(report.get("toggles").getAsLong() > 1_000, report.toString());
            } finally {
                toggler.destroyForcibly();
                others.forEach(Process::destroyForcibly);
            }
            assertTrue(daemon.isAlive());
            daemon.expectNoLeak();
        }
    }
}
