package io.sendfiled.serve;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What a request is about: RFC 9112, section 3.2, in origin-form or absolute-form.
 *
 * @param path begins with a slash; text as {@link io.sendfiled.names.Names#text} has it
 * @param query with its question mark, as it came; empty if there is none
 */
record RequestTarget(String path, String query) {
    /** Null: it is malformed. */
    static @Nullable RequestTarget parse(String target) {
        for (int i = 0; i < target.length(); i++) {
            char c = target.charAt(i);
            if (c <= ' ' || c >= 127 || c == '#') {
                return null;
            }
        }
        String origin = target.startsWith("/") ? target : withoutAuthority(target);
        if (origin == null) {
            return null;
        }
        int mark = origin.indexOf('?');
        String path = PercentCoding.decode(mark < 0 ? origin : origin.substring(0, mark));
        return path == null ? null : new RequestTarget(path, mark < 0 ? "" : origin.substring(mark));
    }

    private static @Nullable String withoutAuthority(String absolute) {
        String lower = absolute.toLowerCase(Locale.ROOT);
        int begin = lower.startsWith("http://") ? 7 : lower.startsWith("https://") ? 8 : -1;
        if (begin < 0) {
            return null;
        }
        int end = begin;
        while (end < absolute.length() && absolute.charAt(end) != '/' && absolute.charAt(end) != '?') {
            end++;
        }
        if (end == begin || absolute.charAt(begin) == ':' || !Authority.isValid(absolute.substring(begin, end))) {
            return null;
        }
        String rest = absolute.substring(end);
        return rest.startsWith("/") ? rest : "/" + rest;
    }

    boolean isDirectory() {
        return path.endsWith("/");
    }

    /** Where the directory of this name is: no other host, whatever the path begins with. */
    String directoryLocation() {
        int begin = 0;
        while (begin < path.length() && path.charAt(begin) == '/') {
            begin++;
        }
        return "/" + PercentCoding.encode(path.substring(begin)) + "/" + query;
    }
}
