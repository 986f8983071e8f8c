package io.sendfiled.config;

import io.sendfiled.names.Names;
import io.sendfiled.technique.TechniqueRules;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What one engine is started with. Immutable, any thread; every value has been checked against the table of {@link
 * Setting}s, and every default has been decided, so that an accessor gives the value that is used.
 *
 * <pre>{@code
 * SendfiledConfig config = SendfiledConfig.builder().name("web").root(Path.of("/srv")).maxTransfers(500).build();
 * }</pre>
 */
public final class SendfiledConfig {
    /* sun_path of unix(7), less its NUL */
    private static final int SOCKET_PATH_BYTES = 107;

    private final Map<Setting, Object> values = new EnumMap<>(Setting.class);
    private final TechniqueRules techniques;

    private SendfiledConfig(Builder builder) {
        for (Setting setting : Setting.values()) {
            if (!setting.isOfProgram()) {
                Object given = builder.values.get(setting);
                values.put(setting, given == null ? setting.standard(this) : given);
            }
        }
        techniques = TechniqueRules.parse(text(Setting.TECHNIQUES));
        int bytes = Names.bytes(socketPath()).length;
        if (bytes > SOCKET_PATH_BYTES) {
            throw new InvalidSettingException(
                    Setting.SOCKET_DIRECTORY,
                    "the socket's path " + Names.printable(socketPath()) + " is " + bytes + " bytes long (at most "
                            + SOCKET_PATH_BYTES + ")");
        }
    }

    /** A builder in which nothing is set. */
    public static Builder builder() {
        return new Builder();
    }

    /** The instance's name. */
    public String name() {
        return text(Setting.NAME);
    }

    /** The absolute directory that clients' paths are resolved inside. */
    public Path root() {
        return (Path) get(Setting.ROOT);
    }

    /** The absolute directory of the request socket. */
    public Path socketDirectory() {
        return (Path) get(Setting.SOCKET_DIRECTORY);
    }

    /** Where the request socket is, {@code DIR/sendfiled.NAME.socket}; at most 107 bytes. */
    public Path socketPath() {
        return Names.resolve(socketDirectory(), SocketDirectories.socketFile(name()));
    }

    /** Whether the path of the root is resolved anew for each request. */
    public boolean followRoot() {
        return (Boolean) get(Setting.FOLLOW_ROOT);
    }

    /** Most transfers at once, 1..1,000,000. */
    public int maxTransfers() {
        return number(Setting.MAX_TRANSFERS);
    }

    /** Most transfers of one client at once, 1..1,000,000. */
    public int clientTransfers() {
        return number(Setting.CLIENT_TRANSFERS);
    }

    /** Most descriptors of one client, held or waiting to be closed, 3..4,000,000. */
    public int clientDescriptors() {
        return number(Setting.CLIENT_DESCRIPTORS);
    }

    /** Most tasks of one client with the disk pool, 1..1,000,000. */
    public int clientDiskTasks() {
        return number(Setting.CLIENT_DISK_TASKS);
    }

    /**
     * Most bytes of memory files that are filled at once, for all clients, up to 16 TiB; 0: half of the memory that its
     * cgroup, or the machine, may have.
     */
    public long memoryBytes() {
        return (Long) get(Setting.MEMORY_BYTES);
    }

    /** The same for one client; 0: three quarters of that. */
    public long clientMemoryBytes() {
        return (Long) get(Setting.CLIENT_MEMORY_BYTES);
    }

    /** Users, by name or number, whose processes are served beside those of root and of the engine's own user. */
    public List<String> allowUsers() {
        return Setting.namesOf(get(Setting.ALLOW_USERS));
    }

    /** Groups, by name or number, whose members are served, and processes that run with that group. */
    public List<String> allowGroups() {
        return Setting.namesOf(get(Setting.ALLOW_GROUPS));
    }

    /** Milliseconds that an opened file waits to be sent, 1..3,600,000. */
    public int openTimeoutMs() {
        return number(Setting.OPEN_TIMEOUT_MS);
    }

    /** Event loops, 1..8. */
    public int loops() {
        return number(Setting.LOOPS);
    }

    /** Threads for each device, 1..256. */
    public int diskThreads() {
        return number(Setting.DISK_THREADS);
    }

    /** Most bytes that one transfer moves in a turn, 4 KiB..16 MiB. */
    public int quantumBytes() {
        return number(Setting.QUANTUM_BYTES);
    }

    /** Bytes of a loop's read-write buffer, 4 KiB..16 MiB. */
    public int bufferBytes() {
        return number(Setting.BUFFER_BYTES);
    }

    /** Most files that are kept open for the next request of a session by the same path, 0..65,536. */
    public int openFiles() {
        return number(Setting.OPEN_FILES);
    }

    /** Milliseconds that such a file is served without a look whether its path still leads to it, 0..3,600,000. */
    public int openFilesAgeMs() {
        return number(Setting.OPEN_FILES_AGE_MS);
    }

    /** Milliseconds without a byte moved after which a transfer ends, 1..86,400,000; 0: never. */
    public int idleTimeoutMs() {
        return number(Setting.IDLE_TIMEOUT_MS);
    }

    /** Milliseconds that a finished transfer waits for room for its final message, 1..86,400,000; 0: no limit. */
    public int drainTimeoutMs() {
        return number(Setting.DRAIN_TIMEOUT_MS);
    }

    /**
     * Milliseconds that transfers may go on after a signal to end, 0..3,600,000; obeyed by the program. Who embeds an engine
     * gives it to {@code Sendfiled.close(Duration)}.
     */
    public int stopTimeoutMs() {
        return number(Setting.STOP_TIMEOUT_MS);
    }

    /** The rules that select a technique when a request does not name one. */
    public TechniqueRules techniques() {
        return techniques;
    }

    /**
     * Any setting of an engine, by its kind: a {@code String}, {@code Path}, {@code Long}, {@code Boolean} or a list of
     * {@code String}.
     *
     * @throws IllegalArgumentException for a setting of the program {@code sendfiled} alone
     */
    public Object get(Setting setting) {
        Object value = values.get(setting);
        if (value == null) {
            throw ofProgram(setting);
        }
        return value;
    }

    /** Every setting and its value, {@code name=web, root=/srv, max-transfers=500, ...}, as the table has them. */
    @Override
    public String toString() {
        return "SendfiledConfig[" + Setting.format(values) + "]";
    }

    private String text(Setting setting) {
        return (String) get(setting);
    }

    private int number(Setting setting) {
        return ((Long) get(setting)).intValue();
    }

    private static InvalidSettingException ofProgram(Setting setting) {
        return new InvalidSettingException(
                setting, "is for the program sendfiled; an engine inside another program does not obey it");
    }

    /** Collects settings; each setter checks its value at once. Not for several threads. */
    public static final class Builder {
        private final Map<Setting, Object> values = new EnumMap<>(Setting.class);

        private Builder() {}

        /**
         * Sets any setting from text, as the command line has it.
         *
         * @throws InvalidSettingException when it is not a value of that setting, or only the program obeys that one
         */
        public Builder set(Setting setting, String text) {
            if (setting.isOfProgram()) {
                throw ofProgram(setting);
            }
            values.put(setting, setting.parse(text));
            return this;
        }

        /**
         * Sets any setting to what another configuration has.
         *
         * @throws InvalidSettingException when only the program obeys it
         */
        public Builder set(Setting setting, SendfiledConfig from) {
            values.put(setting, from.get(setting));
            return this;
        }

        /** Whether a value was given, so that no default applies. */
        public boolean isSet(Setting setting) {
            return values.containsKey(setting);
        }

        public Builder name(String name) {
            return put(Setting.NAME, name);
        }

        /** The name that was set, or the default one. */
        public String name() {
            return (String) values.getOrDefault(Setting.NAME, Setting.NAME.standard());
        }

        /**
         * The directory that clients' paths are resolved inside.
         *
         * @param root a path of the default file system; a relative one is taken in the working directory, now
         */
        public Builder root(Path root) {
            return put(Setting.ROOT, root);
        }

        /**
         * Whether the path of the root is resolved anew for each request, so that a symbolic link on it can be changed at
         * any time. Each request has one root, the one of its receipt. A relative path is made absolute once.
         */
        public Builder followRoot(boolean value) {
            values.put(Setting.FOLLOW_ROOT, value);
            return this;
        }

        /** The directory of the request socket; as {@link #root(Path)}. */
        public Builder socketDirectory(Path directory) {
            return put(Setting.SOCKET_DIRECTORY, directory);
        }

        /** The directory that was given; null if the default is to be had. */
        public @Nullable Path socketDirectory() {
            return (Path) values.get(Setting.SOCKET_DIRECTORY);
        }

        public Builder maxTransfers(int count) {
            return put(Setting.MAX_TRANSFERS, count);
        }

        public Builder clientTransfers(int count) {
            return put(Setting.CLIENT_TRANSFERS, count);
        }

        public Builder clientDescriptors(int count) {
            return put(Setting.CLIENT_DESCRIPTORS, count);
        }

        public Builder clientDiskTasks(int count) {
            return put(Setting.CLIENT_DISK_TASKS, count);
        }

        public Builder memoryBytes(long bytes) {
            return put(Setting.MEMORY_BYTES, bytes);
        }

        public Builder clientMemoryBytes(long bytes) {
            return put(Setting.CLIENT_MEMORY_BYTES, bytes);
        }

        /**
         * Lets other users' processes ask, too; in the place of those that were given before.
         *
         * @param names of users, or their numbers; looked up when an engine starts
         */
        public Builder allowUsers(String... names) {
            return putNames(Setting.ALLOW_USERS, names);
        }

        /** The same for the members of groups, and for processes that run with one of them. */
        public Builder allowGroups(String... names) {
            return putNames(Setting.ALLOW_GROUPS, names);
        }

        /** The users that were given, as {@link SendfiledConfig#allowUsers} has them. */
        public List<String> allowedUsers() {
            return Setting.namesOf(values.getOrDefault(Setting.ALLOW_USERS, List.of()));
        }

        /** The groups that were given. */
        public List<String> allowedGroups() {
            return Setting.namesOf(values.getOrDefault(Setting.ALLOW_GROUPS, List.of()));
        }

        public Builder openTimeoutMs(int timeoutMs) {
            return put(Setting.OPEN_TIMEOUT_MS, timeoutMs);
        }

        public Builder loops(int count) {
            return put(Setting.LOOPS, count);
        }

        public Builder diskThreads(int count) {
            return put(Setting.DISK_THREADS, count);
        }

        public Builder quantumBytes(int bytes) {
            return put(Setting.QUANTUM_BYTES, bytes);
        }

        public Builder bufferBytes(int bytes) {
            return put(Setting.BUFFER_BYTES, bytes);
        }

        public Builder openFiles(int count) {
            return put(Setting.OPEN_FILES, count);
        }

        public Builder openFilesAgeMs(int ageMs) {
            return put(Setting.OPEN_FILES_AGE_MS, ageMs);
        }

        public Builder idleTimeoutMs(int timeoutMs) {
            return put(Setting.IDLE_TIMEOUT_MS, timeoutMs);
        }

        public Builder drainTimeoutMs(int timeoutMs) {
            return put(Setting.DRAIN_TIMEOUT_MS, timeoutMs);
        }

        public Builder stopTimeoutMs(int timeoutMs) {
            return put(Setting.STOP_TIMEOUT_MS, timeoutMs);
        }

        /** Rules, written as {@link TechniqueRules} says. */
        public Builder techniques(String rules) {
            return put(Setting.TECHNIQUES, rules);
        }

        /**
         * Decides the defaults. Without a socket directory it looks for one, and makes it if it may: its only side
         * effect.
         *
         * @throws InvalidSettingException when the values do not fit each other, or no socket directory can be had
         */
        public SendfiledConfig build() {
            return new SendfiledConfig(this);
        }

        /** What was set, as {@link SendfiledConfig#toString} has it. */
        @Override
        public String toString() {
            return "SendfiledConfig.Builder[" + Setting.format(values) + "]";
        }

        private Builder put(Setting setting, long number) {
            values.put(setting, setting.checkNumber(number));
            return this;
        }

        private Builder put(Setting setting, String text) {
            values.put(setting, setting.checkText(text));
            return this;
        }

        private Builder putNames(Setting setting, String... names) {
            values.put(setting, setting.checkNames(List.of(names)));
            return this;
        }

        private Builder put(Setting setting, Path path) {
            values.put(setting, setting.checkPath(path));
            return this;
        }
    }
}
