package io.sendfiled.serve;

import io.sendfiled.names.Names;
import java.io.ByteArrayOutputStream;
import org.jspecify.annotations.Nullable;

/** The percent-encoding of RFC 3986, between its text and the bytes of a name, which need not be UTF-8. Pure. */
final class PercentCoding {
    private static final String HEX = "0123456789ABCDEF";
    private static final String UNRESERVED = "-._~";

    private PercentCoding() {}

    /** The {@linkplain Names#text text} of the name; null if it is not well-formed, or has a NUL, which no name has. */
    static @Nullable String decode(String encoded) {
        if (encoded.indexOf('%') < 0) {
            return encoded;
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(encoded.length());
        for (int i = 0; i < encoded.length(); i++) {
            char c = encoded.charAt(i);
            if (c != '%') {
                bytes.write(c);
                continue;
            }
            boolean isWhole = i + 2 < encoded.length();
            int high = isWhole ? digit(encoded.charAt(i + 1)) : -1;
            int low = isWhole ? digit(encoded.charAt(i + 2)) : -1;
            if (high < 0 || low < 0 || high + low == 0) {
                return null;
            }
            bytes.write(high << 4 | low);
            i += 2;
        }
        return Names.text(bytes.toByteArray());
    }

    /** Of ASCII only: {@link Character#digit} knows those of all scripts. */
    private static int digit(char c) {
        return c < 128 ? Character.digit(c, 16) : -1;
    }

    /** A name as a part of a URL: all but letters, digits and {@code -._~/} is escaped. */
    static String encode(byte[] name) {
        StringBuilder encoded = new StringBuilder(name.length + 16);
        for (byte b : name) {
            int c = b & 0xff;
            if (c < 128 && (Character.isLetterOrDigit(c) || UNRESERVED.indexOf(c) >= 0 || c == '/')) {
                encoded.append((char) c);
            } else {
                encoded.append('%').append(HEX.charAt(c >> 4)).append(HEX.charAt(c & 15));
            }
        }
        return encoded.toString();
    }

    /** The same of a path or a name that is given as text. */
    static String encode(String name) {
        return encode(Names.bytes(name));
    }
}
