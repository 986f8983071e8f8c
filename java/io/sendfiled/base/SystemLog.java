package io.sendfiled.base;

import java.io.PrintStream;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The library's lines in the log of the process, through {@link System.Logger}.
 *
 * <p>Any thread; as fast as the logger, which may wait. Never throws: the logger is somebody else's code, and what it
 * does must not end the thread that reports something else. The logger is looked up for each line: most processes never
 * log one, and the look-up would be the longest part of their start.
 */
public final class SystemLog {
    // The JVM loads the class of a handler when it looks for one: without memory, what is thrown would pass the handler
    // by.
    static {
        var unused = List.of(Throwable.class);
    }

    private static volatile @Nullable PrintStream output;

    private SystemLog() {}

    /**
     * From here on each line goes there, and to no logger: for a program that is this library alone. The JDK's own logger
     * writes two lines, and opens files when it writes the first.
     */
    public static void divert(PrintStream to) {
        output = to;
    }

    /**
     * Logs a line, if the logger takes it.
     *
     * @param name of the logger, such as {@code io.sendfiled.client}
     */
    public static void log(String name, System.Logger.Level level, String message, @Nullable Throwable cause) {
        try {
            PrintStream to = output;
            if (to != null) {
                to.println("sendfiled: " + (cause == null ? message : message + ": " + cause));
                return;
            }
            System.getLogger(name).log(level, message, cause);
        } catch (Throwable t) { // the finder's or the logger's; there is nowhere else to say it
            return;
        }
    }
}
