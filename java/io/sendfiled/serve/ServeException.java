package io.sendfiled.serve;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Why a server cannot start: the message names what is wrong and the way out. */
public final class ServeException extends IOException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    ServeException(String message, int errno, @Nullable Throwable cause) {
        super(message, cause);
        this.errno = errno;
    }

    /** The errno behind it; 0 when there is none. */
    public int errno() {
        return errno;
    }
}
