package io.sendfiled.transport;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * What was told to one call, in order, until a thread passes it on to the call: one thread at a time. Any thread fills it.
 *
 * <p>It is between threads that must not run the user's code (an event loop's) and the executor where that may run.
 */
class Inbox implements Runnable {
    private static final byte[] NONE = {};

    /** File Details, File Information, and a Result: all that most transfers are told. */
    private static final int FIRST_SIZE = 128;

    final Call call;
    final @Nullable Executor executor; // where it is emptied
    // all below: under this
    private byte[] bytes = NONE;
    private int length;
    private boolean hasEnded;
    private boolean isScheduled;
    private @Nullable Thread reader;

    Inbox(Call call) {
        this.call = call;
        this.executor = call.executor();
    }

    /** Adds bytes of messages. True if {@link #run} is to be called, by a task that the caller starts. */
    final synchronized boolean add(ByteBuffer from, int at, int count) {
        if (bytes.length - length < count) {
            bytes = Arrays.copyOf(bytes, Math.max(FIRST_SIZE, Math.max(2 * bytes.length, length + count)));
        }
        from.get(at, bytes, length, count);
        length += count;
        return schedule();
    }

    /** Nothing more comes. True as of {@link #add}. */
    final synchronized boolean addEnd() {
        hasEnded = true;
        return schedule();
    }

    private boolean schedule() {
        boolean first = !isScheduled;
        isScheduled = true;
        return first;
    }

    /** Passes on what is there. */
    @Override
    public final void run() {
        synchronized (this) {
            isScheduled = false;
        }
        var unused = empty();
    }

    /**
     * Passes on what is there, if no other thread does that: it takes what has come meanwhile, too.
     *
     * @return false if the calling thread is doing so already, so that nothing comes while it waits
     */
    final boolean empty() {
        Thread me = Thread.currentThread();
        while (true) {
            byte[] taken;
            int count;
            boolean last;
            synchronized (this) {
                if (reader != null) {
                    return reader != me;
                }
                if (length == 0 && !hasEnded) {
                    return true;
                }
                taken = bytes;
                count = length;
                last = hasEnded;
                bytes = NONE;
                length = 0;
                hasEnded = false;
                reader = me;
            }
            try {
                pass(taken, count, last);
            } catch (Throwable t) { // no memory
                call.fail(t);
            } finally {
                synchronized (this) {
                    reader = null;
                }
            }
        }
    }

    private void pass(byte[] taken, int count, boolean last) {
        if (count > 0) {
            call.onMessages(ByteBuffer.wrap(taken, 0, count));
        }
        if (last) {
            call.onEnd();
        }
    }
}
