package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.Scale;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.nio.file.Path;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;

/** R8: paths stay below the root, whatever is swapped while they are followed; see {@code test-native/support/escape_client.c}. */
final class EscapeIT {
    /* Of each kind. */
    private static final int OPENS = Scale.of("escape.opens", 100_000);

    @TempDir
    private Path directory;

    @ParameterizedTest
    @EachKind
    @Timeout(600)
    void shouldOpenNothingOutsideTheRootWhileLinksAndDirectoriesAreSwapped(TestDaemon.Kind kind) throws Exception {
        try (TestDaemon daemon = TestDaemon.start(kind, directory, TestDaemon.Options.STANDARD)) {
            Process process = HelperProgram.start("escape_client", directory, TestDaemon.NAME, directory, OPENS);
            JsonObject said = HelperProgram.json(process);

            assertEquals(0, process.waitFor(), said.toString());
            assertEquals(0, said.get("outside").getAsInt(), said.toString());
            assertEquals(0, said.get("wrong").getAsInt(), said.toString());
            // Else it was no trial: files were served, paths were refused, and much was swapped.
            assertTrue(said.get("inside").getAsInt() > OPENS / 10, said.toString());
            assertTrue(said.get("refused").getAsInt() > OPENS / 10, said.toString());
            assertTrue(said.get("swaps").getAsInt() > OPENS / 50, said.toString());
            daemon.expectNoLeak();
        }
    }
}
