package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class RoundsTest {
    private static final List<String> SIDES = List.of("a", "b", "c", "d");
    private static final int ROUNDS = 20;

    private static List<String> measured() throws Exception {
        List<String> measured = new ArrayList<>();
        Rounds.alternate(ROUNDS, SIDES, (side, round) -> {
            assertEquals(measured.size() / SIDES.size(), round);
            measured.add(side);
        });
        return measured;
    }

    @Test
    void shouldMeasureEachSideOnceInEachRound() throws Exception {
        List<String> measured = measured();
        assertEquals(ROUNDS * SIDES.size(), measured.size());
        for (int i = 0; i < measured.size(); i += SIDES.size()) {
            assertEquals(Set.copyOf(SIDES), Set.copyOf(measured.subList(i, i + SIDES.size())));
        }
    }

    @Test
    void shouldNotHaveASideAlwaysBehindTheSame() throws Exception {
        List<String> measured = measured();
        for (String side : SIDES) {
            Set<String> before = new HashSet<>();
            for (int i = 1; i < measured.size(); i++) {
                if (measured.get(i).equals(side)) {
                    before.add(measured.get(i - 1));
                }
            }
            before.remove(side); // the last of a round, and the first of the next one
            assertEquals(SIDES.size() - 1, before.size(), side + " came after " + before);
        }
    }

    @Test
    void shouldMeasureInTheSameOrderInEachRun() throws Exception {
        assertEquals(measured(), measured());
    }
}
