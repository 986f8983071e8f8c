package io.sendfiled.buffer;

import io.sendfiled.jni.BufferNative;

/** What a receiver demands of a buffer, and may do with it. */
public enum BufferAccess {
    /** To read what cannot change any more: the kernel keeps everybody from writing, the sender too. */
    SEALED(0),

    /**
     * To read; taken also if it is sealed against new writers only, because somebody had it mapped for writing when it was
     * sealed, and may still write.
     */
    FUTURE_WRITE(BufferNative.FUTURE_WRITE),

    /** To write to: what its sender has moved, {@link SharedBuffer#move}. */
    WRITABLE(BufferNative.WRITABLE);

    private final int flags;

    BufferAccess(int flags) {
        this.flags = flags;
    }

    int flags() {
        return flags;
    }
}
