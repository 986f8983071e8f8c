package io.sendfiled.tools;

import io.sendfiled.units.ByteSizes;
import io.sendfiled.units.HelpEntry;
import io.sendfiled.units.Times;
import org.jspecify.annotations.Nullable;

/** The texts of {@code --help}, made from {@link Command} and {@link OptionSpec}. Pure. */
final class HelpText {
    private HelpText() {}

    static String of(@Nullable Command command) {
        StringBuilder text = new StringBuilder();
        if (command == null) {
            general(text);
        } else {
            text.append("Usage: sfd ").append(call(command)).append(" [OPTION]...\n");
            text.append(Character.toUpperCase(command.sentence().charAt(0)));
            text.append(command.sentence().substring(1)).append(".\n");
            if (command.hasPath()) {
                text.append("PATH is relative to the daemon's root.\n");
            }
            text.append('\n');
            for (OptionSpec option : OptionSpec.values()) {
                if (option.belongsTo(command)) {
                    option(text, option);
                }
            }
            if (OptionSpec.OFFSET.belongsTo(command)) {
                text.append("\nBYTES is ").append(ByteSizes.SPELLING).append(".\n");
                text.append("RATE is BYTES a second, as 500K or 10MB/s.\n");
            }
            if (OptionSpec.TIMEOUT.belongsTo(command) || OptionSpec.INTERVAL.belongsTo(command)) {
                text.append(OptionSpec.OFFSET.belongsTo(command) ? "" : "\n");
                text.append("TIME is ").append(Times.SPELLING).append("; alone it is seconds.\n");
            }
        }
        text.append("\nExit status: 0 done, 1 failed, 2 wrong usage, 3 no daemon, 4 not permitted,\n");
        text.append("5 partial or cancelled, 6 timeout, 130 interrupted.\n");
        return text.toString();
    }

    private static void general(StringBuilder text) {
        text.append("Usage: sfd COMMAND [PATH] [OPTION]...\n");
        text.append("Read, send and look at files through a sendfiled daemon.\n\n");
        for (Command command : Command.values()) {
            HelpEntry.append(text, "  " + call(command), command.sentence());
        }
        text.append('\n');
        option(text, OptionSpec.HELP);
        option(text, OptionSpec.VERSION);
        text.append("\nsfd help COMMAND tells the options of a command.\n");
    }

    private static String call(Command command) {
        return (command.word() + " " + command.arguments()).stripTrailing();
    }

    private static void option(StringBuilder text, OptionSpec option) {
        String letter = option.letter() == null ? "      " : "  -" + option.letter() + ", ";
        String argument = option.hasArgument() ? " " + option.argument() : "";
        HelpEntry.append(text, letter + "--" + option.word() + argument, option.sentence());
    }
}
