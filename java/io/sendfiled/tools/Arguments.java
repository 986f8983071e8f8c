package io.sendfiled.tools;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Source;
import io.sendfiled.client.TransferOptions;
import io.sendfiled.names.Names;
import io.sendfiled.technique.Technique;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.MissingArgumentException;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import org.apache.commons.cli.UnrecognizedOptionException;
import org.jspecify.annotations.Nullable;

/** The command line, understood and checked. Immutable. */
final class Arguments {
    private static final Duration MAX_TIMEOUT = Duration.ofSeconds(1_000_000_000);

    private final @Nullable Command command;
    private final @Nullable CommandLine options;
    private final boolean version;
    private final byte[] path;

    private Arguments(@Nullable Command command, @Nullable CommandLine options, boolean version, byte[] path) {
        this.command = command;
        this.options = options;
        this.version = version;
        this.path = path;
    }

    /** Understands the arguments of the program. */
    static Arguments parse(String... args) throws SfdException {
        if (args.length == 0) {
            throw SfdException.usage("no command; see sfd --help");
        }
        switch (args[0]) {
            case "-h", "--help", "help" -> {
                return new Arguments(null, null, false, new byte[0]);
            }
            case "-V", "--version" -> {
                return new Arguments(null, null, true, new byte[0]);
            }
            default -> {}
        }
        Command command = Command.of(args[0]);
        if (command == null) {
            throw SfdException.usage("'" + SfdException.printable(args[0]) + "': "
                    + (args[0].startsWith("-") ? "the command comes first" : "unknown command") + "; see sfd --help");
        }
        CommandLine options = parseOptions(command, args);
        if (isSet(options, OptionSpec.HELP)) {
            return new Arguments(command, options, false, new byte[0]);
        }
        List<String> words = options.getArgList();
        if (!command.hasPath()) {
            if (words.size() > 1) {
                throw usage(command, "'" + SfdException.printable(words.get(1)) + "': no PATH belongs here");
            }
            return new Arguments(command, options, false, new byte[0]);
        }
        if (words.size() < 2) {
            throw usage(command, "no PATH");
        }
        if (words.size() > 2) {
            throw usage(command, "'" + SfdException.printable(words.get(2)) + "': more than one PATH");
        }
        Arguments arguments = new Arguments(command, options, false, Names.bytes(words.get(1)));
        arguments.check();
        return arguments;
    }

    private static CommandLine parseOptions(Command command, String... args) throws SfdException {
        Options known = new Options();
        for (OptionSpec spec : OptionSpec.values()) {
            if (spec.belongsTo(command)) {
                known.addOption(Option.builder(spec.letter())
                        .longOpt(spec.word())
                        .hasArg(spec.hasArgument())
                        .get());
            }
        }
        DefaultParser parser = DefaultParser.builder()
                .setAllowPartialMatching(false)
                .setStripLeadingAndTrailingQuotes(false)
                .get();
        try {
            return parser.parse(known, args);
        } catch (UnrecognizedOptionException e) {
            throw usage(command, SfdException.printable(e.getOption()) + ": unknown option");
        } catch (MissingArgumentException e) {
            Option option = e.getOption();
            throw usage(command, (option == null ? "" : "--" + option.getLongOpt() + ": ") + "needs a value");
        } catch (ParseException e) {
            throw usage(command, String.valueOf(e.getMessage()));
        }
    }

    private static SfdException usage(Command command, String message) {
        return SfdException.usage(message + "; see sfd " + command.word() + " --help");
    }

    private void check() throws SfdException {
        request();
        timeout();
        if (command == Command.SEND && value(OptionSpec.TO) == null) {
            throw usage(Command.SEND, "no destination: --to is missing");
        }
    }

    /** The command; null for a call of the program itself. */
    @Nullable
    Command command() {
        return command;
    }

    /** The command of a call that has one. */
    Command requiredCommand() {
        if (command == null) {
            throw new IllegalStateException("no command");
        }
        return command;
    }

    boolean help() {
        return !version && (options == null || isSet(options, OptionSpec.HELP));
    }

    boolean version() {
        return version;
    }

    boolean isSet(OptionSpec option) {
        return options != null && isSet(options, option);
    }

    private static boolean isSet(CommandLine options, OptionSpec option) {
        return options.hasOption("--" + option.word());
    }

    /** An option's value, or null. Of one that is given twice, the last. */
    @Nullable
    String value(OptionSpec option) {
        String[] values = options == null ? null : options.getOptionValues(option.word());
        return values == null ? null : values[values.length - 1];
    }

    /** The path as text, for messages. */
    String pathText() {
        return FileRequest.ofBytes(path).path();
    }

    /** The file in the daemon's root, the range and the options. */
    FileRequest request() throws SfdException {
        return request(FileRequest.ofBytes(path));
    }

    /** The range and the options of what was opened here. */
    FileRequest request(Source source) throws SfdException {
        return request(FileRequest.of(source));
    }

    private FileRequest request(FileRequest file) throws SfdException {
        FileRequest whole = file.with(transferOptions());
        long offset = bytes(OptionSpec.OFFSET, 0, 0);
        if (value(OptionSpec.LENGTH) == null) {
            return whole.from(offset);
        }
        long length = bytes(OptionSpec.LENGTH, 1, 1);
        if (offset > Long.MAX_VALUE - length) {
            throw SfdException.usage("--offset and --length: their sum is above 2^63 - 1");
        }
        return whole.range(offset, length);
    }

    /** How the bytes are to be moved, as far as the command line says so. */
    private TransferOptions transferOptions() throws SfdException {
        String technique = value(OptionSpec.TECHNIQUE);
        return TransferOptions.DEFAULT
                .withTechnique(technique == null ? Technique.AUTO : OptionValue.technique(technique))
                .withRate(bytes(OptionSpec.RATE, 0, 1))
                .withIdleTimeout(time(OptionSpec.IDLE_TIMEOUT))
                .withDeadline(time(OptionSpec.DEADLINE))
                .withDropBehind(isSet(OptionSpec.DROP_BEHIND));
    }

    private long bytes(OptionSpec option, long missing, long least) throws SfdException {
        String text = value(option);
        return text == null ? missing : OptionValue.bytes(option, text, least);
    }

    /** A time that travels to the daemon; zero if there is none. */
    private Duration time(OptionSpec option) throws SfdException {
        String text = value(option);
        return text == null ? Duration.ZERO : OptionValue.time(option, text, TransferOptions.MAX_TIME);
    }

    /** How long it may take, or null. */
    @Nullable
    Duration timeout() throws SfdException {
        String text = value(OptionSpec.TIMEOUT);
        return text == null ? null : OptionValue.time(OptionSpec.TIMEOUT, text, MAX_TIMEOUT);
    }

    /** Connects to the daemon that the options name. */
    SendfiledClient connect() throws IOException {
        SendfiledClient.Builder builder = SendfiledClient.builder();
        String directory = value(OptionSpec.SOCKET_DIRECTORY);
        String name = value(OptionSpec.NAME);
        if (directory != null) {
            builder.socketDirectory(Names.path(directory));
        }
        if (name != null) {
            builder.name(name);
        }
        return builder.connect();
    }
}
