package io.sendfiled.examples;

import io.sendfiled.client.FileInfo;
import io.sendfiled.client.TransferException;
import io.sendfiled.sys.Errno;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Map;

/**
 * What to answer. Pure but for the clock.
 *
 * @param status of HTTP
 * @param first the part of the file that is the body
 * @param length bytes of it
 * @param size of the whole file
 */
record HttpResponse(int status, long first, long length, long size, Instant modified) {
    private static final Map<Integer, String> REASONS = Map.ofEntries(
            Map.entry(200, "OK"),
            Map.entry(206, "Partial Content"),
            Map.entry(400, "Bad Request"),
            Map.entry(403, "Forbidden"),
            Map.entry(404, "Not Found"),
            Map.entry(405, "Method Not Allowed"),
            Map.entry(413, "Content Too Large"),
            Map.entry(414, "URI Too Long"),
            Map.entry(416, "Range Not Satisfiable"),
            Map.entry(431, "Request Header Fields Too Large"),
            Map.entry(501, "Not Implemented"),
            Map.entry(503, "Service Unavailable"),
            Map.entry(504, "Gateway Timeout"),
            Map.entry(505, "HTTP Version Not Supported"));

    private static final Map<String, String> TYPES = Map.ofEntries(
            Map.entry("css", "text/css"),
            Map.entry("html", "text/html"),
            Map.entry("jpg", "image/jpeg"),
            Map.entry("js", "text/javascript"),
            Map.entry("json", "application/json"),
            Map.entry("mp4", "video/mp4"),
            Map.entry("pdf", "application/pdf"),
            Map.entry("png", "image/png"),
            Map.entry("svg", "image/svg+xml"),
            Map.entry("txt", "text/plain"),
            Map.entry("webp", "image/webp"));

    private static final DateTimeFormatter DATE = DateTimeFormatter.ofPattern(
                    "EEE, dd MMM yyyy HH:mm:ss 'GMT'", Locale.ROOT)
            .withZone(ZoneOffset.UTC);

    /** Not decided yet. */
    static final HttpResponse NONE = of(0);

    /** An error. */
    static HttpResponse of(int status) {
        return new HttpResponse(status, 0, 0, 0, Instant.EPOCH);
    }

    /** For a file that is there: 200, 206 or 416, and which part of it. */
    static HttpResponse of(HttpRequest request, FileInfo info) {
        HttpRequest.Range range = request.range();
        long size = info.size();
        if (range == null) {
            return new HttpResponse(200, 0, size, size, info.modified());
        }
        long first = range.first();
        long end = range.last() < size ? range.last() + 1 : size;
        if (range.suffix()) {
            first = range.last() < size ? size - range.last() : 0;
            end = range.last() == 0 ? 0 : size;
        }
        return first < end
                ? new HttpResponse(206, first, end - first, size, info.modified())
                : new HttpResponse(416, 0, 0, size, info.modified());
    }

    /** The status for a request that the daemon, or the client, has refused. */
    static int statusOf(Throwable failure) {
        if (!(failure instanceof TransferException refusal)) {
            return 500;
        }
        return switch (refusal.errno()) {
            // EINVAL: it is there, but not a regular file
            case Errno.ENOENT, Errno.ENOTDIR, Errno.EINVAL, Errno.ELOOP -> 404;
            case Errno.EACCES, Errno.EPERM -> 403;
            case Errno.ENAMETOOLONG -> 414;
            // Too many transfers, of the daemon's or of this process; or descriptors; or requests.
            case Errno.EMFILE, Errno.ENFILE, Errno.EDQUOT, Errno.ENOMEM, Errno.ENOBUFS -> 503;
            // Locked by somebody; it has become shorter since its size was told; there is no daemon.
            case Errno.EAGAIN, Errno.ERANGE, Errno.ECONNREFUSED, Errno.ENOTCONN, Errno.ECONNABORTED -> 503;
            case Errno.ETIMEDOUT -> 504;
            default -> 500;
        };
    }

    boolean isDecided() {
        return status != 0;
    }

    private boolean isOk() {
        return status < 300;
    }

    /** Whether bytes of the file follow the header. */
    boolean hasBody(HttpRequest request) {
        return isOk() && length > 0 && !request.head();
    }

    /** The header, and the body of an error behind it. Nothing that a client has sent gets into it. */
    byte[] header(HttpRequest request) {
        String reason = REASONS.getOrDefault(status, "Internal Server Error");
        String message = isOk() ? "" : status + " " + reason + "\n";
        StringBuilder text = new StringBuilder("HTTP/1.1 " + status + " " + reason + "\r\n");
        addField(text, "Date", DATE.format(Instant.now()));
        if (isOk()) {
            addField(text, "Accept-Ranges", "bytes");
            addField(text, "Last-Modified", DATE.format(modified));
        }
        switch (status) {
            case 206 -> addField(text, "Content-Range", "bytes " + first + "-" + (first + length - 1) + "/" + size);
            case 405 -> addField(text, "Allow", "GET, HEAD");
            case 416 -> addField(text, "Content-Range", "bytes */" + size);
            case 503 -> addField(text, "Retry-After", "1");
            default -> {}
        }
        addField(text, "Connection", request.keepAlive() ? "keep-alive" : "close");
        addField(text, "Content-Type", isOk() ? typeOf(request.path()) : "text/plain");
        addField(text, "Content-Length", Long.toString(isOk() ? length : message.length()));
        text.append("\r\n").append(request.head() ? "" : message);
        return text.toString().getBytes(StandardCharsets.ISO_8859_1);
    }

    private static void addField(StringBuilder text, String name, String value) {
        text.append(name).append(": ").append(value).append("\r\n");
    }

    private static String typeOf(String path) {
        int dot = path.lastIndexOf('.');
        String ending = dot > path.lastIndexOf('/') ? path.substring(dot + 1) : "";
        return TYPES.getOrDefault(ending.toLowerCase(Locale.ROOT), "application/octet-stream");
    }
}
