package io.sendfiled.config;

import io.sendfiled.names.Names;
import io.sendfiled.technique.TechniqueRules;
import io.sendfiled.units.ByteSizes;
import io.sendfiled.units.LocalAddress;
import io.sendfiled.units.Times;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The one table of settings: key, short option, kind, bounds, default and a sentence for each. The command line, its
 * {@code --help}, the manual page, the builders and the core's array of numbers are all made from it.
 *
 * <p>Role: description and checks of single values. Immutable, any thread. Only the defaults look at the machine.
 */
public enum Setting {
    NAME(
            Scope.ENGINE,
            Change.RESTART,
            "name",
            's',
            Kind.TEXT,
            "NAME",
            1,
            80,
            "default",
            "name of this instance; its socket is sendfiled.NAME.socket"),
    ROOT(
            Scope.ENGINE,
            Change.RESTART,
            "root",
            'r',
            Kind.PATH,
            "DIR",
            "the current directory",
            "directory that clients' paths are resolved inside") {
        @Override
        Object standard(SendfiledConfig config) {
            return Names.absolute(Path.of(""));
        }
    },
    FOLLOW_ROOT(
            Scope.CORE,
            Change.RESTART,
            "follow-root",
            '\0',
            Kind.FLAG,
            "",
            "off",
            "resolve the path of the root anew for each request: a symbolic link on it can be changed at any time"),
    MAX_TRANSFERS(
            Scope.CORE,
            Change.RELOAD,
            "max-transfers",
            'n',
            Kind.NUMBER,
            "N",
            1,
            1_000_000,
            "1000",
            "most transfers at once, which a client that is alone may have; more are refused with EMFILE"),
    CLIENT_TRANSFERS(
            Scope.CORE,
            Change.RELOAD,
            "client-transfers",
            '\0',
            Kind.NUMBER,
            "N",
            1,
            1_000_000,
            "as many as --max-transfers",
            "most transfers of one client (a process) at once, also of one that is alone; more are refused with EDQUOT") {
        @Override
        Object standard(SendfiledConfig config) {
            return (long) config.maxTransfers();
        }
    },
    CLIENT_DESCRIPTORS(
            Scope.CORE,
            Change.RELOAD,
            "client-descriptors",
            '\0',
            Kind.NUMBER,
            "N",
            3,
            4_000_000,
            "3 for each of --client-transfers, and 64",
            "most descriptors held for one client, or waiting to be closed; further requests are refused with EDQUOT") {
        @Override
        Object standard(SendfiledConfig config) {
            return (long) DESCRIPTORS_A_TRANSFER * config.clientTransfers() + MORE_DESCRIPTORS;
        }
    },
    CLIENT_DISK_TASKS(
            Scope.CORE,
            Change.RELOAD,
            "client-disk-tasks",
            '\0',
            Kind.NUMBER,
            "N",
            1,
            1_000_000,
            "as many as --client-transfers",
            "most tasks of one client that wait for disks or are worked on; opens beyond that are refused with EDQUOT") {
        @Override
        Object standard(SendfiledConfig config) {
            return (long) config.clientTransfers();
        }
    },
    MEMORY_BYTES(
            Scope.CORE,
            Change.RELOAD,
            "memory",
            '\0',
            Kind.BYTES,
            "BYTES",
            0,
            1L << 44,
            "0",
            "most bytes of memory files that are filled at once, for all clients; more are refused with ENOBUFS;"
                    + " 0 means half of the memory that the daemon's cgroup, or the machine, may have"),
    CLIENT_MEMORY_BYTES(
            Scope.CORE,
            Change.RELOAD,
            "client-memory",
            '\0',
            Kind.BYTES,
            "BYTES",
            0,
            1L << 44,
            "0",
            "the same for one client; more are refused with EDQUOT; 0 means three quarters of --memory"),
    SOCKET_DIRECTORY(
            Scope.ENGINE,
            Change.RESTART,
            "socket-dir",
            'S',
            Kind.PATH,
            "DIR",
            "$XDG_RUNTIME_DIR, /run/sendfiled/NAME, /run/sendfiled, or a private one in /tmp; as root the second",
            "directory of the request socket; made with mode 0700 when missing") {
        @Override
        Object standard(SendfiledConfig config) {
            return SocketDirectories.forDaemon(config.name());
        }
    },
    ALLOW_USERS(
            Scope.ENGINE,
            Change.RELOAD,
            "allow-users",
            '\0',
            Kind.NAMES,
            "USER,...",
            1,
            256,
            "",
            "who is served beside root and the daemon's own user: these users, by name or number"),
    ALLOW_GROUPS(
            Scope.ENGINE,
            Change.RELOAD,
            "allow-groups",
            '\0',
            Kind.NAMES,
            "GROUP,...",
            1,
            256,
            "",
            "who else is served: the members of these groups, by name or number, and processes that run with one of them"),
    OPEN_TIMEOUT_MS(
            Scope.CORE,
            Change.RELOAD,
            "open-timeout",
            't',
            Kind.TIME,
            "TIME",
            1,
            3_600_000,
            "30s",
            "how long an opened file waits to be sent"),
    USER(
            Scope.PROGRAM,
            Change.RESTART,
            "user",
            'u',
            Kind.TEXT,
            "USER",
            1,
            256,
            "",
            "user to become, by name or number; root only"),
    GROUP(
            Scope.PROGRAM,
            Change.RESTART,
            "group",
            'g',
            Kind.TEXT,
            "GROUP",
            1,
            256,
            "the user's own",
            "group to become, by name or number; root only"),
    DAEMONIZE(
            Scope.PROGRAM,
            Change.RESTART,
            "daemon",
            'd',
            Kind.FLAG,
            "",
            "off",
            "run in the background; return once requests are taken"),
    SYNC_PARENT(
            Scope.PROGRAM,
            Change.RESTART,
            "sync",
            'p',
            Kind.FLAG,
            "",
            "off",
            "write one int to descriptor 3 when ready (0) or failed (an errno)"),
    TAKE_OVER(
            Scope.PROGRAM,
            Change.RESTART,
            "take-over",
            '\0',
            Kind.FLAG,
            "",
            "off",
            "take the place of the instance of that name, if one runs, which keeps its transfers until they end"),
    LOOPS(
            Scope.CORE,
            Change.RESTART,
            "loops",
            '\0',
            Kind.NUMBER,
            "N",
            1,
            8,
            "one a processor, at most 4",
            "event loops, each a thread") {
        @Override
        Object standard(SendfiledConfig config) {
            return (long) Math.min(Runtime.getRuntime().availableProcessors(), MOST_STANDARD_LOOPS);
        }
    },
    DISK_THREADS(
            Scope.ENGINE,
            Change.RESTART,
            "disk-threads",
            '\0',
            Kind.NUMBER,
            "N",
            1,
            256,
            "8",
            "threads that wait for each disk (device)"),
    QUANTUM_BYTES(
            Scope.CORE,
            Change.RELOAD,
            "quantum",
            '\0',
            Kind.BYTES,
            "BYTES",
            4096,
            16 << 20,
            "256KiB",
            "most bytes that one transfer moves before the next has its turn"),
    BUFFER_BYTES(
            Scope.CORE,
            Change.RESTART,
            "buffer",
            '\0',
            Kind.BYTES,
            "BYTES",
            4096,
            16 << 20,
            "256KiB",
            "size of a loop's buffer for the read-write technique"),
    OPEN_FILES(
            Scope.CORE,
            Change.RESTART,
            "open-files",
            '\0',
            Kind.NUMBER,
            "N",
            0,
            65_536,
            "512",
            "most files that are kept open for the next request of a session by the same path; 0: none"),
    OPEN_FILES_AGE_MS(
            Scope.CORE,
            Change.RESTART,
            "open-files-age",
            '\0',
            Kind.TIME,
            "TIME",
            0,
            3_600_000,
            "100ms",
            "how long such a file is served without a look whether its path still leads to it; 0: it is looked each time"),
    IDLE_TIMEOUT_MS(
            Scope.CORE,
            Change.RELOAD,
            "idle-timeout",
            '\0',
            Kind.TIME,
            "TIME",
            0,
            86_400_000,
            "5m",
            "how long no byte may be moved before a transfer ends with ETIMEDOUT; 0 means for ever"),
    DRAIN_TIMEOUT_MS(
            Scope.CORE,
            Change.RELOAD,
            "drain-timeout",
            '\0',
            Kind.TIME,
            "TIME",
            0,
            86_400_000,
            "30s",
            "how long a finished transfer waits for room for its last message; 0 means for ever"),
    STOP_TIMEOUT_MS(
            Scope.ENGINE,
            Change.RELOAD,
            "stop-timeout",
            '\0',
            Kind.TIME,
            "TIME",
            0,
            3_600_000,
            "5s",
            "how long transfers may go on after SIGTERM or SIGINT, before they end with ESHUTDOWN"),
    TECHNIQUES(
            Scope.ENGINE,
            Change.RELOAD,
            "techniques",
            '\0',
            Kind.TEXT,
            "RULES",
            1,
            2048,
            "any<=32KiB=read-write, pipe=splice, socket=sendfile, file=copy-file-range",
            "how bytes are moved when a request leaves it open: the first rule"
                    + " DEST[/blocking|/nonblocking][<=SIZE]=TECHNIQUE that matches and fits"),
    ACCESS_LOG(
            Scope.PROGRAM,
            Change.RESTART,
            "access-log",
            '\0',
            Kind.PATH,
            "FILE",
            "",
            "file that gets a line for each request when it is over; SIGUSR1 has it opened anew"),
    LOG_FORMAT(
            Scope.PROGRAM,
            Change.RESTART,
            "log-format",
            '\0',
            Kind.CHOICE,
            "text|json",
            "text",
            "how lines look, on standard error and in the access log"),
    METRICS(
            Scope.PROGRAM,
            Change.RESTART,
            "metrics",
            '\0',
            Kind.TEXT,
            "ADDRESS",
            1,
            256,
            "",
            "where Prometheus gets the counters by HTTP: unix:/PATH, or HOST:PORT of the loopback interface"),
    SANDBOX(
            Scope.PROGRAM,
            Change.RESTART,
            "sandbox",
            '\0',
            Kind.CHOICE,
            "on|off|auto",
            "auto",
            "confine the process to what it needs (Landlock, seccomp); auto: as far as the kernel can"),
    ALLOW_ROOT(
            Scope.PROGRAM,
            Change.RESTART,
            "allow-root",
            '\0',
            Kind.FLAG,
            "",
            "off",
            "run as root without --user, as in a container (or SENDFILED_ALLOW_ROOT=1)");

    /** Who obeys it. */
    enum Scope {
        /** The core, as a number: one of those that {@link #core} counts. */
        CORE,
        /** The engine, also inside another program. */
        ENGINE,
        /** The program {@code sendfiled} alone. */
        PROGRAM
    }

    /** What it takes for a change of its value to take effect. */
    public enum Change {
        /** Another start. */
        RESTART,
        /** A reload of the configuration: SIGHUP. */
        RELOAD
    }

    /** What a value is made of. */
    public enum Kind {
        /** Text, its bounds are bytes. */
        TEXT,
        /** A path, made absolute. */
        PATH,
        /** A whole number. */
        NUMBER,
        /** A number of bytes; plain or with a unit. */
        BYTES,
        /** A time, held in milliseconds; a number alone is milliseconds. */
        TIME,
        /** On or off; on the command line its presence means on. */
        FLAG,
        /** One of the words that its argument lists. */
        CHOICE,
        /** Texts, separated by commas as text, with or without white space; the bounds are the bytes of each. */
        NAMES
    }

    private static final long NANOS_PER_MS = 1_000_000;
    private static final int MOST_STANDARD_LOOPS = 4;
    /* status channel, destination, file; beside them closes that are pending */
    private static final int DESCRIPTORS_A_TRANSFER = 3;
    private static final int MORE_DESCRIPTORS = 64;

    private static final List<Setting> CORE =
            Stream.of(values()).filter(setting -> setting.scope == Scope.CORE).toList();

    private final Scope scope;
    private final Change change;
    private final String key;
    private final char shortName;
    private final Kind kind;
    private final String argument;
    private final long min;
    private final long max;
    private final String standard;
    private final String sentence;

    Setting(
            Scope scope,
            Change change,
            String key,
            char shortName,
            Kind kind,
            String argument,
            String standard,
            String sentence) {
        this(scope, change, key, shortName, kind, argument, 0, 0, standard, sentence);
    }

    Setting(
            Scope scope,
            Change change,
            String key,
            char shortName,
            Kind kind,
            String argument,
            long min,
            long max,
            String standard,
            String sentence) {
        this.scope = scope;
        this.change = change;
        this.key = key;
        this.shortName = shortName;
        this.kind = kind;
        this.argument = argument;
        this.min = min;
        this.max = max;
        this.standard = standard;
        this.sentence = sentence;
    }

    /** The numbers that the core wants, in the order of its own table of settings. */
    public static List<Setting> core() {
        return CORE;
    }

    /** The setting of that key; null when there is none. */
    public static @Nullable Setting of(String key) {
        for (Setting setting : values()) {
            if (setting.key.equals(key)) {
                return setting;
            }
        }
        return null;
    }

    /** Whether only the program {@code sendfiled} obeys it, and no engine inside another program. */
    public boolean isOfProgram() {
        return scope == Scope.PROGRAM;
    }

    /** What it takes for a change of its value to take effect. */
    public Change change() {
        return change;
    }

    /** The key, which is the long option without its dashes. */
    public String key() {
        return key;
    }

    /** Whether there is a one-letter option. */
    public boolean hasShortName() {
        return shortName != '\0';
    }

    /** The one-letter option; NUL when there is none. */
    public char shortName() {
        return shortName;
    }

    /** Whether it is several values with commas between them, which a file may have as a list. */
    public boolean isList() {
        return this == TECHNIQUES || kind == Kind.NAMES;
    }

    public Kind kind() {
        return kind;
    }

    /** The word that stands for the value in a usage text; empty for a flag. */
    public String argument() {
        return argument;
    }

    /** The default in words; empty when there is none. */
    public String standard() {
        return standard;
    }

    /** The default itself, which may depend on settings that stand before this one in the table. */
    Object standard(SendfiledConfig config) {
        return parse(standard);
    }

    /** What it does, in one sentence without a full stop. */
    public String sentence() {
        return sentence;
    }

    /** The bounds as people write them, {@code 1..8}; empty for texts, paths, flags, choices and names. */
    public String range() {
        return switch (kind) {
            case NUMBER -> min + ".." + max;
            case BYTES, TIME -> shown(min) + ".." + shown(max);
            case TEXT, PATH, FLAG, CHOICE, NAMES -> "";
        };
    }

    /**
     * Reads a value written as text: a {@code String}, {@code Path}, {@code Long}, {@code Boolean} or a list of {@code
     * String} by kind.
     *
     * @throws InvalidSettingException when it is not a value of this setting
     */
    public Object parse(String text) {
        return switch (kind) {
            case TEXT -> checkText(text);
            case PATH -> parsePath(text);
            case NUMBER -> checkNumber(parseNumber(text));
            case BYTES -> checkNumber(parseBytes(text));
            case TIME -> checkNumber(parseTime(text));
            case FLAG -> parseFlag(text);
            case CHOICE -> checkChoice(text);
            case NAMES -> parseNames(text);
        };
    }

    /** Settings with values and units, {@code name=web, open-timeout=30000ms}; in the table's order from an EnumMap. */
    public static String format(Map<Setting, Object> values) {
        StringJoiner text = new StringJoiner(", ");
        values.forEach((setting, value) -> text.add(setting.key + "=" + setting.format(value)));
        return text.toString();
    }

    /** A value as text, which {@link #parse} reads again unless it is a name with bytes that are not shown. */
    public String format(Object value) {
        return switch (kind) {
            case TEXT, CHOICE -> Names.printable(value.toString());
            case PATH -> Names.printable((Path) value);
            case NUMBER, BYTES, TIME -> shown((Long) value);
            case FLAG -> value.equals(true) ? "on" : "off";
            case NAMES -> Names.printable(String.join(",", namesOf(value)));
        };
    }

    String checkText(String text) {
        int bytes = bytesOf(text);
        if (bytes < min) {
            throw new InvalidSettingException(this, "must not be empty");
        }
        if (bytes > max) {
            throw new InvalidSettingException(this, "is " + bytes + " bytes long (at most " + max + ")");
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isISOControl(c) || (c == '/' && this == NAME)) {
                throw new InvalidSettingException(
                        this,
                        quote(text) + " has a character that is not allowed (control characters"
                                + (this == NAME ? " and '/')" : ")"));
            }
        }
        try {
            checkForm(text);
        } catch (IllegalArgumentException e) {
            throw new InvalidSettingException(this, String.valueOf(e.getMessage()), e);
        }
        return text;
    }

    private void checkForm(String text) {
        if (this == TECHNIQUES) {
            TechniqueRules.parse(text);
        } else if (this == METRICS) {
            LocalAddress.parse(text);
        }
    }

    List<String> checkNames(List<String> names) {
        for (String name : names) {
            if (name.indexOf(',') >= 0) {
                throw new InvalidSettingException(this, quote(name) + " has a comma, which separates names");
            }
            checkText(name);
        }
        return List.copyOf(names);
    }

    private List<String> parseNames(String text) {
        if (text.isBlank()) {
            return List.of();
        }
        return checkNames(Stream.of(text.split(",", -1)).map(String::strip).toList());
    }

    /** A value of kind {@link Kind#NAMES}. */
    static List<String> namesOf(Object value) {
        return ((List<?>) value).stream().map(String.class::cast).toList();
    }

    Long checkNumber(long value) {
        if (value < min || value > max) {
            throw new InvalidSettingException(this, shown(value) + " is out of range (" + range() + ")");
        }
        return value;
    }

    Path checkPath(Path path) {
        if (path.toString().isEmpty()) {
            throw new InvalidSettingException(this, "must not be empty");
        }
        try {
            return Names.absolute(path);
        } catch (InvalidPathException e) {
            throw notAPath(path.toString(), e);
        }
    }

    private int bytesOf(String text) {
        try {
            return Names.bytes(text).length;
        } catch (InvalidPathException e) {
            throw new InvalidSettingException(this, quote(text) + " is not text: " + e.getReason(), e);
        }
    }

    String checkChoice(String text) {
        String word = text.toLowerCase(Locale.ROOT);
        if (!List.of(argument.split("\\|", -1)).contains(word)) {
            throw new InvalidSettingException(this, quote(text) + " is not one of " + argument.replace("|", ", "));
        }
        return word;
    }

    private Path parsePath(String text) {
        if (text.isEmpty()) {
            throw new InvalidSettingException(this, "must not be empty");
        }
        try {
            return checkPath(Names.path(text));
        } catch (InvalidPathException e) {
            throw notAPath(text, e);
        }
    }

    private InvalidSettingException notAPath(String text, InvalidPathException cause) {
        return new InvalidSettingException(this, quote(text) + " is not a path: " + cause.getReason(), cause);
    }

    private Boolean parseFlag(String text) {
        return switch (text.toLowerCase(Locale.ROOT)) {
            case "true", "yes", "on", "1" -> Boolean.TRUE;
            case "false", "no", "off", "0" -> Boolean.FALSE;
            default -> throw new InvalidSettingException(this, quote(text) + " is neither on nor off");
        };
    }

    private long parseBytes(String text) {
        try {
            return ByteSizes.parse(text);
        } catch (NumberFormatException e) {
            throw notANumber(text, e);
        } catch (ArithmeticException e) {
            throw outOfRange(text, e);
        }
    }

    private long parseNumber(String text) {
        try {
            return ByteSizes.parse(text, 1);
        } catch (NumberFormatException e) {
            throw notANumber(text, e);
        } catch (ArithmeticException e) {
            throw outOfRange(text, e);
        }
    }

    /** Rounded up to whole milliseconds: what is more than nothing is not nothing. */
    private long parseTime(String text) {
        try {
            return -Math.floorDiv(-Times.parse(text, Duration.ofMillis(1)).toNanos(), NANOS_PER_MS);
        } catch (NumberFormatException e) {
            throw notANumber(text, e);
        } catch (ArithmeticException e) {
            throw outOfRange(text, e);
        }
    }

    private String shown(long value) {
        return switch (kind) {
            case BYTES -> ByteSizes.format(value);
            case TIME -> Times.format(value);
            case NUMBER, TEXT, PATH, FLAG, CHOICE, NAMES -> Long.toString(value);
        };
    }

    private InvalidSettingException outOfRange(String text, Throwable cause) {
        return new InvalidSettingException(this, text + " is out of range (" + range() + ")", cause);
    }

    private InvalidSettingException notANumber(String text, Throwable cause) {
        String what =
                switch (kind) {
                    case BYTES -> " is not a number of bytes (";
                    case TIME -> " is not a time, such as 500ms, 30s or 5m (";
                    case NUMBER, TEXT, PATH, FLAG, CHOICE, NAMES -> " is not a number (";
                };
        return new InvalidSettingException(this, quote(text) + what + range() + ")", cause);
    }

    private static String quote(String text) {
        return "'" + Names.printable(text) + "'";
    }
}
