package io.sendfiled.client;

import org.jspecify.annotations.Nullable;

/**
 * The client's log, {@code io.sendfiled.client}. Looked up by the first line that is logged: most clients never log one,
 * and the look-up takes longer than all the rest of starting.
 */
final class Log {
    private Log() {}

    /** Something of ours is broken. */
    static void error(String message, Throwable cause) {
        log(System.Logger.Level.ERROR, message, cause);
    }

    /** Something of the user's is broken, or odd. */
    static void warning(String message, Throwable cause) {
        log(System.Logger.Level.WARNING, message, cause);
    }

    private static void log(System.Logger.Level level, String message, @Nullable Throwable cause) {
        System.getLogger("io.sendfiled.client").log(level, message, cause);
    }
}
