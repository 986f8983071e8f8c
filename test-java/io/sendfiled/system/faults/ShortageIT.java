package io.sendfiled.system.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Faults;
import io.sendfiled.support.JavaProgram;
import io.sendfiled.support.Lengthy;
import io.sendfiled.support.Scale;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** R13: where threads, heap and direct memory are short and the logger throws, every future ends. {@link Shortage} has the cases. */
@Lengthy
@Timeout(900)
final class ShortageIT {
    /** Direct memory for fewer copies than there are; threads have no heap of their own, so that none is left anywhere. */
    private static final List<String> SHORT =
            List.of("-Xms24m", "-Xmx24m", "-XX:MaxDirectMemorySize=4m", "-XX:-UseTLAB", "-Xlog:disable");

    /** By how many bytes of heap the cases differ. */
    private static final int STEP = Scale.all() ? 256 : 3072;

    @TempDir
    private Path directory;

    @Test
    void shouldEndEveryFutureWhateverIsShort() throws Exception {
        assumeTrue(Files.exists(Faults.shim()), "the fault shim was not built");
        Faults faults = Faults.of(directory, Faults.JVM);
        Path services = Files.createDirectories(directory.resolve("finder/META-INF/services"));
        Files.writeString(services.resolve("java.lang.System$LoggerFinder"), Shortage.Loggers.class.getName());
        List<String> command = new ArrayList<>(JavaProgram.command(Shortage.class));
        command.addAll(1, SHORT);
        int classPath = command.indexOf("-cp") + 1;
        command.set(classPath, directory.resolve("finder") + File.pathSeparator + command.get(classPath));
        command.add(directory.toString());
        command.add(Integer.toString(STEP));
        command.add(1, "-Dsendfiled.test.bin=" + System.getProperty("sendfiled.test.bin"));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().putAll(faults.environment());

        Process process = builder.start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertEquals("done\n", said);
        assertEquals(0, process.waitFor());
    }
}
