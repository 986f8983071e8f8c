package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import org.junit.jupiter.api.Test;

/** Reads what perf and strace count. */
final class SystemCallsTest {
    @Test
    void shouldReadTheCountOfPerf() throws IOException {
        assertEquals(1234567, SystemCalls.parsePerf("""
                # started on Mon Nov 30 05:00:00 2026

                1234567,,raw_syscalls:sys_enter,1000123456,100.00,,
                """));
    }

    @Test
    void shouldRefuseWhatPerfCouldNotCount() {
        assertThrows(
                IOException.class, () -> SystemCalls.parsePerf("<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n"));
    }

    @Test
    void shouldReadTheTotalOfStrace() throws IOException {
        String table = """
                % time     seconds  usecs/call     calls    errors syscall
                ------ ----------- ----------- --------- --------- ----------------
                 61.20    0.000610           6       101           sendfile
                 38.80    0.000386           8        43        19 openat2
                ------ ----------- ----------- --------- --------- ----------------
                """;
        assertEquals(
                144, SystemCalls.parseStrace(table + "100.00    0.000996           6       144        19 total\n"));
        assertEquals(
                144, SystemCalls.parseStrace(table + "100.00    0.000996           6       144           total\n"));
        assertEquals(
                144, SystemCalls.parseStrace(table + "100.00    0.000996                   144        19 total\n"));
        assertThrows(IOException.class, () -> SystemCalls.parseStrace(table));
    }
}
