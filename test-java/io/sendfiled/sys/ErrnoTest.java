package io.sendfiled.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

final class ErrnoTest {
    @Test
    void shouldPassResultsOn() throws NativeIoException {
        assertEquals(0, Errno.check(0, "open"));
        assertEquals(7, Errno.check(7, "open"));
        assertEquals(1L << 40, Errno.check(1L << 40, "send"));
    }

    @Test
    void shouldThrowForANegatedErrnoAndNameIt() {
        NativeIoException e = assertThrows(NativeIoException.class, () -> Errno.check(-13, "open /etc/shadow"));
        assertEquals(Errno.EACCES, e.errno());
        assertEquals("open /etc/shadow: permission denied (EACCES)", e.getMessage());
        assertEquals(
                Errno.EIO,
                assertThrows(NativeIoException.class, () -> Errno.check(-5L, "read"))
                        .errno());
    }

    @Test
    void shouldSurviveNumbersWithoutAName() {
        for (int errno : new int[] {0, -1, 41, 134, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            assertEquals("E" + errno, Errno.name(errno));
            assertEquals("unknown error " + errno, Errno.message(errno));
            assertEquals("unknown error " + errno + " (E" + errno + ")", Errno.describe(errno));
        }
    }
}
