package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Where values are, and where marks are. */
final class AxisTest {
    @Test
    void shouldPlaceValuesInEqualSteps() {
        Axis axis = Axis.linear(4);

        assertEquals(List.of(0.0, 1.0, 2.0, 3.0, 4.0), axis.ticks());
        assertEquals(25, axis.percent(1));
        assertEquals(100, axis.percent(9), "beyond the end");
    }

    @Test
    void shouldPlaceValuesByTheirLogarithms() {
        Axis axis = Axis.logarithmic(10, 100_000);

        assertEquals(List.of(10.0, 100.0, 1000.0, 10_000.0, 100_000.0), axis.ticks());
        assertEquals(50, axis.percent(1000), 1e-9);
        assertEquals(0, axis.percent(0), "has no logarithm");
    }

    @Test
    void shouldMarkMoreThanDecadesWhereThereAreFew() {
        Axis axis = Axis.logarithmic(3, 17);

        assertEquals(List.of(2.0, 5.0, 10.0, 20.0), axis.ticks());
        assertEquals(100, axis.percent(20), 1e-9);
        assertEquals(
                List.of(300.0, 1000.0, 3000.0, 10_000.0, 30_000.0),
                Axis.logarithmic(250, 40_000).ticks());
    }

    @Test
    void shouldHoldAllValuesWhereverTheyAre() {
        for (double least = 1e-5; least < 1e7; least *= 1.7) {
            for (double factor = 1; factor < 1e9; factor *= 3) {
                Axis axis = Axis.logarithmic(least, least * factor);
                String shown = least + " to " + least * factor + ": " + axis;
                assertTrue(axis.low() <= least * (1 + 1e-9) && axis.high() >= least * factor * (1 - 1e-9), shown);
                assertTrue(axis.ticks().size() >= 2 && axis.ticks().size() <= 8, () -> shown + axis.ticks());
            }
        }
    }

    @Test
    void shouldBeLogarithmicOnlyWhereSmallValuesWouldVanish() {
        assertFalse(Axis.fitting(List.of(1.0, 19.0)).logarithmic());
        assertTrue(Axis.fitting(List.of(0.0, 1.0, 21.0)).logarithmic());
    }
}
