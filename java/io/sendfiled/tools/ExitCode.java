package io.sendfiled.tools;

import io.sendfiled.sys.Errno;

/** The exit statuses of {@code sfd}. */
final class ExitCode {
    static final int OK = 0;
    /** The daemon, or the system, refused. */
    static final int FAILED = 1;
    /** Wrong arguments. */
    static final int USAGE = 2;
    /** No daemon. */
    static final int UNREACHABLE = 3;
    /** Not allowed. */
    static final int PERMISSION = 4;
    /** Some bytes were moved, but not all; or cancelled. */
    static final int PARTIAL = 5;
    /** It took too long. */
    static final int TIMEOUT = 6;
    /** Ctrl-C: 128 and the signal's number, as the JVM ends by itself. */
    static final int INTERRUPTED = 130;

    private ExitCode() {}

    /** For a failure with this errno (0: none known) after so many bytes. */
    static int of(int errno, long bytesMoved) {
        if (errno == Errno.ETIMEDOUT) {
            return TIMEOUT;
        }
        if (bytesMoved > 0 || errno == Errno.ECANCELED) {
            return PARTIAL;
        }
        return errno == Errno.EACCES || errno == Errno.EPERM ? PERMISSION : FAILED;
    }
}
