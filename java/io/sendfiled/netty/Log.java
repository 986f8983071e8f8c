package io.sendfiled.netty;

import io.sendfiled.base.SystemLog;
import org.jspecify.annotations.Nullable;

/** The log of the Netty handlers, {@code io.sendfiled.netty}. Never throws, but waits as long as the user's logger does. */
final class Log {
    private static final String NAME = "io.sendfiled.netty";

    private Log() {}

    /** A fault, or an oddity, of the user's code or of this machine. */
    static void warning(String message, @Nullable Throwable cause) {
        SystemLog.log(NAME, System.Logger.Level.WARNING, message, cause);
    }
}
