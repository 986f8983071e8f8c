package io.sendfiled.engine;

import io.sendfiled.base.SystemLog;
import io.sendfiled.jni.JournalNative;
import io.sendfiled.jni.Records;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;

/**
 * Tells what has become of requests: takes the records that the loops leave, and gives each to the sinks that want its
 * kind: the log, the access log, the events of a recording.
 *
 * <p>On a thread of its own, because what it feeds may wait: for whoever reads the log, or for a disk. No loop waits for
 * it, and neither does the housekeeper. While requests end it looks 20 times a second, so that it costs them no wake-up
 * each; after a quiet time the first one is told at once. Allocates nothing for a record; a sink may.
 */
final class Journal implements Runnable {
    /** Between two looks; less if there is much. */
    private static final int REST_MS = 50;

    private static final int ROOM = 256;

    private static final long PAUSE_NS = TimeUnit.SECONDS.toNanos(10);

    private static final int NO_LIMIT = -1;

    private final long engine;
    private final Records records = new Records(ROOM);
    private final List<RecordSink> sinks = new CopyOnWriteArrayList<>();
    private int wanted;
    private long lost; // of which nothing is logged yet
    private long toldNs = System.nanoTime() - PAUSE_NS;
    private boolean failed;
    private volatile boolean stopped;

    Journal(long engine) {
        this.engine = engine;
    }

    /** One more sink, before the thread starts. */
    void add(RecordSink sink) {
        sinks.add(sink);
        want();
    }

    @Override
    public void run() {
        int timeoutMs = 0;
        boolean busy = false;
        while (!stopped) {
            JournalNative.await(engine, busy ? REST_MS : 0, timeoutMs);
            busy = drain() > 0;
            timeoutMs = flush();
        }
        drain(); // what the loops have left when they ended
        flush();
        tellLost();
    }

    /** Ends a wait: a sink wants something else. Any thread, before {@link #stop}. */
    void wake() {
        JournalNative.wake(engine);
    }

    /** Makes {@link #run} return soon, after the last record; not after the engine was destroyed. Any thread. */
    void stop() {
        stopped = true;
        JournalNative.wake(engine);
    }

    private int drain() {
        int all = 0;
        int count = records.take(engine);
        while (count > 0) {
            for (int i = 0; i < count; i++) {
                give(records.at(i));
            }
            all += count;
            count = records.take(engine);
        }
        lost += JournalNative.lost(engine);
        return all;
    }

    private void give(Records record) {
        for (RecordSink sink : sinks) {
            try {
                if ((sink.kinds() & record.kind()) != 0) {
                    sink.take(record);
                }
            } catch (Throwable t) { // no memory, as a rule; nobody else would feed the others
                fail(t);
            }
        }
    }

    /** In how many milliseconds it is due again; -1: after the next record. */
    private int flush() {
        long nowNs = System.nanoTime();
        int dueMs = tellLost(nowNs);
        for (RecordSink sink : sinks) {
            try {
                int ms = sink.flush(nowNs);
                dueMs = dueMs == NO_LIMIT || ms == NO_LIMIT ? Math.max(dueMs, ms) : Math.min(dueMs, ms);
            } catch (Throwable t) {
                fail(t);
            }
        }
        want();
        return dueMs;
    }

    private void want() {
        int kinds = 0;
        for (RecordSink sink : sinks) {
            kinds |= sink.kinds();
        }
        if (kinds != wanted) {
            wanted = kinds;
            JournalNative.want(engine, kinds);
        }
    }

    private int tellLost(long nowNs) {
        long leftNs = toldNs + PAUSE_NS - nowNs;
        if (lost == 0) {
            return NO_LIMIT;
        }
        if (leftNs > 0) {
            return (int) TimeUnit.NANOSECONDS.toMillis(leftNs) + 1;
        }
        tellLost();
        toldNs = nowNs;
        return NO_LIMIT;
    }

    private void tellLost() {
        if (lost > 0) {
            SystemLog.log(
                    "io.sendfiled.daemon",
                    System.Logger.Level.WARNING,
                    lost + (lost == 1 ? " request has" : " requests have")
                            + " ended of which no log tells: more of them at once than could be told of",
                    null);
            lost = 0;
        }
    }

    private void fail(Throwable t) {
        if (!failed) {
            failed = true;
            SystemLog.log("io.sendfiled.daemon", System.Logger.Level.ERROR, "cannot tell of a request", t);
        }
    }
}
