package io.sendfiled.daemon;

import org.jspecify.annotations.Nullable;

/**
 * The daemon cannot start: has one line for the user, and the errno that a waiting parent gets. Without a message when
 * another process has printed it.
 */
final class StartException extends Exception {
    private static final long serialVersionUID = 1L;

    private final int errno;

    StartException(int errno, @Nullable String message) {
        super(message);
        this.errno = errno;
    }

    StartException(int errno, String message, Throwable cause) {
        super(message, cause);
        this.errno = errno;
    }

    int errno() {
        return errno;
    }
}
