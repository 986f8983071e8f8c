package io.sendfiled.config;

import io.sendfiled.technique.TechniqueRules;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What one instance is started with. Immutable, any thread; every value has been checked against the table of
 * {@link Setting}s, and every default has been decided, so that what an accessor says is what holds.
 *
 * <pre>{@code
 * SendfiledConfig config = SendfiledConfig.builder().name("web").root(Path.of("/srv")).maxTransfers(500).build();
 * }</pre>
 */
public final class SendfiledConfig {
    private static final int MOST_STANDARD_LOOPS = 4;
    /* status channel, destination, file; beside them closes that are pending */
    private static final int DESCRIPTORS_A_TRANSFER = 3;
    private static final int MORE_DESCRIPTORS = 64;
    /* sun_path of unix(7), less its NUL */
    private static final int SOCKET_PATH_BYTES = 107;

    private final String name;
    private final Path root;
    private final Path socketDirectory;
    private final int maxTransfers;
    private final int clientTransfers;
    private final int clientDescriptors;
    private final int clientDiskTasks;
    private final int openTimeoutMs;
    private final @Nullable String user;
    private final @Nullable String group;
    private final boolean daemonize;
    private final boolean syncParent;
    private final int loops;
    private final int diskThreads;
    private final int quantumBytes;
    private final int bufferBytes;
    private final int idleTimeoutMs;
    private final int drainTimeoutMs;
    private final int stopTimeoutMs;
    private final TechniqueRules techniques;
    private final SandboxMode sandbox;
    private final boolean allowRoot;

    private SendfiledConfig(Builder builder) {
        name = builder.text(Setting.NAME, Setting.NAME.standard());
        root = builder.path(Setting.ROOT, Path.of("").toAbsolutePath());
        socketDirectory = socketDirectory(builder.values.get(Setting.SOCKET_DIRECTORY));
        maxTransfers = builder.number(Setting.MAX_TRANSFERS);
        clientTransfers = builder.number(Setting.CLIENT_TRANSFERS, Math.max(1, maxTransfers * 3 / 4));
        clientDescriptors =
                builder.number(Setting.CLIENT_DESCRIPTORS, DESCRIPTORS_A_TRANSFER * clientTransfers + MORE_DESCRIPTORS);
        clientDiskTasks = builder.number(Setting.CLIENT_DISK_TASKS, clientTransfers);
        openTimeoutMs = builder.number(Setting.OPEN_TIMEOUT_MS);
        user = (String) builder.values.get(Setting.USER);
        group = (String) builder.values.get(Setting.GROUP);
        daemonize = builder.flag(Setting.DAEMONIZE);
        syncParent = builder.flag(Setting.SYNC_PARENT);
        loops = builder.isSet(Setting.LOOPS)
                ? builder.number(Setting.LOOPS)
                : Math.min(Runtime.getRuntime().availableProcessors(), MOST_STANDARD_LOOPS);
        diskThreads = builder.number(Setting.DISK_THREADS);
        quantumBytes = builder.number(Setting.QUANTUM_BYTES);
        bufferBytes = builder.number(Setting.BUFFER_BYTES);
        idleTimeoutMs = builder.number(Setting.IDLE_TIMEOUT_MS);
        drainTimeoutMs = builder.number(Setting.DRAIN_TIMEOUT_MS);
        stopTimeoutMs = builder.number(Setting.STOP_TIMEOUT_MS);
        techniques = TechniqueRules.parse(builder.text(Setting.TECHNIQUES, Setting.TECHNIQUES.standard()));
        sandbox = SandboxMode.of(builder.text(Setting.SANDBOX, Setting.SANDBOX.standard()));
        allowRoot = builder.flag(Setting.ALLOW_ROOT);
        int bytes = socketPath().toString().getBytes(StandardCharsets.UTF_8).length;
        if (bytes > SOCKET_PATH_BYTES) {
            throw new InvalidSettingException(
                    Setting.SOCKET_DIRECTORY,
                    "the socket's path " + socketPath() + " is " + bytes + " bytes long (at most " + SOCKET_PATH_BYTES
                            + ")");
        }
    }

    private static Path socketDirectory(@Nullable Object given) {
        return given == null ? SocketDirectories.forDaemon() : (Path) given;
    }

    /** A builder in which nothing is set. */
    public static Builder builder() {
        return new Builder();
    }

    /** The instance's name. */
    public String name() {
        return name;
    }

    /** The absolute directory that clients' paths are resolved inside. */
    public Path root() {
        return root;
    }

    /** The absolute directory of the request socket. */
    public Path socketDirectory() {
        return socketDirectory;
    }

    /** Where the request socket is, {@code DIR/sendfiled.NAME.socket}; at most 107 bytes. */
    public Path socketPath() {
        return socketDirectory.resolve(SocketDirectories.socketFile(name));
    }

    /** Most transfers at once, 1..1,000,000. */
    public int maxTransfers() {
        return maxTransfers;
    }

    /** Most transfers of one client at once, 1..1,000,000. */
    public int clientTransfers() {
        return clientTransfers;
    }

    /** Most descriptors of one client, held or waiting to be closed, 3..4,000,000. */
    public int clientDescriptors() {
        return clientDescriptors;
    }

    /** Most tasks of one client with the disk pool, 1..1,000,000. */
    public int clientDiskTasks() {
        return clientDiskTasks;
    }

    /** Milliseconds that an opened file waits to be sent, 1..3,600,000. */
    public int openTimeoutMs() {
        return openTimeoutMs;
    }

    /** The user to become, or null; obeyed by the program, not by an embedded engine. */
    public @Nullable String user() {
        return user;
    }

    /** The group to become, or null; obeyed by the program, not by an embedded engine. */
    public @Nullable String group() {
        return group;
    }

    /** Whether the program detaches; not obeyed by an embedded engine. */
    public boolean daemonize() {
        return daemonize;
    }

    /** Whether the program reports to descriptor 3; not obeyed by an embedded engine. */
    public boolean syncParent() {
        return syncParent;
    }

    /** Event loops, 1..8. */
    public int loops() {
        return loops;
    }

    /** Threads for each device, 1..256. */
    public int diskThreads() {
        return diskThreads;
    }

    /** Most bytes that one transfer moves in a turn, 4 KiB..16 MiB. */
    public int quantumBytes() {
        return quantumBytes;
    }

    /** Bytes of a loop's read-write buffer, 4 KiB..16 MiB. */
    public int bufferBytes() {
        return bufferBytes;
    }

    /** Milliseconds without a byte moved after which a transfer ends, 1..86,400,000; 0: never. */
    public int idleTimeoutMs() {
        return idleTimeoutMs;
    }

    /** Milliseconds that a finished transfer waits for room for its last message, 1..86,400,000; 0: for ever. */
    public int drainTimeoutMs() {
        return drainTimeoutMs;
    }

    /**
     * Milliseconds that transfers may go on after a signal to end, 0..3,600,000; obeyed by the program. Who embeds an engine
     * gives it to {@code Sendfiled.close(Duration)}.
     */
    public int stopTimeoutMs() {
        return stopTimeoutMs;
    }

    /** By what a technique is chosen when a request leaves it open. */
    public TechniqueRules techniques() {
        return techniques;
    }

    /** Whether the program confines itself; not obeyed by an embedded engine, whose process is not its own. */
    public SandboxMode sandbox() {
        return sandbox;
    }

    /** Whether the program may run as root; not obeyed by an embedded engine. */
    public boolean allowRoot() {
        return allowRoot;
    }

    /** Collects settings; each setter checks its value at once. Not for several threads. */
    public static final class Builder {
        private final Map<Setting, Object> values = new EnumMap<>(Setting.class);

        private Builder() {}

        /**
         * Sets any setting from text, as the command line and a file have it.
         *
         * @throws InvalidSettingException when it is not a value of that setting
         */
        public Builder set(Setting setting, String text) {
            values.put(setting, setting.parse(text));
            return this;
        }

        /** Whether a value was given, so that no default applies. */
        public boolean isSet(Setting setting) {
            return values.containsKey(setting);
        }

        public Builder name(String name) {
            return put(Setting.NAME, Setting.NAME.checkText(name));
        }

        public Builder root(Path root) {
            return put(Setting.ROOT, Setting.ROOT.checkPath(root));
        }

        public Builder socketDirectory(Path directory) {
            return put(Setting.SOCKET_DIRECTORY, Setting.SOCKET_DIRECTORY.checkPath(directory));
        }

        public Builder maxTransfers(int count) {
            return put(Setting.MAX_TRANSFERS, Setting.MAX_TRANSFERS.checkNumber(count));
        }

        public Builder clientTransfers(int count) {
            return put(Setting.CLIENT_TRANSFERS, Setting.CLIENT_TRANSFERS.checkNumber(count));
        }

        public Builder clientDescriptors(int count) {
            return put(Setting.CLIENT_DESCRIPTORS, Setting.CLIENT_DESCRIPTORS.checkNumber(count));
        }

        public Builder clientDiskTasks(int count) {
            return put(Setting.CLIENT_DISK_TASKS, Setting.CLIENT_DISK_TASKS.checkNumber(count));
        }

        public Builder openTimeoutMs(int timeoutMs) {
            return put(Setting.OPEN_TIMEOUT_MS, Setting.OPEN_TIMEOUT_MS.checkNumber(timeoutMs));
        }

        public Builder user(String user) {
            return put(Setting.USER, Setting.USER.checkText(user));
        }

        public Builder group(String group) {
            return put(Setting.GROUP, Setting.GROUP.checkText(group));
        }

        public Builder daemonize(boolean on) {
            return put(Setting.DAEMONIZE, on);
        }

        public Builder syncParent(boolean on) {
            return put(Setting.SYNC_PARENT, on);
        }

        public Builder loops(int count) {
            return put(Setting.LOOPS, Setting.LOOPS.checkNumber(count));
        }

        public Builder diskThreads(int count) {
            return put(Setting.DISK_THREADS, Setting.DISK_THREADS.checkNumber(count));
        }

        public Builder quantumBytes(int bytes) {
            return put(Setting.QUANTUM_BYTES, Setting.QUANTUM_BYTES.checkNumber(bytes));
        }

        public Builder bufferBytes(int bytes) {
            return put(Setting.BUFFER_BYTES, Setting.BUFFER_BYTES.checkNumber(bytes));
        }

        public Builder idleTimeoutMs(int timeoutMs) {
            return put(Setting.IDLE_TIMEOUT_MS, Setting.IDLE_TIMEOUT_MS.checkNumber(timeoutMs));
        }

        public Builder drainTimeoutMs(int timeoutMs) {
            return put(Setting.DRAIN_TIMEOUT_MS, Setting.DRAIN_TIMEOUT_MS.checkNumber(timeoutMs));
        }

        public Builder stopTimeoutMs(int timeoutMs) {
            return put(Setting.STOP_TIMEOUT_MS, Setting.STOP_TIMEOUT_MS.checkNumber(timeoutMs));
        }

        /** Rules, written as {@link TechniqueRules} says. */
        public Builder techniques(String rules) {
            return put(Setting.TECHNIQUES, Setting.TECHNIQUES.checkText(rules));
        }

        public Builder sandbox(SandboxMode mode) {
            return put(Setting.SANDBOX, mode.word());
        }

        public Builder allowRoot(boolean on) {
            return put(Setting.ALLOW_ROOT, on);
        }

        /**
         * Decides the defaults. Without a socket directory it looks for one, and makes the private one in /tmp when no
         * other fits: the one thing that it does to the machine.
         *
         * @throws InvalidSettingException when the values do not fit each other, or no socket directory can be had
         */
        public SendfiledConfig build() {
            return new SendfiledConfig(this);
        }

        /** A flag as it stands now, before build. */
        public boolean flag(Setting setting) {
            return Boolean.TRUE.equals(values.get(setting));
        }

        /** A text as it stands now, before build; null when it was not given. */
        public @Nullable String text(Setting setting) {
            return (String) values.get(setting);
        }

        private Builder put(Setting setting, Object value) {
            values.put(setting, value);
            return this;
        }

        private String text(Setting setting, String standard) {
            Object value = values.get(setting);
            return value == null ? standard : (String) value;
        }

        private Path path(Setting setting, Path standard) {
            Object value = values.get(setting);
            return value == null ? standard : (Path) value;
        }

        private int number(Setting setting) {
            Object value = values.get(setting);
            return ((Long) (value == null ? setting.parse(setting.standard()) : value)).intValue();
        }

        private int number(Setting setting, int standard) {
            Object value = values.get(setting);
            return value == null ? standard : ((Long) value).intValue();
        }
    }
}
