package io.sendfiled.daemon;

import io.sendfiled.base.SystemLog;
import io.sendfiled.jni.ProcessNative;
import io.sendfiled.names.LogText;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The program's messages on standard error, a line each: as people read them, or as JSON objects.
 *
 * <p>Where standard error is the journal of systemd, each line begins with its priority ({@code <4>}, sd-daemon(3)), which
 * the journal takes off. Any thread; as fast as whoever takes the lines.
 */
final class ProgramLog implements SystemLog.Output {
    /** How a line looks. */
    enum Format {
        TEXT,
        JSON;

        /** The one of that name, in lower case. */
        static Format of(String word) {
            return valueOf(word.toUpperCase(Locale.ROOT));
        }
    }

    /** The device and the inode of the journal's socket, where a service manager has made one for us. */
    private static final String STREAM = "JOURNAL_STREAM";

    private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");

    private final PrintStream err;
    private final boolean hasPriorities;
    private volatile Format format = Format.TEXT;

    ProgramLog(PrintStream err, Map<String, String> environment) {
        this.err = err;
        String stream = environment.getOrDefault(STREAM, "");
        boolean stays = !Boolean.getBoolean(ProcessNative.DETACHED_PROPERTY); // else it is a file soon
        hasPriorities = stays && !stream.isEmpty() && stream.equals(identity(STANDARD_ERROR));
    }

    private static @Nullable String identity(Path file) {
        try {
            Map<String, Object> attributes = Files.readAttributes(file, "unix:dev,ino");
            return attributes.get("dev") + ":" + attributes.get("ino");
        } catch (IOException e) {
            return null; // no /proc: nothing tells
        }
    }

    /** From here on lines look so. */
    void format(Format as) {
        format = as;
    }

    /** A line that tells no more than its message. */
    void log(System.Logger.Level level, String message) {
        log(level, message, null, Map.of());
    }

    @Override
    public void log(System.Logger.Level level, String message, @Nullable Throwable cause, Map<String, ?> fields) {
        String text = cause == null ? message : message + ": " + cause;
        StringBuilder line = new StringBuilder();
        if (hasPriorities) {
            line.append('<').append(priority(level)).append('>');
        }
        if (format == Format.TEXT) {
            line.append("sendfiled: ").append(text);
        } else {
            json(line, level, text, fields);
        }
        err.println(line.toString());
    }

    private static void json(StringBuilder line, System.Logger.Level level, String text, Map<String, ?> fields) {
        line.append('{');
        LogText.member(line, "time", Instant.now().truncatedTo(ChronoUnit.MILLIS));
        LogText.member(line, "level", level.name().toLowerCase(Locale.ROOT));
        LogText.member(line, "message", text);
        LogText.members(line, fields);
        line.append('}');
    }

    private static int priority(System.Logger.Level level) {
        return switch (level) {
            case ERROR -> 3;
            case WARNING -> 4;
            case INFO -> 6;
            case ALL, TRACE, DEBUG, OFF -> 7;
        };
    }
}
