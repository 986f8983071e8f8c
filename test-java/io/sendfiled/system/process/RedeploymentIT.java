package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.sendfiled.support.JavaProgram;
import io.sendfiled.support.Lengthy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** R24: an engine that is embedded, and deployed again and again in one JVM, leaves nothing of the process changed. */
@Lengthy
@Timeout(120)
final class RedeploymentIT {
    private static final int TIMES = 30;

    /* A handler that is left behind points into a library that is not there any more. */
    @Test
    void shouldLeaveNoSignalHandlerBehindInALibraryThatIsUnloaded(@TempDir Path directory) throws Exception {
        List<String> command = new ArrayList<>(JavaProgram.command(Redeployments.class));
        // Each class loader loads a copy of its own, out of the jar, as in an application server.
        command.removeIf(argument -> argument.startsWith("-Dsendfiled.library.path="));
        command.addAll(List.of(Integer.toString(TIMES), directory.toString()));
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();

        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertEquals("0 more, 0 real-time\nalive\n", said);
        assertEquals(0, process.waitFor());
    }
}
