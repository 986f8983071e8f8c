package io.sendfiled.daemon;

import io.sendfiled.config.InvalidSettingException;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.sys.Errno;
import io.sendfiled.units.LocalAddress;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * All settings that the program was given. The values of its own settings are here; those of the engine are in a
 * builder, because some of their defaults depend on the user that the program becomes.
 *
 * <p>Main thread.
 */
final class ProgramConfig {
    private final Map<Setting, Object> values = new EnumMap<>(Setting.class);
    private final SendfiledConfig.Builder engine = SendfiledConfig.builder();
    private final Map<Setting, Object> all = new EnumMap<>(Setting.class); // that were given
    private final Map<Setting, Origin> origins = new EnumMap<>(Setting.class);
    private final List<Path> files;

    /**
     * @param files that the values were read from, with all that these include
     */
    ProgramConfig(List<Path> files) {
        this.files = List.copyOf(files);
    }

    /**
     * Sets any setting from text; what was set before counts no more.
     *
     * @throws io.sendfiled.config.InvalidSettingException if it is no value of that setting
     */
    void set(Given given) {
        Setting setting = given.setting();
        Object value = setting.parse(given.text());
        if (setting.isOfProgram()) {
            values.put(setting, value);
        } else {
            engine.set(setting, given.text());
        }
        all.put(setting, value);
        origins.put(setting, given.origin());
    }

    /** The files that the values were read from; absolute. */
    List<Path> files() {
        return files;
    }

    /** Where a value was given; null when it is a default. */
    @Nullable
    Origin origin(Setting setting) {
        return origins.get(setting);
    }

    /** What a message about a setting's value begins with: where it was given, or its option. */
    String label(Setting setting) {
        return origins.getOrDefault(setting, Origin.ofOption(setting)).label(setting);
    }

    /** The value that was given; null when it is a default. */
    @Nullable
    Object given(Setting setting) {
        return all.get(setting);
    }

    /**
     * The engine's configuration, with all defaults.
     *
     * @throws UsageException if the values that were given do not fit each other
     * @throws StartException if a default cannot be had
     */
    SendfiledConfig build() throws StartException, UsageException {
        try {
            return engine.build();
        } catch (InvalidSettingException e) {
            String problem = label(e.setting()) + ": " + e.problem();
            if (isSet(e.setting())) {
                throw new UsageException(problem, e);
            }
            throw new StartException(Errno.EINVAL, problem, e);
        }
    }

    /** Whether a value was given, so that no default applies. */
    boolean isSet(Setting setting) {
        return values.containsKey(setting) || engine.isSet(setting);
    }

    /** The settings of the engine, whose defaults are not decided yet. */
    SendfiledConfig.Builder engine() {
        return engine;
    }

    /** The user to become, or null. */
    @Nullable
    String user() {
        return (String) values.get(Setting.USER);
    }

    /** The group to become, or null. */
    @Nullable
    String group() {
        return (String) values.get(Setting.GROUP);
    }

    /** Whether it detaches. */
    boolean daemonize() {
        return flag(Setting.DAEMONIZE);
    }

    /** Whether it reports to descriptor 3. */
    boolean syncParent() {
        return flag(Setting.SYNC_PARENT);
    }

    /** The file of the access log; null: there is none. */
    @Nullable
    Path accessLog() {
        return (Path) values.get(Setting.ACCESS_LOG);
    }

    /** How lines of logs look. */
    ProgramLog.Format logFormat() {
        Object word = values.getOrDefault(Setting.LOG_FORMAT, Setting.LOG_FORMAT.standard());
        return ProgramLog.Format.of((String) word);
    }

    /** Where its metrics are; null: nowhere. */
    @Nullable
    LocalAddress metrics() {
        Object address = values.get(Setting.METRICS);
        return address == null ? null : LocalAddress.parse((String) address);
    }

    /** Whether it takes the place of one that serves. */
    boolean takeOver() {
        return flag(Setting.TAKE_OVER);
    }

    /** Whether it confines itself. */
    SandboxMode sandbox() {
        Object word = values.getOrDefault(Setting.SANDBOX, Setting.SANDBOX.standard());
        return SandboxMode.of((String) word);
    }

    /** Whether it may run as root. */
    boolean allowRoot() {
        return flag(Setting.ALLOW_ROOT);
    }

    /** What was set. */
    @Override
    public String toString() {
        return "ProgramConfig[" + Setting.format(values) + "] " + engine;
    }

    private boolean flag(Setting setting) {
        return Boolean.TRUE.equals(values.get(setting));
    }
}
