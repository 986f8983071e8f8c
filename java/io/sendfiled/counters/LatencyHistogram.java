package io.sendfiled.counters;

/**
 * How often which times were taken, to 1 %. The cells are those of {@code new org.HdrHistogram.Histogram(64, (1L << 42) - 1,
 * 2)} in their order, and so are the percentiles. One of that class is filled by {@code recordValueWithCount(valueAt(cell),
 * countAt(cell))} for each cell; this class does without it, because the library needs no other jar, and {@code sfd counters}
 * no class that costs more time than all of its reading.
 *
 * <p>Immutable, any thread.
 */
public final class LatencyHistogram {
    private static final int UNIT_SHIFT = 6;
    private static final int HALF_SHIFT = 7;
    private static final int HALF = 1 << HALF_SHIFT;

    private final long count;
    private final long sumNs;
    private final long maxNs;
    private final long[] cells;

    LatencyHistogram(long sumNs, long maxNs, long[] cells) {
        this.sumNs = sumNs;
        this.maxNs = maxNs;
        this.cells = cells;
        long all = 0;
        for (long cell : cells) {
            all += cell;
        }
        count = all; // not the one that is counted beside them, which may be ahead
    }

    /** How many times were taken. */
    public long count() {
        return count;
    }

    /** Their sum, in nanoseconds. */
    public long sumNs() {
        return sumNs;
    }

    /** The longest, in nanoseconds; 0: there is none. */
    public long maxNs() {
        return maxNs;
    }

    /** How many cells there are. */
    public int cells() {
        return cells.length;
    }

    /** How many times were taken that are in a cell. */
    public long countAt(int cell) {
        return cells[cell];
    }

    /** The shortest time of a cell, in nanoseconds; of the cell behind the last, the shortest that has none. */
    public static long valueAt(int cell) {
        int doubled = Math.max(0, (cell >> HALF_SHIFT) - 1);
        long units = doubled == 0 ? cell : HALF + (cell & (HALF - 1));
        return units << (doubled + UNIT_SHIFT);
    }

    /**
     * The time that this share of all did not exceed, in nanoseconds, within 1 %; 0 without any.
     *
     * @param share from 0 to 1: 0.5 is the median
     */
    public long atShare(double share) {
        long wanted = Math.max(1, (long) Math.ceil(share * count));
        long seen = 0;
        for (int i = 0; i < cells.length; i++) {
            seen += cells[i];
            if (seen >= wanted && cells[i] > 0) {
                return Math.min(valueAt(i + 1) - 1, maxNs);
            }
        }
        return count == 0 ? 0 : maxNs;
    }

    /** How many times were not longer than this, as far as cells tell. */
    public long countUpTo(long ns) {
        long seen = 0;
        for (int i = 0; i < cells.length && valueAt(i + 1) - 1 <= ns; i++) {
            seen += cells[i];
        }
        return seen;
    }

    /** What has come since an earlier reading of the same. */
    LatencyHistogram since(LatencyHistogram before) {
        long[] difference = cells.clone();
        for (int i = 0; i < Math.min(difference.length, before.cells.length); i++) {
            difference[i] -= before.cells[i];
        }
        return new LatencyHistogram(sumNs - before.sumNs, maxNs, difference);
    }
}
