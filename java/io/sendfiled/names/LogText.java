package io.sendfiled.names;

import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * Names and values in a line of a log, so that nothing in them ends the line, its field or a terminal's good order, and
 * each can be read back.
 *
 * <p>Stateless, any thread.
 */
public final class LogText {
    private static final char QUOTE = '"';
    private static final char BACKSLASH = '\\';
    private static final int FIRST_PRINTABLE = 0x20;
    private static final int DELETE = 0x7f;
    private static final String HEX = "0123456789ABCDEF";

    private LogText() {}

    /**
     * Appends a name in quotes. A quote, a backslash, a byte that is not UTF-8, and each byte of what has no shape of its
     * own (controls, separators of lines, what changes the direction of text) is {@code \xFF}.
     */
    public static void quote(StringBuilder out, byte[] name) {
        out.append(QUOTE);
        if (isPlain(name)) {
            for (byte b : name) {
                out.append((char) b);
            }
        } else {
            escape(out, Names.text(name));
        }
        out.append(QUOTE);
    }

    private static boolean isPlain(byte[] name) {
        for (byte b : name) { // what is not ASCII is negative
            if (b < FIRST_PRINTABLE || b == QUOTE || b == BACKSLASH || b == DELETE) {
                return false;
            }
        }
        return true;
    }

    private static void escape(StringBuilder out, String text) {
        int c;
        for (int i = 0; i < text.length(); i += Character.charCount(c)) {
            c = text.codePointAt(i);
            if (c != QUOTE && c != BACKSLASH && hasShape(c)) {
                out.appendCodePoint(c);
            } else if (Character.getType(c) == Character.SURROGATE) {
                hex(out, c);
            } else {
                for (byte b : Character.toString(c).getBytes(StandardCharsets.UTF_8)) {
                    hex(out, b);
                }
            }
        }
    }

    private static boolean hasShape(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED -> false;
            default -> true;
        };
    }

    private static void hex(StringBuilder out, int b) {
        out.append("\\x").append(HEX.charAt(b >> 4 & 15)).append(HEX.charAt(b & 15));
    }

    /** Appends a member of a JSON object, behind the others: a number, a boolean, or else its text. */
    public static void member(StringBuilder out, String key, Object value) {
        if (out.charAt(out.length() - 1) != '{') {
            out.append(',');
        }
        string(out, key);
        out.append(':');
        if (value instanceof Number || value instanceof Boolean) {
            out.append(value);
        } else {
            string(out, value.toString());
        }
    }

    /** Appends members as {@link #member} does. */
    public static void members(StringBuilder out, Map<String, ?> fields) {
        fields.forEach((key, value) -> member(out, key, value));
    }

    /** Appends a string of JSON; a byte that is not UTF-8 is the escape of its surrogate, as {@code \\udcff}. */
    private static void string(StringBuilder out, String text) {
        out.append(QUOTE);
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == QUOTE || c == BACKSLASH) {
                out.append(BACKSLASH).append(c);
            } else if (c < DELETE && c >= FIRST_PRINTABLE) {
                out.append(c);
            } else if (Character.isSurrogate(c) ? !isOfPair(text, i) : !hasShape(c)) {
                out.append("\\u");
                for (int shift = 12; shift >= 0; shift -= 4) {
                    out.append(Character.toLowerCase(HEX.charAt(c >> shift & 15)));
                }
            } else {
                out.append(c);
            }
        }
        out.append(QUOTE);
    }

    private static boolean isOfPair(String text, int i) {
        char c = text.charAt(i);
        return Character.isHighSurrogate(c)
                ? i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))
                : i > 0 && Character.isHighSurrogate(text.charAt(i - 1));
    }
}
