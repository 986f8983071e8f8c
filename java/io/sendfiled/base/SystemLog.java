package io.sendfiled.base;

import java.util.List;
import java.util.Map;
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

    /** Where a program that is this library alone has its lines. */
    public interface Output {
        /**
         * Takes a line. Any thread; may throw, which loses the line.
         *
         * @param fields what the message tells, for programs that read it; in the order in which they are to be shown
         */
        void log(System.Logger.Level level, String message, @Nullable Throwable cause, Map<String, ?> fields);
    }

    private static volatile @Nullable Output output;

    private SystemLog() {}

    /**
     * From here on each line goes there, and to no logger: for a program that is this library alone. The JDK's own logger
     * writes two lines, and opens files when it writes the first.
     */
    public static void divert(Output to) {
        output = to;
    }

    /**
     * Logs a line, if the logger takes it.
     *
     * @param name of the logger, such as {@code io.sendfiled.client}
     */
    public static void log(String name, System.Logger.Level level, String message, @Nullable Throwable cause) {
        log(name, level, message, cause, Map.of());
    }

    /**
     * The same with what the message tells, for programs that read it. Loggers get the message alone.
     *
     * @param fields in the order in which they are to be shown
     */
    public static void log(
            String name, System.Logger.Level level, String message, @Nullable Throwable cause, Map<String, ?> fields) {
        try {
            Output to = output;
            if (to != null) {
                to.log(level, message, cause, fields);
                return;
            }
            System.getLogger(name).log(level, message, cause);
        } catch (Throwable t) { // the finder's or the logger's; there is nowhere else to say it
            return;
        }
    }
}
