package io.sendfiled.transport;

import io.sendfiled.support.Await;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** A call that keeps what it was told. */
class RecordedCall extends Call {
    private final List<String> events = new CopyOnWriteArrayList<>();

    /** What it was told, in order: "3 bytes", "end", "refused 13", "failed java.io.IOException", ... */
    List<String> events() {
        return events;
    }

    /** Waits until it was told that. */
    void await(String event) {
        Await.until(event, () -> events.contains(event));
    }

    @Override
    public boolean isOver() {
        return false;
    }

    @Override
    public boolean isCancelled() {
        return false;
    }

    @Override
    public @Nullable Executor executor() {
        return null;
    }

    @Override
    public long transferId() {
        return 1;
    }

    @Override
    public int readLimit() {
        return Integer.MAX_VALUE;
    }

    @Override
    public void onMessages(ByteBuffer bytes) {
        events.add(bytes.remaining() + " bytes");
        bytes.position(bytes.limit());
    }

    @Override
    public void onEnd() {
        events.add("end");
    }

    @Override
    public void onReleased(Pipe.SourceChannel channel) {
        events.add("released");
    }

    @Override
    public void onAttention() {
        events.add("attention");
    }

    @Override
    public void refuse(int errno, @Nullable String detail) {
        events.add("refused " + errno);
    }

    @Override
    public void refuse(Throwable cause) {
        events.add("refused " + cause.getClass().getName());
    }

    @Override
    public void fail(Throwable cause) {
        events.add("failed " + cause.getClass().getName());
    }

    @Override
    public void failLater(Throwable cause) {
        fail(cause);
    }

    @Override
    public void abandon() {
        events.add("abandoned");
    }
}
