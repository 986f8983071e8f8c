package io.sendfiled.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Measures sides in alternating rounds, so that a drifting machine drifts for all of them. */
final class Rounds {
    /** One side, one round. */
    interface Measurement<T> {
        void run(T side, int round) throws IOException, InterruptedException;
    }

    private Rounds() {}

    /** Each side once in each round. The first of a round changes: each leaves its traces to the one after it. */
    static <T> void alternate(int rounds, List<T> sides, Measurement<T> measurement)
            throws IOException, InterruptedException {
        List<T> order = new ArrayList<>(sides);
        for (int round = 0; round < rounds; round++) {
            for (T side : order) {
                measurement.run(side, round);
            }
            Collections.rotate(order, 1);
        }
    }
}
