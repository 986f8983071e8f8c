package io.sendfiled.daemon;

import io.sendfiled.config.Setting;
import io.sendfiled.units.ByteSizes;
import io.sendfiled.units.HelpEntry;
import io.sendfiled.units.Times;
import java.util.ArrayList;
import java.util.List;

/** The text of {@code --help}, made from the table of settings. Pure. */
final class HelpText {
    private HelpText() {}

    static String text() {
        StringBuilder out = new StringBuilder();
        out.append("Usage: sendfiled [OPTION]...\n");
        out.append("Serve the files below a directory to local processes, which ask through a socket\n");
        out.append("and get the bytes on a pipe, a socket or a file of theirs.\n\n");
        for (Setting setting : Setting.values()) {
            option(out, setting);
        }
        for (ProgramOption option : ProgramOption.values()) {
            option(out, option.letter(), option.word(), option.argument(), option.sentence());
        }
        out.append("\nBYTES is ").append(ByteSizes.SPELLING).append(".\n");
        out.append("TIME is ").append(Times.SPELLING).append("; alone it is milliseconds.\n");
        out.append("\nThe environment gives settings too, SENDFILED_MAX_TRANSFERS for --max-transfers,\n");
        out.append("and so does the file /etc/sendfiled/NAME.conf, by lines as max-transfers = 500:\n");
        out.append("sendfiled.conf(5). The command line counts before the environment, and the\n");
        out.append("environment before the file.\n");
        out.append("\nSIGHUP has it read the file again. SIGTERM and SIGINT end it cleanly, a second\n");
        out.append("one at once. Exit status: 0 ended when asked to, 1 could not start, 2 wrong\n");
        out.append("usage.\n");
        return out.toString();
    }

    private static void option(StringBuilder out, Setting setting) {
        String letter = setting.hasShortName() ? Character.toString(setting.shortName()) : "";
        option(out, letter, setting.key(), setting.argument(), setting.sentence() + limits(setting));
    }

    private static void option(StringBuilder out, String letter, String word, String argument, String sentence) {
        String left = (letter.isEmpty() ? "      " : "  -" + letter + ", ") + "--" + word;
        HelpEntry.append(out, argument.isEmpty() ? left : left + " " + argument, sentence);
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
}
