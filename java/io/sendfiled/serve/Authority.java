package io.sendfiled.serve;

/** Where a request says that it goes, by Host or in its target: RFC 3986, section 3.2, without the name of a user. Pure. */
final class Authority {
    /** What a name may have besides letters, digits and escapes; no comma, by which proxies join what was there twice. */
    private static final String IN_NAME = "-._~!$&'()*+;=";

    private Authority() {}

    /** Whether it is a host, which may be empty, and a port or none. */
    static boolean isValid(String text) {
        int end = text.startsWith("[") ? endOfAddress(text) : endOfName(text);
        if (end < text.length() && text.charAt(end) == ':') {
            do {
                end++;
            } while (end < text.length() && isDigit(text.charAt(end)));
        }
        return end == text.length();
    }

    /** Behind the bracket that closes it; 0: there is none. */
    private static int endOfAddress(String text) {
        int end = 1;
        while (end < text.length() && (isHex(text.charAt(end)) || ":.".indexOf(text.charAt(end)) >= 0)) {
            end++;
        }
        return end > 1 && end < text.length() && text.charAt(end) == ']' ? end + 1 : 0;
    }

    private static int endOfName(String text) {
        int end = 0;
        while (end < text.length()) {
            char c = text.charAt(end);
            if (c == '%' && end + 2 < text.length() && isHex(text.charAt(end + 1)) && isHex(text.charAt(end + 2))) {
                end += 3;
            } else if (isDigit(c) || isLetter(c) || IN_NAME.indexOf(c) >= 0) {
                end++;
            } else {
                break;
            }
        }
        return end;
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private static boolean isLetter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    private static boolean isHex(char c) {
        return c < 128 && Character.digit(c, 16) >= 0;
    }
}
