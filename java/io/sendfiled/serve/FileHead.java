package io.sendfiled.serve;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.sendfiled.netty.SendfiledFile;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is told of a file before its bytes, made once for as long as its content is the same: an answer with the whole file then
 * costs no text.
 *
 * <p>The event loop only that it was made by.
 */
final class FileHead {
    private static final byte[] DATE = ascii(HttpHeaderNames.DATE + ": ");
    private static final byte[] LINE_END = ascii(AnswerHead.LINE_END);

    private final Object version;
    private final String etag;
    private final String modified;
    private final String type;
    private final @Nullable ContentCoding coding;
    private final @Nullable String cacheControl;
    private final byte[] whole; // the head of an answer with all of it, up to the date
    private final Map<ContentCoding, Long> absentUntil = new EnumMap<>(ContentCoding.class);

    FileHead(SendfiledFile file, @Nullable ContentCoding coding, String type, @Nullable String cacheControl) {
        version = file.version();
        etag = file.etag();
        Instant now = Instant.now();
        modified = HttpDates.format(file.modified().isBefore(now) ? file.modified() : now); // RFC 9110, section 8.8.2.1
        this.type = type;
        this.coding = coding;
        this.cacheControl = cacheControl;
        AnswerHead head = describe(new AnswerHead(HttpResponseStatus.OK));
        content(head, type).add(HttpHeaderNames.CONTENT_LENGTH, file.size());
        whole = head.bytes();
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** Whether this is what is to be told of a file. */
    boolean isOf(SendfiledFile file) {
        return version.equals(file.version());
    }

    String etag() {
        return etag;
    }

    String type() {
        return type;
    }

    /** What tells this content from others, also without it. */
    AnswerHead describe(AnswerHead head) {
        head.add(HttpHeaderNames.ETAG, etag)
                .add(HttpHeaderNames.LAST_MODIFIED, modified)
                .add(HttpHeaderNames.VARY, HttpHeaderNames.ACCEPT_ENCODING);
        return cacheControl == null ? head : head.add(HttpHeaderNames.CACHE_CONTROL, cacheControl);
    }

    /** What the content is, or a part of it. */
    AnswerHead content(AnswerHead head, String contentType) {
        head.add(HttpHeaderNames.ACCEPT_RANGES, HttpHeaderValues.BYTES).add(HttpHeaderNames.CONTENT_TYPE, contentType);
        return coding == null ? head : head.add(HttpHeaderNames.CONTENT_ENCODING, coding.token());
    }

    /**
     * The head of an answer with the whole file; the caller's to write.
     *
     * @param connection a line with the header Connection, and its end; empty: there is none
     */
    ByteBuf whole(ByteBufAllocator allocator, byte[] connection) {
        byte[] date = HttpDates.nowBytes();
        int length = whole.length + DATE.length + date.length + connection.length + 2 * LINE_END.length;
        return allocator
                .directBuffer(length)
                .writeBytes(whole)
                .writeBytes(DATE)
                .writeBytes(date)
                .writeBytes(LINE_END)
                .writeBytes(connection)
                .writeBytes(LINE_END);
    }

    /** Whether the file has been found without one of this coding beside it, and not too long ago. */
    boolean lacks(ContentCoding absent) {
        Long until = absentUntil.get(absent);
        return until != null && until - System.nanoTime() > 0;
    }

    /** There is none of this coding beside the file; that counts for so long. */
    void setLacks(ContentCoding absent, long ns) {
        absentUntil.put(absent, System.nanoTime() + ns);
    }
}
