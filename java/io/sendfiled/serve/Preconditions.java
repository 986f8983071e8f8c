package io.sendfiled.serve;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The conditions of a GET or HEAD request, in the order of RFC 9110, section 13.2.2. Pure but for the clock. */
final class Preconditions {
    /** What a request's conditions come to. */
    enum Outcome {
        /** The request is to be answered. */
        HOLD,
        /** The client has what it asks for: 304. */
        NOT_MODIFIED,
        /** 412. */
        FAILED
    }

    private Preconditions() {}

    /**
     * Evaluates all but If-Range.
     *
     * @param etag of the file, strong
     * @param modified of the file; HTTP knows its seconds
     */
    static Outcome evaluate(HttpHeaders headers, String etag, Instant modified) {
        if (headers.contains(HttpHeaderNames.IF_MATCH)) {
            if (!EntityTags.match(headers.getAll(HttpHeaderNames.IF_MATCH), etag, false)) {
                return Outcome.FAILED;
            }
        } else {
            Long since = date(headers, HttpHeaderNames.IF_UNMODIFIED_SINCE);
            if (since != null && modified.getEpochSecond() > since) {
                return Outcome.FAILED;
            }
        }
        if (headers.contains(HttpHeaderNames.IF_NONE_MATCH)) {
            return EntityTags.match(headers.getAll(HttpHeaderNames.IF_NONE_MATCH), etag, true)
                    ? Outcome.NOT_MODIFIED
                    : Outcome.HOLD;
        }
        Long since = date(headers, HttpHeaderNames.IF_MODIFIED_SINCE);
        return since != null && modified.getEpochSecond() <= since ? Outcome.NOT_MODIFIED : Outcome.HOLD;
    }

    /** Whether a range may be answered with a part: If-Range is missing, or names this very content. */
    static boolean rangeHolds(HttpHeaders headers, String etag, Instant modified) {
        String given = headers.get(HttpHeaderNames.IF_RANGE);
        if (given == null) {
            return true;
        }
        if (given.indexOf('"') >= 0) {
            return given.strip().equals(etag);
        }
        Long date = HttpDates.parse(given.strip());
        return date != null
                && date == modified.getEpochSecond()
                && date < Instant.now().getEpochSecond(); // else it may change once more within its second
    }

    /** Null: there is none, more than one, or it is no date. */
    private static @Nullable Long date(HttpHeaders headers, CharSequence name) {
        List<String> values = headers.getAll(name);
        return values.size() == 1 ? HttpDates.parse(values.get(0).strip()) : null;
    }
}
