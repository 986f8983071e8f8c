package io.sendfiled.daemon;

import io.sendfiled.config.Setting;
import java.util.ArrayList;
import java.util.List;

/** The text of {@code --help}, made from the table of settings. Pure. */
final class HelpText {
    private static final int WIDTH = 80;
    private static final int TEXT_COLUMN = 28;

    private HelpText() {}

    static String text() {
        StringBuilder out = new StringBuilder();
        out.append("Usage: sendfiled [OPTION]...\n");
        out.append("Serve the files below a directory to local processes, which ask through a socket\n");
        out.append("and get the bytes on a pipe, a socket or a file of theirs.\n\n");
        for (Setting setting : Setting.values()) {
            option(out, setting);
        }
        entry(out, "  -h, --help", "show this text");
        entry(out, "  -V, --version", "show the version");
        out.append("\nSIGTERM and SIGINT end it cleanly, a second one at once. Exit status: 0 ended\n");
        out.append("when asked to, 1 could not start, 2 wrong usage.\n");
        return out.toString();
    }

    private static void option(StringBuilder out, Setting setting) {
        String letter = setting.hasShortName() ? "-" + setting.shortName() + ", " : "    ";
        String argument = setting.argument().isEmpty() ? "" : " " + setting.argument();
        entry(out, "  " + letter + "--" + setting.key() + argument, setting.sentence() + limits(setting));
    }

    /** The bounds and the default in brackets, or nothing. */
    static String limits(Setting setting) {
        List<String> parts = new ArrayList<>(2);
        if (!setting.range().isEmpty()) {
            parts.add(setting.range());
        }
        if (!setting.standard().isEmpty() && setting.kind() != Setting.Kind.FLAG) {
            parts.add("default: " + setting.standard());
        }
        return parts.isEmpty() ? "" : " (" + String.join("; ", parts) + ")";
    }

    private static void entry(StringBuilder out, String left, String text) {
        out.append(left);
        int column = left.length();
        if (column >= TEXT_COLUMN) {
            out.append('\n');
            column = 0;
        }
        out.append(" ".repeat(TEXT_COLUMN - column));
        column = TEXT_COLUMN;
        String gap = "";
        for (String word : text.split(" ", -1)) {
            if (!gap.isEmpty() && column + 1 + word.length() > WIDTH) {
                out.append('\n').append(" ".repeat(TEXT_COLUMN));
                column = TEXT_COLUMN;
                gap = "";
            }
            out.append(gap).append(word);
            column += gap.length() + word.length();
            gap = " ";
        }
        out.append('\n');
    }
}
