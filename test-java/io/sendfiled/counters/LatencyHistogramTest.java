package io.sendfiled.counters;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramIterationValue;
import org.junit.jupiter.api.Test;

/** What a histogram says of the times in it, against the times themselves. */
final class LatencyHistogramTest {
    private static final int CELLS = 3840;
    private static final int TIMES = 100_000;

    /** As {@code sfd_histogram_cell}, found by the values of the cells alone. */
    private static int cellOf(long ns) {
        int low = 0;
        int high = CELLS;
        while (high - low > 1) {
            int middle = (low + high) / 2;
            if (LatencyHistogram.valueAt(middle) <= ns) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return low;
    }

    @Test
    void shouldHaveCellsThatGrowByOnePercentAtMost() {
        for (int i = 1; i < CELLS; i++) {
            long width = LatencyHistogram.valueAt(i + 1) - LatencyHistogram.valueAt(i);
            assertTrue(width > 0, "cell " + i);
            assertTrue(width == 64 || width <= LatencyHistogram.valueAt(i) / 128 + 1, "cell " + i);
        }
        assertEquals(1L << 42, LatencyHistogram.valueAt(CELLS));
    }

    @Test
    void shouldTellPercentilesToOnePercent() {
        Random random = new Random(1);
        long[] times = new long[TIMES];
        long[] cells = new long[CELLS];
        long sum = 0;
        for (int i = 0; i < TIMES; i++) {
            times[i] = (long) Math.exp(random.nextDouble() * 20 + 5);
            cells[cellOf(times[i])]++;
            sum += times[i];
        }
        Arrays.sort(times);
        LatencyHistogram histogram = new LatencyHistogram(sum, times[TIMES - 1], cells);
        assertEquals(TIMES, histogram.count());
        for (double share : new double[] {0.01, 0.5, 0.9, 0.99, 0.999}) {
            long exact = times[(int) Math.ceil(share * TIMES) - 1];
            assertEquals((double) exact, (double) histogram.atShare(share), exact / 100.0 + 64, "at " + share);
        }
        assertEquals(times[TIMES - 1], histogram.atShare(1));
    }

    @Test
    void shouldHaveTheCellsAndPercentilesOfHdrHistogram() {
        Histogram theirs = new Histogram(64, (1L << 42) - 1, 2);
        Random random = new Random(2);
        long[] cells = new long[CELLS];
        for (int i = 0; i < CELLS; i++) {
            cells[i] = 1L + random.nextInt(1000);
            theirs.recordValueWithCount(LatencyHistogram.valueAt(i), cells[i]);
        }
        int cell = 0;
        for (HistogramIterationValue each : theirs.recordedValues()) {
            assertEquals(cells[cell], each.getCountAtValueIteratedTo(), "cell " + cell);
            assertEquals(LatencyHistogram.valueAt(cell + 1) - 1, each.getValueIteratedTo(), "cell " + cell);
            cell++;
        }
        assertEquals(CELLS, cell);

        LatencyHistogram ours = new LatencyHistogram(0, theirs.getMaxValue(), cells);
        assertEquals(theirs.getTotalCount(), ours.count());
        for (int i = 1; i <= 1000; i++) {
            assertEquals(theirs.getValueAtPercentile(i / 10.0), ours.atShare(i / 1000.0), "at " + i / 10.0 + " %");
        }
        for (int i = 1; i <= CELLS; i++) {
            long ns = LatencyHistogram.valueAt(i) - 1;
            assertEquals(theirs.getCountBetweenValues(0, ns), ours.countUpTo(ns), "up to " + ns);
        }
        assertThrows(ArrayIndexOutOfBoundsException.class, () -> theirs.recordValue(LatencyHistogram.valueAt(CELLS)));
    }

    @Test
    void shouldTellWhatCameSince() {
        long[] cells = new long[CELLS];
        cells[5] = 7;
        LatencyHistogram before = new LatencyHistogram(100, 400, cells.clone());
        cells[5] = 9;
        cells[8] = 1;
        LatencyHistogram since = new LatencyHistogram(900, 600, cells).since(before);
        assertEquals(3, since.count());
        assertEquals(800, since.sumNs());
        assertEquals(2, since.countAt(5));
        assertEquals(2, since.countUpTo(LatencyHistogram.valueAt(6)));
    }

    @Test
    void shouldSayNothingOfNothing() {
        LatencyHistogram empty = new LatencyHistogram(0, 0, new long[CELLS]);
        assertEquals(0, empty.atShare(0.5));
        assertEquals(0, empty.maxNs());
    }
}
