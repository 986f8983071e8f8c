package io.sendfiled.client;

import io.sendfiled.sys.Errno;
import java.io.IOException;

/** No daemon listens where the client looked; the message says where that was, and what to do. */
public final class DaemonUnavailableException extends IOException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    DaemonUnavailableException(String message, int errno) {
        super(message);
        this.errno = errno;
    }

    /**
     * The reason, as a number of {@link Errno}: ENOENT (no such socket), ECONNREFUSED (no process serves it), EACCES,
     * EPERM (another user could have put a socket into each of the places), EINVAL (no name of a daemon).
     */
    public int errno() {
        return errno;
    }
}
