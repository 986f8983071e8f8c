package io.sendfiled.examples;

import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a client asks for. RFC 9110 is the meaning, RFC 9112 the syntax. Pure.
 *
 * @param refusal 0, or the status to answer with: then path and range say nothing
 * @param head whether only the header is wanted
 * @param keepAlive whether the connection stays open for the next request
 * @param path decoded, a character for each byte (ISO 8859-1): file names are bytes
 */
record HttpRequest(
        int refusal,
        boolean head,
        boolean keepAlive,
        String path,
        @Nullable Range range) {
    /** A range as it was asked for, which may be outside of the file: from first to last, or the last so many bytes. */
    record Range(boolean suffix, long first, long last) {}

    private static final Set<String> METHODS =
            Set.of("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT");
    private static final Pattern BYTES = Pattern.compile("(?i)bytes=(\\d*)-(\\d*)");
    private static final int LONG_DIGITS = 18; // as many fit into a long in any case

    private static final class Refusal extends Exception {
        private static final long serialVersionUID = 1L;

        final int status;

        Refusal(int status) {
            super(null, null, false, false); // clients cause these: they should be cheap
            this.status = status;
        }
    }

    /** What the fields say that matters here. */
    private static final class Fields {
        int hosts;
        boolean close;
        boolean keepAlive;
        boolean ifRange;

        @Nullable
        Range range;
    }

    /** None yet. */
    static final HttpRequest NONE = refused(400, false);

    static HttpRequest refused(int status, boolean head) {
        return new HttpRequest(status, head, false, "", null); // nobody knows where the next request begins
    }

    /** How many of the bytes before the position are a request's head, with the empty line at its end; 0: not whole yet. */
    static int headLength(ByteBuffer bytes) {
        int begin = 0;
        while (begin + 1 < bytes.position() && bytes.get(begin) == '\r' && bytes.get(begin + 1) == '\n') {
            begin += 2; // RFC 9112, 2.2: empty lines before a request are ignored
        }
        for (int i = begin; i + 3 < bytes.position(); i++) {
            if (bytes.get(i) == '\r'
                    && bytes.get(i + 1) == '\n'
                    && bytes.get(i + 2) == '\r'
                    && bytes.get(i + 3) == '\n') {
                return i + 4;
            }
        }
        return 0;
    }

    /** Parses a whole head, a character for each byte. */
    static HttpRequest parse(String text) {
        String[] lines = text.replaceFirst("^(\r\n)+", "").split("\r\n");
        boolean head = lines[0].startsWith("HEAD ");
        try {
            return parse(lines, head);
        } catch (Refusal refusal) {
            return refused(refusal.status, head);
        }
    }

    private static HttpRequest parse(String[] lines, boolean head) throws Refusal {
        String[] words = lines[0].split(" ", 3); // "GET /path HTTP/1.1"
        if (words.length < 3 || !words[2].startsWith("HTTP/")) {
            throw new Refusal(400);
        }
        boolean version11 = words[2].equals("HTTP/1.1");
        if (!version11 && !words[2].equals("HTTP/1.0")) {
            throw new Refusal(505);
        }
        if (!head && !words[0].equals("GET")) {
            throw new Refusal(METHODS.contains(words[0]) ? 405 : 501);
        }
        String path = decode(words[1]);
        Fields fields = new Fields();
        for (int i = 1; i < lines.length; i++) {
            parseField(lines[i], fields);
        }
        if (version11 && fields.hosts != 1) {
            throw new Refusal(400);
        }
        // Whether what was asked for before is still the same is not known here: then the whole file is right.
        Range range = fields.ifRange || head ? null : fields.range;
        return new HttpRequest(0, head, !fields.close && (version11 || fields.keepAlive), path, range);
    }

    /** The path of a target, without its query, and %XX decoded. */
    private static String decode(String target) throws Refusal {
        int begin = 0;
        if (target.regionMatches(true, 0, "http://", 0, 7)) { // as to a proxy: servers have to take it, too
            begin = Math.max(7, target.indexOf('/', 7));
        }
        if (!target.startsWith("/", begin)) {
            throw new Refusal(400);
        }
        int query = target.indexOf('?', begin);
        int end = query < 0 ? target.length() : query;
        StringBuilder path = new StringBuilder();
        for (int i = begin; i < end; i++) {
            char c = target.charAt(i);
            if (c == '%') {
                int high = i + 2 < end ? Character.digit(target.charAt(i + 1), 16) : -1;
                int low = i + 2 < end ? Character.digit(target.charAt(i + 2), 16) : -1;
                if (high < 0 || low < 0) {
                    throw new Refusal(400);
                }
                c = (char) (high << 4 | low);
                i += 2;
            }
            if (c == 0) { // no file has it in its name
                throw new Refusal(400);
            }
            path.append(c);
        }
        return path.toString();
    }

    /** "Name: value". A blank before the colon, or at the line's beginning, is how requests are smuggled past a proxy. */
    private static void parseField(String line, Fields fields) throws Refusal {
        int colon = line.indexOf(':');
        boolean blank = line.lastIndexOf(' ', colon) >= 0 || line.lastIndexOf('\t', colon) >= 0;
        if (colon < 1 || blank || line.chars().anyMatch(c -> c < ' ' && c != '\t')) {
            throw new Refusal(400);
        }
        String value = line.substring(colon + 1).strip();
        switch (line.substring(0, colon).toLowerCase(Locale.ROOT)) {
            case "host" -> fields.hosts++;
            case "connection" -> {
                for (String option : value.split("[, \t]+")) {
                    fields.close |= option.equalsIgnoreCase("close");
                    fields.keepAlive |= option.equalsIgnoreCase("keep-alive");
                }
            }
            case "range" -> fields.range = parseRange(value);
            case "if-range" -> fields.ifRange = true;
            case "transfer-encoding" -> throw new Refusal(413); // nobody here reads a body
            case "content-length" -> {
                if (!value.equals("0")) {
                    throw new Refusal(413);
                }
            }
            default -> {}
        }
    }

    /** "bytes=a-b", "bytes=a-" or "bytes=-n". Anything else, also several ranges, is ignored: RFC 9110, 14.2 allows it. */
    private static @Nullable Range parseRange(String value) {
        Matcher bytes = BYTES.matcher(value);
        if (!bytes.matches() || value.endsWith("=-")) {
            return null;
        }
        boolean suffix = bytes.group(1).isEmpty();
        long first = suffix ? 0 : number(bytes.group(1));
        long last = bytes.group(2).isEmpty() ? Long.MAX_VALUE : number(bytes.group(2));
        return first <= last ? new Range(suffix, first, last) : null;
    }

    private static long number(String digits) {
        return digits.length() > LONG_DIGITS ? Long.MAX_VALUE : Long.parseLong(digits);
    }
}
