package io.sendfiled.control;

import io.sendfiled.sys.Errno;

/** What a command cannot do, and why: answered as {@code error ERRNO TEXT}. */
public final class ControlException extends Exception {
    private static final long serialVersionUID = 1L;

    private final int errno;

    /**
     * @param errno a positive errno
     * @param message a sentence for the administrator
     */
    public ControlException(int errno, String message) {
        super(message);
        this.errno = errno;
    }

    /** With the errno's own words. */
    public ControlException(int errno) {
        this(errno, Errno.message(errno));
    }

    int errno() {
        return errno;
    }
}
