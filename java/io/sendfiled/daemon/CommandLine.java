package io.sendfiled.daemon;

import io.sendfiled.config.Setting;
import io.sendfiled.names.Names;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.MissingArgumentException;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import org.apache.commons.cli.UnrecognizedOptionException;
import org.jspecify.annotations.Nullable;

/**
 * The daemon's command line, read by the tables of settings and of other options. Values are checked later, with those of
 * the environment and the file. Main thread; it looks at nothing but its arguments.
 */
final class CommandLine {
    /** What to do; of several, the last of these. */
    enum Action {
        RUN,
        CHECK_CONFIG,
        PRINT_CONFIG,
        VERSION,
        HELP
    }

    private Action action = Action.RUN;
    private @Nullable String configFile;
    private final List<Given> given = new ArrayList<>();

    private CommandLine() {}

    Action action() {
        return action;
    }

    /** The value of {@code --config}, or null. */
    @Nullable
    String configFile() {
        return configFile;
    }

    /** The settings, in the order of the arguments: what is given twice counts as it was given last. */
    List<Given> given() {
        return List.copyOf(given);
    }

    /** Understands the arguments of the program. */
    static CommandLine parse(String... args) throws UsageException {
        org.apache.commons.cli.CommandLine parsed = read(args);
        CommandLine line = new CommandLine();
        for (Option option : parsed.getOptions()) {
            String word = option.getLongOpt();
            Setting setting = Setting.of(word);
            if (setting == null) {
                line.take(word, option.getValue());
            } else {
                String value = option.hasArg() ? option.getValue() : "on";
                line.given.add(new Given(setting, value, Origin.ofOption(setting)));
            }
        }
        if (!parsed.getArgList().isEmpty()) {
            throw new UsageException("'" + Names.printable(parsed.getArgList().get(0))
                    + "': unexpected argument (see sendfiled --help)");
        }
        return line;
    }

    private void take(String word, @Nullable String value) {
        for (ProgramOption option : ProgramOption.values()) {
            if (option.word().equals(word)) {
                switch (option) {
                    case CONFIG -> configFile = value;
                    case CHECK_CONFIG -> demand(Action.CHECK_CONFIG);
                    case PRINT_CONFIG -> demand(Action.PRINT_CONFIG);
                    case HELP -> demand(Action.HELP);
                    case VERSION -> demand(Action.VERSION);
                }
            }
        }
    }

    private void demand(Action demanded) {
        action = demanded.compareTo(action) > 0 ? demanded : action;
    }

    private static org.apache.commons.cli.CommandLine read(String... args) throws UsageException {
        DefaultParser parser = DefaultParser.builder()
                .setAllowPartialMatching(false)
                .setStripLeadingAndTrailingQuotes(false)
                .get();
        try {
            return parser.parse(options(), args);
        } catch (UnrecognizedOptionException e) {
            throw new UsageException(Names.printable(e.getOption()) + ": unknown option (see sendfiled --help)", e);
        } catch (MissingArgumentException e) {
            Option option = e.getOption();
            String name = option == null ? "" : "--" + option.getLongOpt() + ": ";
            throw new UsageException(name + "needs a value", e);
        } catch (ParseException e) {
            throw new UsageException(String.valueOf(e.getMessage()), e);
        }
    }

    private static Options options() {
        Options options = new Options();
        for (Setting setting : Setting.values()) {
            options.addOption(Option.builder(setting.hasShortName() ? Character.toString(setting.shortName()) : null)
                    .longOpt(setting.key())
                    .hasArg(setting.kind() != Setting.Kind.FLAG)
                    .get());
        }
        for (ProgramOption option : ProgramOption.values()) {
            options.addOption(Option.builder(option.letter().isEmpty() ? null : option.letter())
                    .longOpt(option.word())
                    .hasArg(!option.argument().isEmpty())
                    .get());
        }
        return options;
    }
}
