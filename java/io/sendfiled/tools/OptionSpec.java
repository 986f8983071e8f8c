package io.sendfiled.tools;

import static io.sendfiled.tools.Command.CANCEL;
import static io.sendfiled.tools.Command.COUNTERS;
import static io.sendfiled.tools.Command.DOCTOR;
import static io.sendfiled.tools.Command.DRAIN;
import static io.sendfiled.tools.Command.PING;
import static io.sendfiled.tools.Command.READ;
import static io.sendfiled.tools.Command.SEND;
import static io.sendfiled.tools.Command.SERVE;
import static io.sendfiled.tools.Command.STAT;
import static io.sendfiled.tools.Command.TOP;
import static io.sendfiled.tools.Command.UPGRADE;

import org.jspecify.annotations.Nullable;

/** The options, in one table for the parser and for the help. */
enum OptionSpec {
    OFFSET("", "offset", "BYTES", "start here in the file", READ, SEND),
    LENGTH("", "length", "BYTES", "so many bytes, from 0, and not to the end of the file", READ, SEND),
    OUTPUT("o", "output", "FILE", "write to this file; - is standard output, the default", READ),
    TO("", "to", "DESTINATION", "tcp:HOST:PORT, unix:PATH, a file, or - for standard output", SEND),
    OPEN("", "open", "", "open PATH here (- is standard input), and pass the open file to the daemon", SEND),
    NO_CLOBBER("", "no-clobber", "", "do not replace a file that is there", READ, SEND),
    INPLACE("", "inplace", "", "write to the file itself, not to a temporary one beside it", READ, SEND),
    PARTIAL("", "partial", "", "keep what arrived before a failure, under a name that is told", READ, SEND),
    TECHNIQUE("", "technique", "NAME", "move the bytes in this way only; see sfd techniques", READ, SEND),
    RATE("", "rate", "RATE", "at most so many bytes a second", READ, SEND),
    IDLE_TIMEOUT(
            "",
            "idle-timeout",
            "TIME",
            "give up when no byte was moved for so long (of serve, default: 60s)",
            READ,
            SEND,
            SERVE),
    DEADLINE("", "deadline", "TIME", "have the daemon give up after this time", READ, SEND),
    DROP_BEHIND("", "drop-behind", "", "do not keep in memory what had to be loaded from the disk", READ, SEND),
    TIMEOUT("t", "timeout", "TIME", "give up after this time", READ, SEND, STAT, PING, DRAIN, CANCEL, DOCTOR),
    SOCKET_DIRECTORY(
            "S",
            "socket-dir",
            "DIRECTORY",
            "directory of the daemon's socket; else it is looked for",
            Command.ofDaemons()),
    NAME("s", "name", "NAME", "the daemon's name (default: default)", Command.ofDaemons()),
    PROGRAM("", "program", "FILE", "the sendfiled to start; else the one that is installed with this", UPGRADE),
    WATCH("w", "watch", "", "show it again every second, and then what came in that second", COUNTERS),
    INTERVAL("i", "interval", "TIME", "the same every TIME; of top, how often it looks (default: 1s)", COUNTERS, TOP),
    SORT("", "sort", "COLUMN", "order: rate (default), age, size, moved, user, id, waiting or file", TOP),
    ONCE("", "once", "", "show it once, as where the output is no terminal", TOP),
    PORT("p", "port", "NUMBER", "listen at this port; 0 is any free one (default: 8080)", SERVE),
    HOST("", "host", "ADDRESS", "listen at this address (default: 127.0.0.1)", SERVE),
    LIST("l", "list", "", "show directories that have no index.html", SERVE),
    CACHE_CONTROL("", "cache-control", "VALUE", "send this header with files, such as max-age=3600", SERVE),
    CERTIFICATE("", "cert", "FILE", "serve by HTTPS, with this chain of certificates (PEM)", SERVE),
    KEY("", "key", "FILE", "the private key of --cert (PEM, PKCS #8, without a password)", SERVE),
    ACCESS_LOG("", "access-log", "FILE", "append a line for each answer; SIGUSR1 opens it anew", SERVE),
    LOOPS("", "loops", "N", "event loops, each a thread (default: one a processor, at most 64)", SERVE),
    OPEN_FILES(
            "", "open-files", "N", "most files that are kept open for the next request (default: 512); 0: none", SERVE),
    OPEN_FILES_AGE(
            "",
            "open-files-age",
            "TIME",
            "look again where a path leads after this time (default: 1s); 0: each time",
            SERVE),
    MAX_CONNECTIONS("", "max-connections", "N", "serve so many at a time; those above get 503 (default: 4096)", SERVE),
    REQUEST_TIMEOUT(
            "",
            "request-timeout",
            "TIME",
            "close a connection that sends no whole request for so long (default: 30s)",
            SERVE),
    JSON("j", "json", "", "tell the result, or the failure, as one JSON object", Command.withResult()),
    QUIET("q", "quiet", "", "no progress and no summary", READ, SEND, STAT, PING, DRAIN, CANCEL, UPGRADE),
    HELP("h", "help", "", "show this text", Command.values()),
    VERSION("V", "version", "", "show the version");

    private final String letter;
    private final String word;
    private final String argument;
    private final String sentence;
    private final String commands; // their words, each between blanks: an enum has no mutable set

    OptionSpec(String letter, String word, String argument, String sentence, Command... commands) {
        this.letter = letter;
        this.word = word;
        this.argument = argument;
        this.sentence = sentence;
        StringBuilder words = new StringBuilder(" ");
        for (Command command : commands) {
            words.append(command.word()).append(' ');
        }
        this.commands = words.toString();
    }

    /** The short form, or null. */
    @Nullable
    String letter() {
        return letter.isEmpty() ? null : letter;
    }

    /** The long form. */
    String word() {
        return word;
    }

    /** The argument's name; empty when there is none. */
    String argument() {
        return argument;
    }

    boolean hasArgument() {
        return !argument.isEmpty();
    }

    boolean belongsTo(Command command) {
        return commands.contains(" " + command.word() + " ");
    }

    String sentence() {
        return sentence;
    }
}
