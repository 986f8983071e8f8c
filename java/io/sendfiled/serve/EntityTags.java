package io.sendfiled.serve;

import java.util.List;

/** Lists of entity tags, as If-Match and If-None-Match have them: RFC 9110, section 8.8.3. Pure. */
final class EntityTags {
    private static final String WEAK = "W/";

    private EntityTags() {}

    /**
     * Whether a list has a tag, or is {@code *}.
     *
     * @param lines the values of the header's lines
     * @param strong the tag, a strong one
     * @param weakly whether a weak tag of the same text is one, too
     */
    static boolean match(List<String> lines, String strong, boolean weakly) {
        for (String line : lines) {
            if (line.strip().equals("*") || has(line, strong, weakly)) {
                return true;
            }
        }
        return false;
    }

    private static boolean has(String line, String strong, boolean weakly) {
        int at = 0;
        while (at < line.length()) {
            boolean isWeak = line.startsWith(WEAK, at);
            int begin = isWeak ? at + WEAK.length() : at;
            if (begin >= line.length() || line.charAt(begin) != '"') {
                at++; // a comma, a blank, or what no tag begins with
                continue;
            }
            int end = line.indexOf('"', begin + 1);
            if (end < 0) {
                return false;
            }
            if ((weakly || !isWeak) && line.substring(begin, end + 1).equals(strong)) {
                return true;
            }
            at = end + 1;
        }
        return false;
    }
}
