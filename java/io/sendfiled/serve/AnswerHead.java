package io.sendfiled.serve;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpResponseStatus;

/**
 * The head of an answer, as it is sent: a status line and headers. Every answer of this server knows its length, so nothing stands
 * between a head and the transport. One thread.
 */
final class AnswerHead {
    static final String LINE_END = "\r\n";

    private final StringBuilder text = new StringBuilder(512);
    private final HttpResponseStatus status;

    AnswerHead(HttpResponseStatus status) {
        this.status = status;
        text.append("HTTP/1.1 ").append(status).append(LINE_END);
    }

    HttpResponseStatus status() {
        return status;
    }

    /**
     * Adds a header.
     *
     * @throws IllegalArgumentException if the value is not of printable ASCII: it would be more than a header
     */
    AnswerHead add(CharSequence name, CharSequence value) {
        text.append(name).append(": ");
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c < ' ' || c >= 127) {
                throw new IllegalArgumentException("a header's value with the character " + (int) c);
            }
            text.append(c);
        }
        text.append(LINE_END);
        return this;
    }

    AnswerHead add(CharSequence name, long value) {
        text.append(name).append(": ").append(value).append(LINE_END);
        return this;
    }

    /** What there is of it, without the line that ends a head, to be sent more than once. */
    byte[] bytes() {
        byte[] bytes = new byte[text.length()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) text.charAt(i); // all of it is ASCII
        }
        return bytes;
    }

    /** All of it, with the date and the end; the caller's to write. */
    ByteBuf end(ByteBufAllocator allocator) {
        add(HttpHeaderNames.DATE, HttpDates.now());
        text.append(LINE_END);
        return ByteBufUtil.writeAscii(allocator, text);
    }
}
