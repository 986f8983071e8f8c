package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.Test;

/** Reads what http_paced prints. */
final class PacedLoadTest {
    /** Ten a second: the third waits for 150 ms, and with it the fourth; the last has no answer. */
    private static final String OUTPUT = "{\"latencies_us\":[100.0,200.5,150000.0,50000.0,100.0,-1000000.0]}";

    @Test
    void shouldCountWhatHadNoAnswerAsLongAsItHasWaited() throws IOException {
        PacedLoad load = PacedLoad.parse(10, OUTPUT);
        Histogram histogram = load.histogram();
        assertEquals(1, load.unanswered());
        assertEquals(6, histogram.getTotalCount());
        assertEquals(1e9, (double) histogram.getMaxValue(), 1e6);
        assertEquals(200_500, (double) histogram.getValueAtPercentile(50), 200);
    }

    @Test
    void shouldTellWhenAnswersCameNotWhenTheyWereDue() throws IOException {
        // Due at 0, 100, 200, 300, 400 and 500 ms.
        assertArrayEquals(
                new long[] {1, 1, 0, 2, 1, 0}, PacedLoad.parse(10, OUTPUT).answersBySlice(100));
    }

    @Test
    void shouldHaveNoSliceOfItsOwnForWhatIsLeftAtTheEnd() throws IOException {
        // 14,793 a second for a second: the last is due a little after 100 ms times 10.
        String output = "{\"latencies_us\":[" + "1.0,".repeat(14_793) + "1.0]}";

        assertEquals(10, PacedLoad.parse(14_793, output).answersBySlice(100).length);
    }

    @Test
    void shouldRefuseWhatIsNoReport() {
        assertThrows(IOException.class, () -> PacedLoad.parse(10, ""));
        assertThrows(IOException.class, () -> PacedLoad.parse(10, "not 200: HTTP/1.1 404 Not Found"));
    }
}
