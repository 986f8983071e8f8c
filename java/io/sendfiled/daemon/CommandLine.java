package io.sendfiled.daemon;

import io.sendfiled.config.InvalidSettingException;
import io.sendfiled.config.Setting;
import io.sendfiled.names.Names;
import java.util.Map;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.MissingArgumentException;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import org.apache.commons.cli.UnrecognizedOptionException;

/**
 * The daemon's command line, read by the table of settings. Values are checked here, one by one; what they mean
 * together is decided when the engine's configuration is built. Main thread; it looks at nothing but its arguments.
 */
final class CommandLine {
    static final String ALLOW_ROOT_VARIABLE = "SENDFILED_ALLOW_ROOT";

    static final String HELP = "help";
    static final String VERSION = "version";

    /** What to do. */
    enum Action {
        RUN,
        HELP,
        VERSION
    }

    private final Action action;
    private final ProgramConfig settings;

    private CommandLine(Action action, ProgramConfig settings) {
        this.action = action;
        this.settings = settings;
    }

    Action action() {
        return action;
    }

    ProgramConfig settings() {
        return settings;
    }

    /** An option that is given twice counts as it was given last. */
    static CommandLine parse(String[] args, Map<String, String> environment) throws UsageException {
        org.apache.commons.cli.CommandLine parsed = read(args);
        ProgramConfig settings = new ProgramConfig();
        if ("1".equals(environment.get(ALLOW_ROOT_VARIABLE))) {
            settings.set(Setting.ALLOW_ROOT, "on");
        }
        Action action = Action.RUN;
        for (Option option : parsed.getOptions()) {
            String key = option.getLongOpt();
            if (key.equals(HELP)) {
                action = Action.HELP;
            } else if (key.equals(VERSION)) {
                action = action == Action.HELP ? action : Action.VERSION;
            } else {
                apply(settings, key, option.hasArg() ? option.getValue() : "on");
            }
        }
        if (!parsed.getArgList().isEmpty()) {
            throw new UsageException("'" + Names.printable(parsed.getArgList().get(0))
                    + "': unexpected argument (see sendfiled --help)");
        }
        return new CommandLine(action, settings);
    }

    private static void apply(ProgramConfig settings, String key, String value) throws UsageException {
        for (Setting setting : Setting.values()) {
            if (setting.key().equals(key)) {
                try {
                    settings.set(setting, value);
                } catch (InvalidSettingException e) {
                    throw new UsageException("--" + e.getMessage(), e);
                }
            }
        }
    }

    private static org.apache.commons.cli.CommandLine read(String[] args) throws UsageException {
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
        options.addOption(Option.builder("h").longOpt(HELP).get());
        options.addOption(Option.builder("V").longOpt(VERSION).get());
        return options;
    }
}
