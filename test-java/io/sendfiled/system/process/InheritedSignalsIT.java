package io.sendfiled.system.process;

import static java.lang.Integer.MAX_VALUE;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.JavaProgram;
import io.sendfiled.system.Program;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Tests that run in the background: what they start obeys signals all the same. */
@Timeout(60)
final class InheritedSignalsIT {
    @TempDir
    private Path directory;

    /** What a test does, in a JVM that was started like {@code nohup ./dev test &}: prints what its program ignores. */
    static final class Starter {
        public static void main(String[] args) throws Exception {
            List<String> status = List.of("/bin/grep", "SigIgn", "/proc/self/status");
            try (Program program = Program.start(Path.of(args[0]), status, Map.of())) {
                System.out.print(program.output());
            }
        }
    }

    @Test
    void shouldIgnoreNoSignalOfThoseThatTheTestsIgnore() throws Exception {
        List<String> command =
                new ArrayList<>(List.of("/bin/sh", "-c", "trap '' HUP INT QUIT PIPE USR1 TERM; exec \"$@\"", "sh"));
        command.addAll(JavaProgram.command(Starter.class));
        command.add(directory.toString());

        String ignored = HelperProgram.output(command.toArray(new String[0]));
        // glibc's posix_spawn ignores its own signals, which are above: 32 and 33.
        assertEquals(0, (int) Long.parseUnsignedLong(ignored.replaceFirst("SigIgn:\\s*", ""), 16) & MAX_VALUE, ignored);
    }
}
