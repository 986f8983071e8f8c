package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

/** What processes have used, from /proc. */
final class CostTest {
    @Test
    void shouldTellWhatAProcessHasUsed() throws Exception {
        long pid = ProcessHandle.current().pid();
        Cost before = Cost.soFar(List.of(pid));
        Thread.onSpinWait();
        Cost after = Cost.soFar(List.of(pid));

        assertTrue(before.cpuUs() > 1000 && before.switches() > 1, before::toString);
        assertTrue(before.pssMib() > 1, before::toString);
        assertTrue(after.since(before, 2).cpuUs() > 0, after::toString);
    }

    @Test
    void shouldAddProcessesThatServeTogether() throws Exception {
        long pid = ProcessHandle.current().pid();
        Cost one = Cost.soFar(List.of(pid));
        Cost two = Cost.soFar(List.of(pid, pid));

        assertTrue(two.cpuUs() >= 2 * one.cpuUs() && two.switches() >= 2 * one.switches(), two::toString);
    }

    @Test
    void shouldDivideWhatHasBeenUsedSinceAmongTheRequests() {
        assertEquals(new Cost(5, 2, 30), new Cost(30, 11, 30).since(new Cost(10, 3, 20), 4));
    }
}
