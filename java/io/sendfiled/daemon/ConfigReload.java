package io.sendfiled.daemon;

import io.sendfiled.config.InvalidSettingException;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.config.Setting.Change;
import io.sendfiled.engine.Engine;
import io.sendfiled.sys.Errno;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.StringJoiner;

/**
 * What SIGHUP asks for: reads the configuration again, checks all of it, and has the engine go on with what a reload can
 * change, in one step. If anything is wrong, the old settings stay.
 *
 * <p>Main thread; reads files, which may wait for a disk: the engine serves meanwhile.
 */
final class ConfigReload {
    private final ConfigSources sources;
    private final ProgramConfig started;
    private final OpenFiles openFiles;
    private final Engine engine;

    /**
     * @param started what the daemon was started with
     * @param openFiles the limit that holds since then
     */
    ConfigReload(ConfigSources sources, ProgramConfig started, OpenFiles openFiles, Engine engine) {
        this.sources = sources;
        this.started = started;
        this.openFiles = openFiles;
        this.engine = engine;
    }

    /** Reloads, and gives what is to be said about it, a line each. */
    List<String> run() {
        try {
            return reload();
        } catch (UsageException e) {
            return refusal(e.problems());
        } catch (StartException e) {
            return refusal(List.of(String.valueOf(e.getMessage())));
        }
    }

    private static List<String> refusal(List<String> problems) {
        List<String> lines = new ArrayList<>(problems);
        lines.add("not reloaded: the old settings hold on");
        return lines;
    }

    private List<String> reload() throws UsageException, StartException {
        List<String> lines = new ArrayList<>();
        SendfiledConfig before = engine.config();
        ProgramConfig read = sources.load();
        for (Setting setting : Setting.values()) {
            if (setting.change() == Change.RESTART) {
                if (!Objects.equals(started.given(setting), read.given(setting))) {
                    lines.add(read.label(setting) + ": changed, which takes effect at the next start");
                }
                if (!setting.isOfProgram()) {
                    read.engine().set(setting, before);
                }
            }
        }
        SendfiledConfig after = openFiles.fit(read);
        apply(read, after);
        lines.add("reloaded: " + changes(before, after));
        return lines;
    }

    private void apply(ProgramConfig read, SendfiledConfig after) throws StartException {
        try {
            engine.reload(after);
        } catch (InvalidSettingException e) {
            throw new StartException(Errno.EINVAL, read.label(e.setting()) + ": " + e.problem(), e);
        }
    }

    private static String changes(SendfiledConfig before, SendfiledConfig after) {
        StringJoiner changes = new StringJoiner(", ");
        changes.setEmptyValue("no setting has another value");
        for (Setting setting : Setting.values()) {
            if (setting.change() == Change.RELOAD && !after.get(setting).equals(before.get(setting))) {
                changes.add(setting.key() + " " + setting.format(before.get(setting)) + " -> "
                        + setting.format(after.get(setting)));
            }
        }
        return changes.toString();
    }
}
