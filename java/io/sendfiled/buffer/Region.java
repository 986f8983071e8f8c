package io.sendfiled.buffer;

import io.sendfiled.jni.BufferNative;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The addresses at which a buffer is mapped, and the views that point there. They are given back when neither the buffer
 * nor any view needs them: a view that somebody kept never points at somebody else's memory.
 */
final class Region {
    static final Cleaner CLEANER = Cleaner.create();

    private final long address;
    private final long length;
    private final AtomicInteger holders = new AtomicInteger(1); // the buffer, and one for each view

    /** Of a buffer that is mapped. The buffer holds it, and has to {@link #release} it or to unmap it itself. */
    Region(ByteBuffer state) {
        address = BufferNative.address(state);
        length = BufferNative.mapped(state);
    }

    /** A view of a part that is inside. */
    ByteBuffer view(long offset, int count) {
        ByteBuffer view = BufferNative.view(address + offset, count);
        holders.incrementAndGet();
        var unused = CLEANER.register(view, this::release); // what is sliced from it keeps it reachable
        return view;
    }

    /** Whether anybody may still look there but the buffer. */
    boolean hasViews() {
        return holders.get() > 1;
    }

    /** One holder less. */
    void release() {
        if (holders.decrementAndGet() == 0) {
            BufferNative.release(address, length);
        }
    }
}
