package io.sendfiled.support;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The part of a manual page that is made from a table of the program. To write it anew after a change of the table, run
 * the test with {@code -Dsendfiled.manual.write=true}.
 */
public final class ManualPage {
    private static final Path DIRECTORY = Path.of(System.getProperty("sendfiled.test.source", "."), "packaging", "man");
    private static final String BEGIN = "; see ManualTest\n";
    private static final String END = "; end of options\n";

    private final StringBuilder entries = new StringBuilder();

    /** Adds an option: what stands left is markup, the sentence is text without a full stop. */
    public ManualPage entry(String left, String sentence) {
        entries.append(left).append("\n\t");
        // What begins with something to type, such as tcp:HOST, is not changed.
        boolean word = sentence.matches("[a-z]+ .*");
        char first = sentence.charAt(0);
        entries.append(word ? Character.toUpperCase(first) : first).append(escape(sentence.substring(1)));
        entries.append(".\n\n");
        return this;
    }

    /** An option's names and its argument; the letter may be empty. */
    public static String names(String letter, String word, String argument) {
        return (letter.isEmpty() ? "" : "*-" + letter + "*, ") + "*--" + word + "*"
                + (argument.isEmpty() ? "" : " _" + argument + "_");
    }

    /** Compares the entries with the page of that name, or writes them into it. */
    public void check(String name) throws IOException {
        Path file = DIRECTORY.resolve(name);
        String page = Files.readString(file);
        int begin = page.indexOf(BEGIN) + BEGIN.length();
        int end = page.indexOf(END);
        assertTrue(begin >= BEGIN.length() && end >= begin, "the marks are missing in " + file);
        if (Boolean.getBoolean("sendfiled.manual.write")) {
            Files.writeString(file, page.substring(0, begin) + entries + page.substring(end));
            return;
        }
        assertEquals(
                entries.toString(), page.substring(begin, end), "write it anew with -Dsendfiled.manual.write=true");
    }

    /* scdoc(5): an underscore or asterisk opens a markup. */
    private static String escape(String text) {
        return text.replace("_", "\\_").replace("*", "\\*");
    }
}
