package io.sendfiled.buffer;

import io.sendfiled.base.Forgotten;
import io.sendfiled.jni.BufferNative;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The addresses at which a buffer is mapped, and the views that point there. They are released when neither the buffer
 * nor any view needs them, so that an old view never points at other memory.
 */
final class Region {
    private final long address;
    private final long length;
    private final AtomicInteger holders = new AtomicInteger(1); // the buffer, and one for each view

    /** The region of a mapped buffer. The buffer holds it, and must {@link #release} it or unmap it itself. */
    Region(ByteBuffer state) {
        address = BufferNative.address(state);
        length = BufferNative.mapped(state);
    }

    /** A view of a part, which must be inside the region. */
    ByteBuffer view(long offset, int count) {
        ByteBuffer view = BufferNative.view(address + offset, count);
        holders.incrementAndGet();
        try {
            var unused = Forgotten.watch(view, this::release); // its slices keep it reachable
        } catch (Throwable t) { // no memory, or no thread: then there is no view
            holders.decrementAndGet();
            throw t;
        }
        return view;
    }

    /** Whether there may be views. */
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
