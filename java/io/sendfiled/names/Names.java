package io.sendfiled.names;

import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * The three forms of a file's name, and the ways between them that lose nothing: the <em>bytes</em> that the kernel
 * knows, the <em>text</em> that options and messages are made of, and the {@link Path} that the JDK opens, renames and
 * removes.
 *
 * <p>Text is UTF-8 in every locale. A byte that is not part of UTF-8 is the unpaired surrogate U+DC80 to U+DCFF, as in
 * Python (PEP 383): so each sequence of bytes has one text, and gets back from it.
 *
 * <p>A {@code Path} of the JDK holds bytes as well, but makes them of text in the encoding of the locale, and so loses
 * what that has no character for. The one way around is its URI, which has the bytes themselves ({@code %FF}).
 *
 * <p>Stateless, any thread. Only a path that is not ASCII touches the disk: the JDK looks whether it is a directory.
 */
public final class Names {
    private static final int BYTE = 0xff;
    private static final int HALF = 0x80;

    /** Added to a byte that is not UTF-8. */
    private static final int ESCAPE = 0xdc00;

    private static final Path ROOT = Path.of("/");
    private static final String HEX = "0123456789ABCDEF";

    private Names() {}

    /** The text of a name. */
    public static String text(byte[] name) {
        ByteBuffer in = ByteBuffer.wrap(name);
        CharBuffer out = CharBuffer.allocate(name.length); // no byte gives more than one
        var decoder = StandardCharsets.UTF_8.newDecoder(); // reports what it cannot decode
        while (true) {
            CoderResult result = decoder.decode(in, out, true);
            if (result.isUnderflow()) {
                return out.flip().toString();
            }
            for (int i = 0; i < result.length(); i++) {
                out.put((char) (ESCAPE + (in.get() & BYTE)));
            }
        }
    }

    /**
     * The bytes of a name.
     *
     * @throws InvalidPathException if the text has an unpaired surrogate that stands for no byte
     */
    public static byte[] bytes(String text) {
        if (isAscii(text)) { // for each file that is opened: an encoder would cost more than the open
            return text.getBytes(StandardCharsets.US_ASCII);
        }
        var encoder = StandardCharsets.UTF_8.newEncoder();
        CharBuffer in = CharBuffer.wrap(text);
        ByteBuffer out = ByteBuffer.allocate(text.length() * 3);
        while (true) {
            CoderResult result = encoder.encode(in, out, true);
            if (result.isUnderflow()) {
                return Arrays.copyOf(out.array(), out.position());
            }
            int escaped = in.get() - ESCAPE;
            if (escaped < HALF || escaped > BYTE) {
                throw new InvalidPathException(text, "an unpaired surrogate", in.position() - 1);
            }
            out.put((byte) escaped);
        }
    }

    /**
     * The bytes of a path, relative if it is.
     *
     * @throws InvalidPathException if it is of another file system than the kernel's, such as one inside a zip file
     */
    public static byte[] bytes(Path path) {
        String text = path.toString();
        if (path.getFileSystem() != FileSystems.getDefault()) {
            throw new InvalidPathException(text, "not a path of the default file system");
        }
        if (isAscii(text)) { // other bytes show as U+FFFD, if as nothing better
            return text.getBytes(StandardCharsets.US_ASCII);
        }
        String escaped = ROOT.resolve(path).toUri().getRawPath(); // ends with a slash if it is a directory
        ByteArrayOutputStream out = new ByteArrayOutputStream(escaped.length());
        int begin = path.isAbsolute() ? 0 : 1;
        int end = escaped.length() > 1 && escaped.endsWith("/") ? escaped.length() - 1 : escaped.length();
        for (int i = begin; i < end; i++) {
            if (escaped.charAt(i) == '%') {
                out.write(Integer.parseInt(escaped, i + 1, i + 3, 16));
                i += 2;
            } else {
                out.write(escaped.charAt(i));
            }
        }
        return out.toByteArray();
    }

    /**
     * The path of a name, in which all methods of {@code java.nio.file} use these very bytes. A relative name gives an
     * absolute path where the JVM does not know the {@linkplain Invocation#workingDirectory working directory} itself.
     *
     * @throws InvalidPathException if it is empty, or has a NUL
     */
    public static Path path(byte[] name) {
        if (name.length == 0) {
            throw new InvalidPathException("", "an empty name");
        }
        if (name[0] == '/') {
            return absolute(name);
        }
        return Invocation.isInWorkingDirectory() ? relative(name) : inWorkingDirectory(name);
    }

    /** The path of a name; as {@link #path(byte[])} of its {@link #bytes(String)}. */
    public static Path path(String text) {
        return path(bytes(text));
    }

    /**
     * The same path, absolute; the empty one is the working directory.
     *
     * @throws InvalidPathException if it is of another file system than the kernel's
     */
    public static Path absolute(Path path) {
        byte[] name = bytes(path);
        if (name.length == 0) {
            return absolute(Invocation.workingDirectory());
        }
        return path.isAbsolute() ? path : inWorkingDirectory(name);
    }

    /** The path of an entry of a directory. */
    public static Path resolve(Path directory, String entry) {
        return directory.resolve(relative(bytes(entry)));
    }

    private static Path relative(byte[] name) {
        Path absolute = absolute(joined(new byte[0], name));
        return absolute.subpath(0, absolute.getNameCount());
    }

    private static Path inWorkingDirectory(byte[] name) {
        return absolute(joined(Invocation.workingDirectory(), name));
    }

    private static byte[] joined(byte[] directory, byte[] name) {
        ByteBuffer all = ByteBuffer.allocate(directory.length + 1 + name.length);
        return all.put(directory).put((byte) '/').put(name).array();
    }

    private static Path absolute(byte[] name) {
        StringBuilder escaped = new StringBuilder(name.length * 3 + 8).append("file://");
        for (int i = 0; i < name.length; i++) {
            int b = name[i] & BYTE;
            if (b == 0) {
                throw new InvalidPathException(text(name), "a NUL", i);
            }
            if (b == '/') {
                escaped.append('/');
            } else {
                escaped.append('%').append(HEX.charAt(b >> 4)).append(HEX.charAt(b & 15));
            }
        }
        return Path.of(URI.create(escaped.toString()));
    }

    /**
     * A name for a message, in which nothing controls the terminal, nor the order in which text is shown; a byte that is not UTF-8 is
     * shown as {@code \xFF}.
     */
    public static String printable(String text) {
        StringBuilder safe = new StringBuilder(text.length());
        int c;
        for (int i = 0; i < text.length(); i += Character.charCount(c)) {
            c = text.codePointAt(i);
            if (c >= ESCAPE + HALF && c <= ESCAPE + BYTE) {
                safe.append("\\x").append(HEX.charAt(c >> 4 & 15)).append(HEX.charAt(c & 15));
            } else {
                boolean isShown =
                        !Character.isISOControl(c) && Character.getType(c) != Character.SURROGATE && !reorders(c);
                safe.appendCodePoint(isShown ? c : '?');
            }
        }
        return safe.toString();
    }

    /** Text with bytes that are not UTF-8, for JSON: as the escapes of their surrogates, such as {@code \\udcff}. */
    public static String escaped(String json) {
        StringBuilder safe = new StringBuilder(json.length());
        int c;
        for (int i = 0; i < json.length(); i += Character.charCount(c)) {
            c = json.codePointAt(i);
            if (Character.getType(c) == Character.SURROGATE) {
                safe.append("\\u").append(Integer.toHexString(c));
            } else {
                safe.appendCodePoint(c);
            }
        }
        return safe.toString();
    }

    /** Whether text behind it is shown from the other end: by such a character, {@code txt.exe} is shown as {@code exe.txt}. */
    private static boolean reorders(int c) {
        return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    }

    /** A path for a message. */
    public static String printable(Path path) {
        return printable(text(bytes(path)));
    }

    /** Whether all encodings of the JDK's have the same bytes for it. */
    static boolean isAscii(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) >= HALF) {
                return false;
            }
        }
        return true;
    }
}
