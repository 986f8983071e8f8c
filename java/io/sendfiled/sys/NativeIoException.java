package io.sendfiled.sys;

import java.io.IOException;

/** A system call failed: says which operation on which object, and with which errno. */
public final class NativeIoException extends IOException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    /**
     * @param what the operation and its object: {@code "bind /run/sendfiled/sendfiled.default.socket"}
     * @param errno a positive errno
     */
    public NativeIoException(String what, int errno) {
        super(what + ": " + Errno.describe(errno));
        this.errno = errno;
    }

    /** The positive errno. */
    public int errno() {
        return errno;
    }
}
