package io.sendfiled.system.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.support.Content;
import io.sendfiled.support.Faults;
import io.sendfiled.support.Lengthy;
import io.sendfiled.support.Scale;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * R13, R15, D12, D15: system calls and allocations fail while an engine is started, used by the Java client and stopped. It
 * starts or says why not, it leaves neither a descriptor nor a socket behind, and it starts the next time.
 */
@Lengthy
@Timeout(600)
final class StartFaultIT {
    private static final int CASES = Scale.of("faults.starts", 300);
    private static final Pattern SUM = Pattern.compile("(\\d+) cases (\\d+) hits (\\d+) wrong\\s*");

    @TempDir
    private Path directory;

    @Test
    void shouldStartOrSayWhyNotAndLeaveNothing() throws Exception {
        assumeTrue(Files.exists(Faults.shim()), "the fault shim was not built");
        Faults faults = Faults.of(directory, Faults.ENGINE);
        String classes = String.join(File.pathSeparator, origin(NativeLibrary.class), origin(Content.class));
        ProcessBuilder builder = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xshare:auto",
                        "-XX:TieredStopAtLevel=1",
                        "-Dsendfiled.library.path=" + System.getProperty("sendfiled.library.path"),
                        "-cp",
                        classes,
                        FaultyStart.class.getName(),
                        directory.toString(),
                        Integer.toString(CASES)))
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().putAll(faults.environment());

        Process process = builder.start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        Matcher sum = SUM.matcher(said);
        assertTrue(sum.matches(), said);
        assertEquals("0", sum.group(3), said);
        assertTrue(Integer.parseInt(sum.group(2)) > Integer.parseInt(sum.group(1)) / 4, said);
        assertEquals(0, process.waitFor());
    }

    private static String origin(Class<?> type) {
        return Path.of(type.getProtectionDomain().getCodeSource().getLocation().getPath())
                .toString();
    }
}
