package io.sendfiled.serve;

import io.sendfiled.base.SystemLog;
import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * What goes wrong in {@code sfd serve} while it serves, a line each on standard error: this library's messages, and Netty's, which
 * come by the JDK's logger. That one's own output opens files for its first line, and throws if no descriptor is left, which is
 * what such a line may be about: an event loop would end.
 *
 * <p>Any thread.
 */
public final class ServeLog extends Handler implements SystemLog.Output {
    /** What is said again and again is shown so often. */
    private static final long REPEAT_NS = TimeUnit.MINUTES.toNanos(1);

    /** Lines that may take turns, and are not shown more often for that. */
    private static final int MOST_REPEATED = 16;

    private final PrintStream err;
    private final Map<String, Long> shownNs = new LinkedHashMap<>() { // under this
                @Override
                protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
                    return size() > MOST_REPEATED;
                }
            };

    private ServeLog(PrintStream err) {
        this.err = err;
    }

    /** Logs so from now on, for the whole process. */
    public static void begin(PrintStream err) {
        ServeLog log = new ServeLog(err);
        SystemLog.divert(log);
        Logger root = Logger.getLogger("");
        for (Handler other : root.getHandlers()) {
            root.removeHandler(other);
        }
        root.addHandler(log);
    }

    @Override
    public void log(System.Logger.Level level, String message, @Nullable Throwable cause, Map<String, ?> fields) {
        String line = "sfd: " + (cause == null ? message : message + ": " + cause);
        if (isNews(line)) {
            err.println(line);
        }
    }

    private synchronized boolean isNews(String line) {
        long now = System.nanoTime();
        Long shown = shownNs.get(line);
        if (shown != null && now - shown < REPEAT_NS) {
            return false;
        }
        shownNs.remove(line); // to be the youngest
        shownNs.put(line, now);
        return true;
    }

    @Override
    public void publish(LogRecord line) {
        if (line.getLevel().intValue() >= Level.WARNING.intValue()) {
            log(System.Logger.Level.WARNING, line.getMessage(), line.getThrown(), Map.of());
        }
    }

    @Override
    public void flush() {} // a line is written when it comes

    @Override
    public void close() {}
}
