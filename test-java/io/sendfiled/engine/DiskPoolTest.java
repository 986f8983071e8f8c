package io.sendfiled.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.jni.EngineNative;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongConsumer;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Tasks with a negative number wait for a disk that does not answer until the test lets it; the others do not wait. */
@Timeout(30)
final class DiskPoolTest {
    private static final int THREADS = 2;
    private static final int SOUND = EngineNative.QUEUE_LINGER + 1;
    private static final int DEAD = SOUND + 1;
    private static final int USER = 1000;
    private static final int CLIENT = 1;

    private final Semaphore dead = new Semaphore(0);
    private final BlockingQueue<Long> begun = new LinkedBlockingQueue<>();
    private final BlockingQueue<Long> done = new LinkedBlockingQueue<>();
    private final Set<Thread> prepared = ConcurrentHashMap.newKeySet();
    private final DiskPool pool = new DiskPool(
            THREADS,
            false,
            () -> prepared.add(Thread.currentThread()),
            task -> {
                assertTrue(prepared.contains(Thread.currentThread()));
                work(task);
            },
            this::startThreads);

    private void work(long task) {
        begun.add(task);
        if (task < 0) {
            dead.acquireUninterruptibly();
        }
        done.add(task);
    }

    private void startThreads() {
        assertTrue(pool.startThreads());
    }

    @AfterEach
    void close() throws InterruptedException {
        dead.release(1000);
        pool.close();
        assertTrue(pool.awaitTermination(TimeUnit.SECONDS.toNanos(20)));
    }

    @Test
    void shouldWorkOnEveryTask() throws Exception {
        for (long task = 1; task <= 100; task++) {
            pool.execute(SOUND, task, task % 2 == 0, USER, CLIENT);
        }

        assertEquals(
                LongStream.rangeClosed(1, 100).boxed().toList(),
                LongStream.rangeClosed(1, 100)
                        .map(task -> take(done))
                        .sorted()
                        .boxed()
                        .toList());
    }

    @Test
    void shouldLetADeadDiskTakeItsOwnThreadsOnly() throws Exception {
        for (long task = -10; task < 0; task++) {
            pool.execute(DEAD, task, true, USER, CLIENT);
        }
        take(begun);
        take(begun);

        for (int queue : List.of(SOUND, EngineNative.QUEUE_OPEN, EngineNative.QUEUE_CLOSE)) {
            pool.execute(queue, 1, false, USER, CLIENT);
            assertEquals(1, take(done));
        }
    }

    @Test
    void shouldLetOneClientKeepHalfOfTheThreadsThatCloseAtMost() throws Exception { // R4
        for (int queue : List.of(EngineNative.QUEUE_CLOSE, EngineNative.QUEUE_LINGER)) {
            for (long task = -10; task < 0; task++) {
                pool.execute(queue, task, false, USER, CLIENT);
            }
            take(begun);

            pool.execute(queue, 1, false, USER, CLIENT + 1);

            assertEquals(1, take(done));
            assertEquals(1, take(begun));
            assertNull(begun.poll());
            dead.release(10);
            for (int i = 0; i < 10; i++) {
                take(done);
            }
            begun.clear();
        }
    }

    @Test
    void shouldLeaveAQuarterOfTheThreadsThatDisksShareToOtherUsers() throws Exception { // R25
        DiskPool shared = new DiskPool(2 * THREADS, true, () -> {}, this::work, () -> {});
        try {
            for (int client = 0; client < 10; client++) {
                shared.execute(EngineNative.QUEUES - 1, -1 - client, true, USER, client);
            }
            assertTrue(shared.startThreads());
            for (int i = 0; i < 2 * THREADS - 1; i++) {
                take(begun);
            }

            shared.execute(EngineNative.QUEUES - 1, 1, false, USER + 1, CLIENT);

            assertEquals(1, take(done));
            assertEquals(1, take(begun));
            assertNull(begun.poll());
        } finally {
            dead.release(10);
            shared.close();
            assertTrue(shared.awaitTermination(TimeUnit.SECONDS.toNanos(20)));
        }
    }

    @Test
    void shouldLeaveHalfOfTheThreadsThatDisksShareToOtherClients() throws Exception { // R10
        for (long task = -10; task < 0; task++) {
            pool.execute(EngineNative.QUEUES - 1, task, true, USER, CLIENT);
        }
        take(begun);

        pool.execute(EngineNative.QUEUES - 1, 1, false, USER, CLIENT + 1);

        assertEquals(1, take(done));
    }

    @Test
    void shouldBoundTheThreadsOfADisk() throws Exception {
        for (long task = -10; task < 0; task++) {
            pool.execute(DEAD, task, false, USER, CLIENT);
        }
        take(begun);
        take(begun);
        assertNull(begun.poll(), "the third waits for a thread");
        dead.release();
        take(done);
        take(begun);
        assertNull(begun.poll());
    }

    @Test
    void shouldOpenElsewhereAlthoughOneDiskKeepsAsManyOpensAsADiskHasThreads() throws Exception {
        for (long task = -THREADS; task < 0; task++) {
            pool.execute(EngineNative.QUEUE_OPEN, task, false, USER, CLIENT);
        }

        pool.execute(EngineNative.QUEUE_OPEN, 1, false, USER, CLIENT);

        assertEquals(1, take(done));
    }

    @Test
    void shouldGiveClientsTheirTurnsAndUrgentTasksPrecedence() throws Exception {
        CountDownLatch threadsBusy = new CountDownLatch(THREADS);
        Semaphore goOn = new Semaphore(0);
        BlockingQueue<Long> order = new LinkedBlockingQueue<>();
        LongConsumer work = task -> {
            if (task < 0) {
                threadsBusy.countDown();
                (task == -1 ? dead : goOn).acquireUninterruptibly();
            } else {
                order.add(task);
            }
        };
        DiskPool held = new DiskPool(THREADS, false, () -> {}, work, () -> {});
        held.execute(SOUND, -1, false, USER, CLIENT); // keeps its thread, so that the other one alone makes the order
        held.execute(SOUND, -2, false, USER, CLIENT);
        assertTrue(held.startThreads());
        threadsBusy.await();
        for (long task : List.of(11L, 12L, 13L)) {
            held.execute(SOUND, task, false, USER, 1);
        }
        held.execute(SOUND, 21, false, USER, 2);
        held.execute(SOUND, 31, true, USER, 3);

        goOn.release();

        for (long expected : List.of(31L, 11L, 21L, 12L, 13L)) {
            assertEquals(expected, take(order));
        }
        dead.release();
        held.close();
        assertTrue(held.awaitTermination(TimeUnit.SECONDS.toNanos(20)));
    }

    @Test
    void shouldWorkOnWhatWaitsAfterItWasClosed() throws Exception {
        for (long task = -10; task < 0; task++) {
            pool.execute(DEAD, task, false, USER, CLIENT);
        }
        pool.close();
        assertFalse(pool.awaitTermination(0));
        dead.release(10);
        assertTrue(pool.awaitTermination(TimeUnit.SECONDS.toNanos(20)));
        assertEquals(10, done.size());
    }

    /* Whoever starts a thread waits while the JVM warns on an output that nobody reads that none can be started. */
    @Test
    void shouldLeaveItToOthersToStartThreads() throws Exception { // R24
        AtomicInteger wanted = new AtomicInteger();
        List<String> workers = new CopyOnWriteArrayList<>();
        CountDownLatch over = new CountDownLatch(3);
        LongConsumer work = task -> {
            workers.add(Thread.currentThread().getName());
            over.countDown();
        };
        DiskPool lazy = new DiskPool(THREADS, false, () -> {}, work, wanted::incrementAndGet);
        for (long task = 1; task <= 3; task++) {
            lazy.execute(SOUND, task, false, USER, CLIENT);
        }
        assertEquals(3, wanted.get(), "each of them asks");
        assertEquals(List.of(), workers, "and waits");

        assertTrue(lazy.startThreads());

        assertTrue(over.await(20, TimeUnit.SECONDS));
        lazy.close();
        assertTrue(lazy.awaitTermination(TimeUnit.SECONDS.toNanos(20)));
    }

    @Test
    void shouldStartNoThreadForAQueueWithoutTasks() {
        pool.execute(SOUND, 1, false, USER, CLIENT);
        take(done);
        int before = prepared.size();
        assertTrue(pool.startThreads());
        assertEquals(before, prepared.size());
    }

    private static long take(BlockingQueue<Long> queue) {
        try {
            Long task = queue.poll(20, TimeUnit.SECONDS);
            if (task == null) {
                throw new AssertionError("no task was worked on");
            }
            return task;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
