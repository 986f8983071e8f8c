package io.sendfiled.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/** Measures sides in alternating rounds, so that a drifting machine drifts for all of them. */
final class Rounds {
    /** One side, one round. */
    interface Measurement<T> {
        void run(T side, int round) throws IOException, InterruptedException;
    }

    private Rounds() {}

    /**
     * Each side once in each round, in an order that each round draws anew, the same in each run: each side leaves its traces to
     * the one after it, and nobody is to come always after the same one.
     */
    static <T> void alternate(int rounds, List<T> sides, Measurement<T> measurement)
            throws IOException, InterruptedException {
        List<T> order = new ArrayList<>(sides);
        Random random = new Random(rounds);
        for (int round = 0; round < rounds; round++) {
            Collections.shuffle(order, random);
            for (T side : order) {
                measurement.run(side, round);
            }
        }
    }
}
