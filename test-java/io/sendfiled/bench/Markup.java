package io.sendfiled.bench;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Writes HTML, and SVG in it, that is well-formed XML as well: each element is closed, and all text and all values of attributes
 * are escaped. Not thread-safe.
 */
final class Markup {
    private final StringBuilder out = new StringBuilder();
    private final Deque<String> open = new ArrayDeque<>();

    /** Begins an element; attributes are names and values in turn. */
    Markup open(String tag, Object... attributes) {
        begin(tag, attributes);
        out.append('>');
        open.push(tag);
        return this;
    }

    /** Ends the innermost element. */
    Markup close() {
        out.append("</").append(open.pop()).append(">\n");
        return this;
    }

    /** An element that has text alone. */
    Markup element(String tag, String text, Object... attributes) {
        return open(tag, attributes).text(text).close();
    }

    /** An element without content: of HTML only those that never have any. */
    Markup empty(String tag, Object... attributes) {
        begin(tag, attributes);
        out.append("/>\n");
        return this;
    }

    private void begin(String tag, Object... attributes) {
        out.append('<').append(tag);
        for (int i = 0; i < attributes.length; i += 2) {
            out.append(' ').append(attributes[i]).append("=\"");
            escape(attributes[i + 1].toString());
            out.append('"');
        }
    }

    Markup text(String text) {
        escape(text);
        return this;
    }

    /** What another has written whole. */
    Markup add(Markup other) {
        out.append(other);
        return this;
    }

    private void escape(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '&' -> out.append("&amp;");
                case '<' -> out.append("&lt;");
                case '>' -> out.append("&gt;");
                case '"' -> out.append("&quot;");
                default -> out.append(c < ' ' && c != '\n' ? '\ufffd' : c);
            }
        }
    }

    @Override
    public String toString() {
        if (!open.isEmpty()) {
            throw new IllegalStateException(open.peek() + " is not closed");
        }
        return out.toString();
    }
}
