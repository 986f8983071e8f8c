package io.sendfiled.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** R9: refusals are logged, and a flood of them fills no log. */
final class RefusalLogTest {
    private static final long MINUTE = TimeUnit.MINUTES.toNanos(1);
    private static final RefusalLog.Reason REASON = RefusalLog.Reason.NOT_ALLOWED;

    private final List<String> lines = new ArrayList<>();
    private final RefusalLog log = new RefusalLog((level, line, fields) -> lines.add(line));

    @Test
    void shouldTellTheFirstAtOnceAndTheRestInOneLineAMinute() {
        log.add(1003, 4711, REASON, 0);
        assertEquals(-1, log.tell(0));
        assertEquals(List.of("refused: uid 1003, pid 4711: not in allow-users or allow-groups (EACCES)"), lines);

        for (int pid = 1; pid <= 10_000; pid++) {
            log.add(1003, pid, REASON, 1);
        }
        assertTrue(log.tell(2) > 59_000);
        assertEquals(1, lines.size());

        assertEquals(-1, log.tell(MINUTE));
        assertEquals(
                "refused 10000 requests: uid 1003, the last: pid 10000: not in allow-users or allow-groups (EACCES)",
                lines.get(1));
        assertEquals(-1, log.tell(3 * MINUTE));
        assertEquals(2, lines.size(), "there is nothing more to tell");
    }

    @Test
    void shouldHaveOneLineForAllUsersBeyondSoMany() {
        for (int uid = 1; uid <= 1000; uid++) {
            log.add(uid, 7, REASON, 0);
        }
        log.tell(0);
        assertEquals(RefusalLog.USERS + 1, lines.size());
        assertEquals(
                "refused 968 requests of further users, the last: uid 1000, pid 7: not in allow-users or allow-groups"
                        + " (EACCES)",
                lines.get(RefusalLog.USERS));

        log.add(2000, 8, REASON, MINUTE - 1); // all places are still taken
        assertTrue(log.tell(MINUTE - 1) > 0);
        log.add(3000, 9, REASON, MINUTE); // those who have been quiet have lost theirs
        log.tell(MINUTE);
        assertEquals(
                List.of(
                        "refused: uid 3000, pid 9: not in allow-users or allow-groups (EACCES)",
                        "refused 1 request of further users, the last: uid 2000, pid 8: not in allow-users or allow-groups"
                                + " (EACCES)"),
                lines.subList(RefusalLog.USERS + 1, lines.size()));
    }

    @Test
    void shouldNameNoProcessThatItDoesNotSee() {
        log.add(-2, 0, RefusalLog.Reason.UNKNOWN_USER, 0);
        log.tell(0);
        assertEquals(
                List.of("refused: uid 4294967294, a process of another pid namespace: a user of whom nothing is known"
                        + " in this user namespace (EACCES)"),
                lines);
    }
}
