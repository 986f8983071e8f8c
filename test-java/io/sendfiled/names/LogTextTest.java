package io.sendfiled.names;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonParser;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Names in lines of a log: hostile ones stay in their field, and all can be read back. */
final class LogTextTest {
    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '|',
            delimiter = ' ',
            value = {
                "a/b.txt \"a/b.txt\"",
                "a%20b \"a%20b\"",
                "grüße/日本 \"grüße/日本\"",
                "😀 \"😀\"",
            })
    void shouldShowWhatHasAShapeAsItIs(String name, String shown) {
        assertEquals(shown, quoted(name.getBytes(UTF_8)));
    }

    @Test
    void shouldEscapeWhatCouldBeTakenForSomethingElse() {
        assertEquals("\"a\\x0A<4>b\\x0D\\x1B[2J\"", quoted("a\n<4>b\r\u001b[2J".getBytes(UTF_8)));
        assertEquals("\"\\x22 0/0 ok \\x5Cx22\"", quoted("\" 0/0 ok \\x22".getBytes(UTF_8)));
        assertEquals("\"a\\x22b\"", quoted("a\"b".getBytes(UTF_8)));
        assertEquals("\"a\\x5Cb\"", quoted("a\\b".getBytes(UTF_8)));
        assertEquals("\"a\\xFF\\xFEb\"", quoted("a\u00ff\u00feb".getBytes(ISO_8859_1)));
        assertEquals(
                "\"\\xE2\\x80\\xAE\\xE2\\x80\\xA8\\x7F\\xC2\\x85\"",
                quoted("\u202e\u2028\u007f\u0085".getBytes(UTF_8)));
        assertEquals("\"\\xED\\xA0\\xBD\"", quoted(new byte[] {(byte) 0xed, (byte) 0xa0, (byte) 0xbd}));
    }

    @Test
    void shouldGiveBackEveryNameThatItHasShown() {
        Random random = new Random(17);
        for (int i = 0; i < 20_000; i++) {
            byte[] name = new byte[random.nextInt(12)];
            random.nextBytes(name);
            String shown = quoted(name);
            assertEquals(1, shown.lines().count(), shown);
            assertEquals(new String(name, ISO_8859_1), unquoted(shown), shown);
            StringBuilder json = new StringBuilder("{");
            LogText.member(json, "path", Names.text(name));
            String line = new String(json.append('}').toString().getBytes(UTF_8), UTF_8); // as in a file
            assertEquals(1, line.lines().count(), line);
            String read =
                    JsonParser.parseString(line).getAsJsonObject().get("path").getAsString();
            assertEquals(new String(name, ISO_8859_1), new String(Names.bytes(read), ISO_8859_1), line);
        }
    }

    private static String quoted(byte[] name) {
        StringBuilder out = new StringBuilder();
        LogText.quote(out, name);
        return out.toString();
    }

    /** Each byte as one character. */
    private static String unquoted(String shown) {
        byte[] bytes = shown.substring(1, shown.length() - 1).getBytes(UTF_8);
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < bytes.length; i++) {
            if (bytes[i] == '\\') {
                out.append((char) Integer.parseInt(new String(bytes, i + 2, 2, ISO_8859_1), 16));
                i += 3;
            } else {
                out.append((char) (bytes[i] & 0xff));
            }
        }
        return out.toString();
    }
}
