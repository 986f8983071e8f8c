package io.sendfiled.serve;

import io.netty.handler.codec.DateFormatter;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Date;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The dates of RFC 9110, section 5.6.7, which have whole seconds. Any thread. */
@SuppressWarnings("JavaUtilDate") // as Netty has them
final class HttpDates {
    /** The last one that was made. */
    @SuppressWarnings("ArrayRecordComponent") // compared by nobody
    private record Now(long second, String text, byte[] bytes) {}

    /** The three forms. Netty's parser takes what only looks like them, of another time zone as well. */
    private static final Pattern FORMS =
            Pattern.compile("[A-Z][a-z]{2}, \\d\\d [A-Z][a-z]{2} \\d{4} \\d\\d:\\d\\d:\\d\\d GMT"
                    + "|[A-Z][a-z]{5,8}, \\d\\d-[A-Z][a-z]{2}-\\d\\d \\d\\d:\\d\\d:\\d\\d GMT"
                    + "|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d \\d{4}");

    private static volatile Now now = new Now(-1, "", new byte[0]);

    private HttpDates() {}

    /** This second. */
    static String now() {
        return current().text;
    }

    /** The same in ASCII; nobody changes it. */
    static byte[] nowBytes() {
        return current().bytes;
    }

    private static Now current() {
        long second = System.currentTimeMillis() / 1000;
        Now last = now;
        if (last.second != second) {
            String text = format(Instant.ofEpochSecond(second));
            last = new Now(second, text, text.getBytes(StandardCharsets.US_ASCII));
            now = last;
        }
        return last;
    }

    static String format(Instant time) {
        return DateFormatter.format(Date.from(Instant.ofEpochSecond(time.getEpochSecond())));
    }

    /** Seconds since 1970, of any of the three forms; null: it is none of them. */
    static @Nullable Long parse(String text) {
        Date date = FORMS.matcher(text).matches() ? DateFormatter.parseHttpDate(text) : null;
        return date == null ? null : Math.floorDiv(date.getTime(), 1000L);
    }
}
