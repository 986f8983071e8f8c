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

/** The command line, understood and checked. Immutable once it is. */
final class Arguments {
    private static final Duration MAX_TIMEOUT = Duration.ofSeconds(1_000_000_000);

    private final @Nullable Command command;
    private final @Nullable CommandLine options;
    private final boolean version;
    private final byte[] path;
    private final long startedNs = System.nanoTime();
    private @Nullable Target target; // these are set by check()
    private Deadline deadline = Deadline.after(null);
    private Duration daemonDeadline = Duration.ZERO;

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
                return new Arguments(args.length == 1 ? null : command(args[1]), null, false, new byte[0]);
            }
            case "-V", "--version" -> {
                return new Arguments(null, null, true, new byte[0]);
            }
            default -> {}
        }
        Command command = command(args[0]);
        CommandLine options = parseOptions(command, args);
        if (isSet(options, OptionSpec.HELP)) {
            return new Arguments(command, options, false, new byte[0]);
        }
        demandWords(command, options.getArgList());
        byte[] path = command.hasPath() ? Names.bytes(options.getArgList().get(1)) : new byte[0];
        Arguments arguments = new Arguments(command, options, false, path);
        arguments.check();
        return arguments;
    }

    /** The first word is the command itself. */
    private static void demandWords(Command command, List<String> words) throws SfdException {
        boolean hasOne = command.hasPath() || command.hasDirectory();
        int most = hasOne ? 2 : command.hasIds() || command.hasOptions() ? Integer.MAX_VALUE : 1;
        if (words.size() < Math.min(most, 2) && !command.hasOptions()) {
            throw usage(command, command.hasIds() ? "no ID" : "no " + command.operand());
        }
        if (words.size() > most) {
            String more = SfdException.printable(words.get(most));
            throw usage(
                    command,
                    "'" + more + "': " + (most == 1 ? "no PATH belongs here" : "more than one " + command.operand()));
        }
    }

    private static Command command(String word) throws SfdException {
        Command command = Command.of(word);
        if (command == null) {
            throw SfdException.usage("'" + SfdException.printable(word) + "': "
                    + (word.startsWith("-") ? "the command comes first" : "unknown command") + "; see sfd --help");
        }
        return command;
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
        deadline = Deadline.after(timeout());
        if (!requiredCommand().hasPath()) {
            return;
        }
        daemonDeadline = request().options().deadline();
        String to = value(OptionSpec.TO);
        if (command == Command.SEND && to == null) {
            throw usage(Command.SEND, "no destination: --to is missing");
        }
        target = to == null ? Target.ofOutput(value(OptionSpec.OUTPUT)) : Target.ofTo(to);
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

    /** The time limit of the command as it was given; null: none. */
    @Nullable
    Duration timeout() throws SfdException {
        String text = value(OptionSpec.TIMEOUT);
        return text == null ? null : OptionValue.time(OptionSpec.TIMEOUT, text, MAX_TIMEOUT);
    }

    /** What stands behind the command. */
    List<String> words() {
        List<String> words = options == null ? List.of() : options.getArgList();
        return words.isEmpty() ? words : words.subList(1, words.size());
    }

    /** The name of the daemon. */
    String instance() {
        String name = value(OptionSpec.NAME);
        return name == null ? SendfiledClient.DEFAULT_NAME : name;
    }

    /** What it is about, as text for messages: the path, or the daemon. */
    String pathText() {
        return !requiredCommand().hasPath()
                ? instance()
                : FileRequest.ofBytes(path).path();
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
        long offset = bytes(OptionSpec.OFFSET);
        if (value(OptionSpec.LENGTH) == null) {
            return whole.from(offset);
        }
        long length = bytes(OptionSpec.LENGTH);
        if (offset > Long.MAX_VALUE - length) {
            throw SfdException.usage("--offset and --length: their sum is above 2^63 - 1");
        }
        return whole.range(offset, length);
    }

    /** How the bytes are to be moved, as far as the command line says so. */
    private TransferOptions transferOptions() throws SfdException {
        String technique = value(OptionSpec.TECHNIQUE);
        String rate = value(OptionSpec.RATE);
        return TransferOptions.DEFAULT
                .withTechnique(technique == null ? Technique.AUTO : OptionValue.technique(technique))
                .withRate(rate == null ? 0 : OptionValue.rate(OptionSpec.RATE, rate))
                .withIdleTimeout(time(OptionSpec.IDLE_TIMEOUT))
                .withDeadline(time(OptionSpec.DEADLINE))
                .withDropBehind(isSet(OptionSpec.DROP_BEHIND));
    }

    /** Whether the daemon's own time limit for the transfer is over, as far as can be seen from here. */
    boolean isPastDaemonDeadline() {
        return !daemonDeadline.isZero() && System.nanoTime() - startedNs >= daemonDeadline.toNanos();
    }

    private long bytes(OptionSpec option) throws SfdException {
        String text = value(option);
        return text == null ? 0 : OptionValue.bytes(option, text);
    }

    /** A time that travels to the daemon; zero if there is none. */
    private Duration time(OptionSpec option) throws SfdException {
        String text = value(option);
        return text == null ? Duration.ZERO : OptionValue.time(option, text, TransferOptions.MAX_TIME);
    }

    /** The time limit of the command. */
    Deadline deadline() {
        return deadline;
    }

    /** Where the bytes go, of a command that moves some. */
    Target target() {
        if (target == null) {
            throw new IllegalStateException("no target");
        }
        return target;
    }

    /** The request without the daemon's idle timeout, unless one was asked for; and with details. */
    FileRequest patient(FileRequest request) {
        TransferOptions options = request.options().withDetails(true);
        return request.with(
                options.idleTimeout().isZero() ? options.withIdleTimeout(TransferOptions.MAX_TIME) : options);
    }

    /** Connects to the daemon that the options name. */
    SendfiledClient connect() throws IOException {
        SendfiledClient.Builder builder = SendfiledClient.builder();
        String directory = value(OptionSpec.SOCKET_DIRECTORY);
        if (directory != null) {
            builder.socketDirectory(Names.path(directory));
        }
        return builder.name(instance()).connect();
    }
}
