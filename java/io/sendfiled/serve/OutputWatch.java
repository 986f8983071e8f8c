package io.sendfiled.serve;

import io.netty.channel.Channel;
import io.netty.channel.ChannelOutboundBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Whether a client takes what it is sent: looked at from time to time, so that it costs the answers nothing. The channel's event
 * loop only.
 */
final class OutputWatch {
    private final Channel channel;
    private @Nullable Object current; // these as they were at the last look
    private long progress;
    private long pending;
    private long engineSteps;
    private long steps; // of the engine, which writes past the channel
    private long sinceNs;

    OutputWatch(Channel channel) {
        this.channel = channel;
    }

    /** The engine has moved bytes. */
    void engineProgressed() {
        steps++;
    }

    /** There is something to be taken, from now on. */
    void begin() {
        sinceNs = System.nanoTime();
    }

    /** How long nothing has been taken, at least, in nanoseconds: since the first look that has found it like this. */
    long look() {
        ChannelOutboundBuffer buffer = channel.unsafe().outboundBuffer();
        if (buffer == null) {
            return 0; // it is closed
        }
        long now = System.nanoTime();
        Object first = buffer.current();
        if (first != current
                || buffer.currentProgress() != progress
                || buffer.totalPendingWriteBytes() != pending
                || steps != engineSteps) {
            current = first;
            progress = buffer.currentProgress();
            pending = buffer.totalPendingWriteBytes();
            engineSteps = steps;
            sinceNs = now;
        }
        return now - sinceNs;
    }
}
