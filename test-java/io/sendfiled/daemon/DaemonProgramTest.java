package io.sendfiled.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DaemonProgramTest {
    @ParameterizedTest
    @ValueSource(strings = {"--help", "--version"})
    void shouldFailWhenStandardOutputIsFull(String option) throws Exception {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        try (OutputStream full = new FileOutputStream("/dev/full")) {
            DaemonProgram program = new DaemonProgram(
                    Map.of(), full, new ProgramLog(new PrintStream(err, true, StandardCharsets.UTF_8), Map.of()));
            assertEquals(DaemonProgram.FAILED, program.run(new String[] {option}));
        }
        assertEquals(
                "sendfiled: standard output: no space left on device (ENOSPC)\n", err.toString(StandardCharsets.UTF_8));
    }
}
