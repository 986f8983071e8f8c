package io.sendfiled.serve;

import io.netty.handler.codec.DateFormatter;
import java.time.Instant;
import java.util.Date;
import org.jspecify.annotations.Nullable;

/** The dates of RFC 9110, section 5.6.7, which have whole seconds. Any thread. */
@SuppressWarnings("JavaUtilDate") // as Netty has them
final class HttpDates {
    /** The last one that was made. */
    private record Now(long second, String text) {}

    private static volatile Now now = new Now(-1, "");

    private HttpDates() {}

    /** This second. */
    static String now() {
        long second = System.currentTimeMillis() / 1000;
        Now last = now;
        if (last.second != second) {
            last = new Now(second, format(Instant.ofEpochSecond(second)));
            now = last;
        }
        return last.text;
    }

    static String format(Instant time) {
        return DateFormatter.format(Date.from(Instant.ofEpochSecond(time.getEpochSecond())));
    }

    /** Seconds since 1970, of any of the three forms; null: it is none of them. */
    static @Nullable Long parse(String text) {
        Date date = DateFormatter.parseHttpDate(text);
        return date == null ? null : Math.floorDiv(date.getTime(), 1000L);
    }
}
