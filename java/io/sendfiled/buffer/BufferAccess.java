package io.sendfiled.buffer;

import io.sendfiled.jni.BufferNative;

/** What a receiver requires of a buffer, and may do with it. */
public enum BufferAccess {
    /** To read bytes that cannot change any more: the kernel refuses every write, the sender's too. */
    SEALED(0),

    /**
     * To read; accepts also a buffer that is sealed against new writers only, because a process had it mapped for
     * writing when it was sealed. That process may still write.
     */
    FUTURE_WRITE(BufferNative.FUTURE_WRITE),

    /** To write to: a buffer that its sender has moved, {@link SharedBuffer#move}. */
    WRITABLE(BufferNative.WRITABLE);

    private final int flags;

    BufferAccess(int flags) {
        this.flags = flags;
    }

    int flags() {
        return flags;
    }
}
