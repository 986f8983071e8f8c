package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.sendfiled.bench.Wrk.Result;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** Reads what wrk prints. */
final class WrkTest {
    private static final String OUTPUT = """
            Running 1s test @ http://127.0.0.1:41123/file
              1 threads and 16 connections
              Thread Stats   Avg      Stdev     Max   +/- Stdev
                Latency   124.14us   93.47us   4.37ms   98.49%
                Req/Sec   129.76k     5.32k  138.14k    72.73%
              Latency Distribution
                 50%  115.00us
                 75%  128.00us
                 90%  148.00us
                 99%    1.27ms
              141937 requests in 1.10s, 562.50MB read
            Requests/sec: 129051.76
            Transfer/sec:    511.43MB
            """;

    @Test
    void shouldReadRateBytesAndLatencies() throws IOException {
        Result result = Wrk.parse(OUTPUT);
        assertEquals(new Result(141937, 1.1, 562.5 * 1024 * 1024, 115, 1270, 0), result);
        assertEquals(129033.6, result.rate(), 0.1);
        assertEquals(536.2, result.megabytesPerSecond(), 0.1);
    }

    @Test
    void shouldCountRequestsThatFailed() throws IOException {
        Result result = Wrk.parse(OUTPUT.replace(
                "Requests/sec",
                "Socket errors: connect 1, read 20, write 0, timeout 3\nNon-2xx or 3xx responses: 100\nRequests/sec"));
        assertEquals(124, result.failures());
        assertThrows(IOException.class, () -> Wrk.checked(result));
    }

    @Test
    void shouldReadARunInWhichNothingWasAnswered() throws IOException {
        Result result = Wrk.parse("""
                  Latency Distribution
                     50%    0.00us
                     75%    0.00us
                     90%    0.00us
                     99%    0.00us
                  0 requests in 1.10s, 0.00B read
                """);
        assertEquals(0, result.rate());
        assertEquals(0, result.bytes());
        assertEquals(1.1e6, result.p99Us(), "a latency of zero would meet every goal");
    }

    /** A unit of one letter is followed by a blank. */
    @Test
    void shouldReadARunOfOneRequest() throws IOException {
        Result result = Wrk.parse("""
                Running 1s test @ http://127.0.0.1:42511/web-1GiB
                  1 threads and 2 connections
                  Thread Stats   Avg      Stdev     Max   +/- Stdev
                    Latency     1.00s     0.00us   1.00s   100.00%
                    Req/Sec     0.00      0.00     0.00    100.00%
                  Latency Distribution
                     50%    1.00s\s
                     75%    1.00s\s
                     90%    1.00s\s
                     99%    1.00s\s
                  1 requests in 1.01s, 1.41GB read
                Requests/sec:      0.99
                Transfer/sec:      1.40GB
                """);
        assertEquals(new Result(1, 1.01, 1.41 * (1 << 30), 1e6, 1e6, 0), result);
        assertEquals(1499, result.megabytesPerSecond(), 1, "what belongs to no complete request counts, too");
    }

    @Test
    void shouldRefuseWhatIsNoReport() {
        assertThrows(IOException.class, () -> Wrk.parse("unable to connect to 127.0.0.1:1 Connection refused"));
        assertThrows(IOException.class, () -> Wrk.parse("141937 requests in 1.10s, 562.50MB read"));
    }
}
