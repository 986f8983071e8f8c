package io.sendfiled.transport;

import io.sendfiled.base.SystemLog;
import org.jspecify.annotations.Nullable;

/** The client's log, {@code io.sendfiled.client}. Never throws, but waits as long as the user's logger does. */
public final class Log {
    private static final String NAME = "io.sendfiled.client";

    private Log() {}

    /** A fault of this library. */
    public static void error(String message, Throwable cause) {
        SystemLog.log(NAME, System.Logger.Level.ERROR, message, cause);
    }

    /** A fault, or an oddity, of the user's code or of this machine. */
    public static void warning(String message, @Nullable Throwable cause) {
        SystemLog.log(NAME, System.Logger.Level.WARNING, message, cause);
    }
}
