package io.sendfiled.serve;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpRequest;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A line of the access log in the combined log format, in ASCII. Pure. */
final class AnswerLine {
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("dd/MMM/yyyy:HH:mm:ss Z", Locale.ROOT).withZone(ZoneOffset.UTC);
    private static final String HEX = "0123456789abcdef";

    private AnswerLine() {}

    /**
     * The line, without its end.
     *
     * @param bytes of the body that were sent
     */
    static String of(
            @Nullable SocketAddress client, @Nullable Instant received, HttpRequest request, int status, long bytes) {
        StringBuilder line = new StringBuilder(192);
        line.append(
                client instanceof InetSocketAddress address
                        ? address.getAddress().getHostAddress()
                        : "-");
        line.append(" - - [")
                .append(TIME.format(received == null ? Instant.now() : received))
                .append("] ");
        if (request.decoderResult().isFailure()) {
            line.append("\"-\"");
        } else {
            quote(line, request.method() + " " + request.uri() + " " + request.protocolVersion());
        }
        line.append(' ').append(status).append(' ').append(bytes).append(' ');
        quote(line, request.headers().get(HttpHeaderNames.REFERER));
        quote(line.append(' '), request.headers().get(HttpHeaderNames.USER_AGENT));
        return line.toString();
    }

    private static void quote(StringBuilder line, @Nullable String text) {
        line.append('"');
        for (char c : (text == null ? "-" : text).toCharArray()) {
            if (c < ' ' || c >= 127 || c == '"' || c == '\\') {
                line.append("\\x").append(HEX.charAt(c >> 4 & 15)).append(HEX.charAt(c & 15));
            } else {
                line.append(c);
            }
        }
        line.append('"');
    }
}
