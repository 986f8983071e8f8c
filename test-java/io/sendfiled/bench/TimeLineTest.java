package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What is before, beside and after something. */
final class TimeLineTest {
    private static TimeLine line(double... values) {
        List<Double> seconds =
                IntStream.range(0, values.length).mapToObj(i -> i + 0.5).toList();
        return new TimeLine(new Results.Series(
                "web",
                "time line",
                "theirs",
                "rate",
                "requests/s",
                seconds,
                DoubleStream.of(values).boxed().toList()));
    }

    private static final TimeLine STALLED = line(100, 101, 102, 7, 0, 0, 400, 300, 200);

    @Test
    void shouldTellTheMedianOfEachPart() {
        assertEquals(9, STALLED.end());
        assertEquals(
                "theirs: before 101 requests/s, beside cold downloads 0 requests/s, after 300 requests/s",
                STALLED.told());
    }

    @Test
    void shouldNotLetABurstSetTheScale() {
        assertEquals(2 * 101, TimeLine.scale(List.of(STALLED, line(90, 90, 90))));
        assertEquals(110, TimeLine.scale(List.of(line(100, 50, 110))));
        assertEquals(5, TimeLine.scale(List.of(line(0, 5, 5))), "there is nothing before");
    }
}
