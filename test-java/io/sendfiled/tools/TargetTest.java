package io.sendfiled.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class TargetTest {
    @ParameterizedTest
    @CsvSource({
        "tcp:host:80, TCP, host, 80",
        "tcp:[::1]:80, TCP, ::1, 80",
        "tcp:::1:80, TCP, ::1, 80",
        "unix:/run/a:b, UNIX, /run/a:b, 0",
        "unix:a, UNIX, a, 0",
        "file, FILE, file, 0",
        "./host:80, FILE, ./host:80, 0",
        "/a/b:c, FILE, /a/b:c, 0",
        "./-, FILE, ./-, 0",
    })
    void shouldUnderstandDestinations(String to, Target.Kind kind, String text, int port) throws SfdException {
        assertEquals(new Target(kind, text, kind == Target.Kind.FILE ? text : to, port), Target.ofTo(to));
    }

    @ParameterizedTest
    @ValueSource(strings = {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
    void shouldTakeStandardOutputByAllItsNames(String name) throws SfdException {
        assertTrue(Target.ofTo(name).isStandardOutput());
        assertTrue(Target.ofOutput(name).isStandardOutput());
    }

    @Test
    void shouldTakeAnOutputForAFileWhateverItsName() {
        assertEquals(Target.Kind.FILE, Target.ofOutput("tcp:host:80").kind());
        assertTrue(Target.ofOutput(null).isStandardOutput());
    }
}
