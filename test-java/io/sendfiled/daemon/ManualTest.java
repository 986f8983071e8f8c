package io.sendfiled.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.config.Setting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/**
 * The manual page's options are the table's. To write them anew after a change of the table, run this test with
 * {@code -Dsendfiled.manual.write=true}.
 */
final class ManualTest {
    private static final Path PAGE =
            Path.of(System.getProperty("sendfiled.test.source", "."), "packaging", "man", "sendfiled.8.scd");
    private static final String BEGIN = "; options: generated from the table of settings; see ManualTest\n";
    private static final String END = "; end of options\n";

    @Test
    void shouldTellTheOptionsOfTheTable() throws IOException {
        String page = Files.readString(PAGE);
        int begin = page.indexOf(BEGIN) + BEGIN.length();
        int end = page.indexOf(END);
        assertTrue(begin >= BEGIN.length() && end >= begin, "the marks are missing in " + PAGE);
        String options = options();
        if (Boolean.getBoolean("sendfiled.manual.write")) {
            Files.writeString(PAGE, page.substring(0, begin) + options + page.substring(end));
            return;
        }
        assertEquals(options, page.substring(begin, end), "write it anew with -Dsendfiled.manual.write=true");
    }

    private static String options() {
        StringBuilder out = new StringBuilder();
        for (Setting setting : Setting.values()) {
            String letter = setting.hasShortName() ? "*-" + setting.shortName() + "*, " : "";
            String argument = setting.argument().isEmpty() ? "" : " _" + setting.argument() + "_";
            entry(out, letter + "*--" + setting.key() + "*" + argument, setting.sentence() + HelpText.limits(setting));
        }
        entry(out, "*-h*, *--help*", "show all options and end");
        entry(out, "*-V*, *--version*", "show the version and end");
        return out.toString();
    }

    private static void entry(StringBuilder out, String left, String text) {
        String sentence = Character.toUpperCase(text.charAt(0)) + text.substring(1);
        out.append(left).append("\n\t").append(escape(sentence)).append(".\n\n");
    }

    /* scdoc(5): an underscore or asterisk opens a markup. */
    private static String escape(String text) {
        return text.replace("_", "\\_").replace("*", "\\*");
    }
}
