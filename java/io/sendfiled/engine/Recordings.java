package io.sendfiled.engine;

import io.sendfiled.jni.Records;
import io.sendfiled.sys.Errno;
import java.util.concurrent.TimeUnit;
import jdk.jfr.FlightRecorder;

/**
 * Makes events of what an engine tells, while a recording of Java Flight Recorder wants them: {@code io.sendfiled.Transfer},
 * {@code io.sendfiled.Refusal} and {@code io.sendfiled.Stall}.
 *
 * <p>To be told when a recording starts would initialize the recorder, which costs more than the rest of a daemon's start.
 * So it looks now and then whether somebody else has initialized it, and from then on, once a second, which events are
 * enabled. To be used only where the module {@code jdk.jfr} is: {@link #isPossible}.
 */
final class Recordings implements RecordSink {
    private static final int LOOK_MS = 1000;
    private static final long LOOK_NS = TimeUnit.MILLISECONDS.toNanos(LOOK_MS);

    private final int firstMs;
    private int kinds;
    private boolean isInitialized;
    private long lookedNs = System.nanoTime();

    /**
     * Looks for the first time: a recording that began with the JVM has the first request, too.
     *
     * @param firstMs how often it looks whether the recorder is initialized, while nothing else happens
     */
    Recordings(int firstMs) {
        this.firstMs = firstMs;
        look();
    }

    /** Whether this Java has the recorder; an image made by jlink may not. */
    static boolean isPossible() {
        return ModuleLayer.boot().findModule("jdk.jfr").isPresent();
    }

    @Override
    public int kinds() {
        return kinds;
    }

    @Override
    public int flush(long nowNs) {
        if (nowNs - lookedNs >= LOOK_NS) {
            lookedNs = nowNs;
            look();
        }
        return (isInitialized ? LOOK_MS : firstMs) - (int) TimeUnit.NANOSECONDS.toMillis(nowNs - lookedNs);
    }

    private void look() {
        isInitialized = FlightRecorder.isInitialized();
        kinds = isInitialized ? enabled() : 0;
    }

    private static int enabled() {
        return (new TransferEvent().isEnabled() ? Records.DONE | Records.FAILED | Records.CANCELLED : 0)
                | (new RefusalEvent().isEnabled() ? Records.REFUSED : 0)
                | (new StallEvent().isEnabled() ? Records.STALL : 0);
    }

    @Override
    public void take(Records record) {
        switch (record.kind()) {
            case Records.REFUSED -> refusal(record);
            case Records.STALL -> stall(record);
            default -> transfer(record);
        }
    }

    private static void transfer(Records record) {
        TransferEvent event = new TransferEvent();
        event.id = RecordWords.id(record);
        event.bytes = record.bytes();
        event.size = record.size();
        event.status = RecordWords.status(record);
        event.cold = record.isCold();
        event.firstByte = RecordWords.firstByteNs(record);
        event.total = RecordWords.totalNs(record);
        event.technique = RecordWords.technique(record);
        event.commit(record);
    }

    private static void refusal(Records record) {
        RefusalEvent event = new RefusalEvent();
        event.errno = Errno.name(record.error());
        event.reason = Errno.message(record.error());
        event.commit(record);
    }

    private static void stall(Records record) {
        StallEvent event = new StallEvent();
        event.loop = record.loop();
        event.pid = record.pid();
        event.uid = Integer.toUnsignedLong(record.uid());
        event.held = record.endedNs() - record.receivedNs();
        event.commit();
    }
}
