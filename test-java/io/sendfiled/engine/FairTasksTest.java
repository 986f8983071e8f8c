package io.sendfiled.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

final class FairTasksTest {
    private static final int USER = 1000;
    private static final int OTHER_USER = 2000;
    private static final int ALICE = 100;
    private static final int BOB = 200;
    private static final int CAROL = 300;
    private static final long NONE = 0;

    private final FairTasks tasks = new FairTasks(Integer.MAX_VALUE, Integer.MAX_VALUE);

    @Test
    void shouldBeEmptyAtFirst() {
        assertEquals(NONE, next());
    }

    @Test
    void shouldKeepTheOrderOfOneClient() {
        addOrdinary(ALICE, 1, 2, 3);

        assertEquals(List.of(1L, 2L, 3L), rest());
    }

    @Test
    void shouldGiveEachClientItsTurnHoweverManyTasksAnotherHas() {
        addOrdinary(ALICE, 11, 12, 13, 14);
        addOrdinary(BOB, 21);
        addOrdinary(CAROL, 31, 32);

        assertEquals(List.of(11L, 21L, 31L, 12L, 32L, 13L, 14L), rest());
    }

    @Test
    void shouldLetAClientThatComesLaterWaitForOneTurnOfEachOther() {
        addOrdinary(ALICE, 11, 12, 13);
        addOrdinary(BOB, 21, 22);
        assertEquals(11, next());
        addOrdinary(CAROL, 31);

        assertEquals(List.of(21L, 12L, 31L, 22L, 13L), rest());
    }

    @Test
    void shouldServeAClientAgainThatHadNothingToDo() {
        addOrdinary(ALICE, 11);
        assertEquals(List.of(11L), rest());
        addOrdinary(ALICE, 12);
        addOrdinary(BOB, 21);

        assertEquals(List.of(12L, 21L), rest());
    }

    @Test
    void shouldPreferUrgentTasks() {
        addOrdinary(ALICE, 11, 12);
        addUrgent(BOB, 21);

        assertEquals(List.of(21L, 11L, 12L), rest());
    }

    @Test
    void shouldGiveEachClientItsTurnAmongUrgentTasks() {
        addUrgent(ALICE, 11, 12);
        addUrgent(BOB, 21);

        assertEquals(List.of(11L, 21L, 12L), rest());
    }

    @Test
    void shouldStarveNobodyForUrgentTasks() {
        addOrdinary(ALICE, 1, 2);
        for (int i = 0; i < 2 * FairTasks.URGENT_RUN + 1; i++) {
            addUrgent(BOB, 100 + i);
        }

        List<Long> order = rest();

        assertEquals(FairTasks.URGENT_RUN, order.indexOf(1L));
        assertEquals(2 * FairTasks.URGENT_RUN + 1, order.indexOf(2L));
    }

    @Test
    void shouldCountARunOfUrgentTasksOnlyWhileOthersWait() {
        for (int i = 0; i < FairTasks.URGENT_RUN; i++) {
            addUrgent(BOB, 100 + i);
            assertEquals(100 + i, next());
        }
        addOrdinary(ALICE, 1);
        addUrgent(BOB, 2);

        assertEquals(List.of(2L, 1L), rest());
    }

    @Test
    @Timeout(30)
    void shouldLoseNoTaskWhenThreadsAddAndTakeAtOnce() throws Exception {
        int each = 20_000;
        CountDownLatch start = new CountDownLatch(1);
        List<Thread> threads = new ArrayList<>();
        for (int thread = 1; thread <= 2; thread++) {
            long first = (long) thread * each;
            int client = thread;
            threads.add(new Thread(() -> {
                awaitStart(start);
                for (int i = 0; i < each; i++) {
                    tasks.add(first + i, i % 3 == 0, USER, client);
                }
            }));
        }
        Set<Long> taken = new HashSet<>();
        threads.forEach(Thread::start);
        start.countDown();
        while (taken.size() < 2 * each) {
            long task = next();
            if (task != NONE) {
                taken.add(task);
            }
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(NONE, next());
    }

    @Test
    void shouldLeaveTheOtherThreadsToOtherClients() {
        FairTasks limited = new FairTasks(2, Integer.MAX_VALUE);
        for (long handle = 11; handle <= 14; handle++) {
            limited.add(handle, handle == 14, USER, ALICE);
        }
        FairTasks.Task urgent = taken(limited);
        assertEquals(14, urgent.handle);
        assertEquals(11, taken(limited).handle);
        assertNull(limited.next(), "two are under way");

        limited.add(21, false, USER, BOB);
        assertEquals(21, taken(limited).handle);
        assertNull(limited.next());

        limited.finished(urgent);
        assertEquals(12, taken(limited).handle);
        assertNull(limited.next());
    }

    @Test
    void shouldGoOnWithTheOthersInTurnAroundAClientThatHasEnoughUnderWay() {
        FairTasks limited = new FairTasks(1, Integer.MAX_VALUE);
        for (long handle : new long[] {11, 12}) {
            limited.add(handle, false, USER, ALICE);
        }
        limited.add(21, false, USER, BOB);
        limited.add(31, false, USER, CAROL);
        List<Long> order = new ArrayList<>();
        for (FairTasks.Task task = limited.next(); task != null; task = limited.next()) {
            order.add(task.handle);
            if (task.client != ALICE) {
                limited.finished(task);
            }
        }

        assertEquals(List.of(11L, 21L, 31L), order);
    }

    @Test
    void shouldGiveEachUserItsTurnHoweverManyClientsAnotherHas() { // R25
        for (int client = 0; client < 100; client++) {
            tasks.add(1000 + client, true, USER, client);
        }
        for (long handle = 1; handle <= 3; handle++) {
            tasks.add(handle, false, OTHER_USER, ALICE);
        }

        List<Long> order = rest();

        assertEquals(
                List.of(1L, 3L, 5L), List.of(order.indexOf(1L) * 1L, order.indexOf(2L) * 1L, order.indexOf(3L) * 1L));
    }

    @Test
    void shouldTellClientsOfTwoUsersApartThatHaveOneNumber() {
        FairTasks limited = new FairTasks(1, Integer.MAX_VALUE);
        limited.add(1, false, USER, ALICE);
        limited.add(2, false, OTHER_USER, ALICE);

        assertEquals(1, taken(limited).handle);
        assertEquals(2, taken(limited).handle);
    }

    @Test
    void shouldLeaveThreadsToOtherUsersHoweverManyClientsOneHas() { // R25
        FairTasks limited = new FairTasks(2, 3);
        for (int client = 0; client < 10; client++) {
            limited.add(10 + client, false, USER, client);
        }
        FairTasks.Task first = taken(limited);
        taken(limited);
        taken(limited);
        assertNull(limited.next(), "three are under way");

        limited.add(1, false, OTHER_USER, ALICE);
        assertEquals(1, taken(limited).handle);
        assertNull(limited.next());

        limited.finished(first);
        assertEquals(13, taken(limited).handle);
        assertNull(limited.next());
    }

    private static FairTasks.Task taken(FairTasks from) {
        FairTasks.Task task = from.next();
        if (task == null) {
            throw new AssertionError("nothing may be worked on");
        }
        return task;
    }

    private long next() {
        FairTasks.Task task = tasks.next();
        if (task == null) {
            return NONE;
        }
        tasks.finished(task);
        return task.handle;
    }

    private static void awaitStart(CountDownLatch start) {
        try {
            start.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private void addOrdinary(int client, long... handles) {
        for (long handle : handles) {
            tasks.add(handle, false, USER, client);
        }
    }

    private void addUrgent(int client, long... handles) {
        for (long handle : handles) {
            tasks.add(handle, true, USER, client);
        }
    }

    private List<Long> rest() {
        List<Long> order = new ArrayList<>();
        for (long task = next(); task != NONE; task = next()) {
            order.add(task);
        }
        return order;
    }
}
