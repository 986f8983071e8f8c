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
    WRITABLE(BufferNative.WRITABLE),

    /**
     * To read; accepts also what is not sealed, a file included, by copying it into sealed memory of this process's: as
     * senders hand it over that do not know seals, those of libfatipc among them. What is sealed is not copied. The call
     * waits while it reads. A sender that writes meanwhile makes the copy a mixture, and does no other harm.
     */
    COPY(BufferNative.COPY),

    /**
     * To write to; accepts also a file, as {@link BufferOptions#directory} makes it, and memory whose size is not
     * sealed. Only from a sender that is trusted: it can change the bytes at any time, and when it cuts the file, or its
     * disk fails, an access is an {@link InternalError}, or ends the JVM.
     */
    TRUSTED(BufferNative.WRITABLE | BufferNative.TRUST);

    private final int flags;

    BufferAccess(int flags) {
        this.flags = flags;
    }

    int flags() {
        return flags;
    }
}
