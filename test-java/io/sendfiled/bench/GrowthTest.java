package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.sendfiled.bench.Report.Metric;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which cases are a curve. */
final class GrowthTest {
    private final List<Metric> metrics = new ArrayList<>();

    private void measured(String testCase, double value) {
        metrics.add(new Metric("web", testCase, "ours", "rate", "requests/s", List.of(value)));
    }

    @Test
    void shouldOrderSizesByTheirBytes() {
        measured("1 GiB to TCP", 3);
        measured("4 KiB to TCP", 1);
        measured("1 MiB to TCP", 2);

        Growth growth = Growth.of(metrics).get(0);
        assertEquals(
                List.of("4 KiB", "1 MiB", "1 GiB"), List.copyOf(growth.names().values()));
        assertEquals(
                List.of(1.0, 2.0, 3.0),
                List.copyOf(growth.lines().get(0).points().values()));
        assertEquals(4096, growth.names().firstKey());
    }

    @Test
    void shouldDrawACurveOfTwoAndNotAskWhetherItIsOneOrSeveral() {
        measured("splice, 50 ms each, 1 holder, 1 loop", 1);
        measured("splice, 50 ms each, 32 holders, 1 loop", 2);

        List<Growth> curves = Growth.of(metrics);
        assertEquals(1, curves.size(), curves::toString);
        assertEquals(List.of("1", "32"), List.copyOf(curves.get(0).names().values()));
        assertEquals(2, curves.get(0).factor());
    }

    @Test
    void shouldReadCounts() {
        measured("10 stuck", 1);
        measured("1,000 stuck", 2);
        measured("6000 stuck", 3);
        measured("0 stuck", 9);

        assertEquals(
                List.of("10", "1,000", "6000"),
                List.copyOf(Growth.of(metrics).get(0).names().values()));
    }

    @Test
    void shouldNotMixCasesThatDifferInMoreThanANumber() {
        measured("4 KiB to TCP", 1);
        measured("1 MiB to a pipe", 3);

        assertEquals(List.of(), Growth.of(metrics));
    }
}
