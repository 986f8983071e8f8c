package io.sendfiled.client;

import org.jspecify.annotations.Nullable;

/**
 * The client's log, {@code io.sendfiled.client}. The logger is looked up when the first line is logged: most clients
 * never log one, and the look-up would be the longest part of the start.
 */
final class Log {
    private Log() {}

    /** A fault of this library. */
    static void error(String message, Throwable cause) {
        log(System.Logger.Level.ERROR, message, cause);
    }

    /** A fault, or an oddity, of the user's code. */
    static void warning(String message, Throwable cause) {
        log(System.Logger.Level.WARNING, message, cause);
    }

    private static void log(System.Logger.Level level, String message, @Nullable Throwable cause) {
        System.getLogger("io.sendfiled.client").log(level, message, cause);
    }
}
