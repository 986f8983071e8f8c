package io.sendfiled.daemon;

import io.sendfiled.config.InvalidSettingException;
import io.sendfiled.config.Setting;
import io.sendfiled.names.Names;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The three sources of settings: the command line, before the environment, before the file. The first two are kept as they
 * were at the start; the file is read again by each {@link #load}.
 *
 * <p>The file is the one of {@code --config}, or {@code /etc/sendfiled/NAME.conf} if that is there. One that was read
 * once has to be there from then on: an editor that is just replacing it must not bring all defaults back.
 *
 * <p>Main thread.
 */
final class ConfigSources {
    /** Where the files of instances are. */
    static final Path DIRECTORY = Path.of("/etc/sendfiled");

    private static final String ENDING = ".conf";
    private static final String CONFIG_VARIABLE = Origin.variable(ProgramOption.CONFIG.word());

    private final CommandLine line;
    private final Map<String, String> environment;
    private final boolean trusted;
    private final Path directory;
    private boolean wasThere;

    /**
     * @param trusted whether only root may be able to change the file
     */
    ConfigSources(CommandLine line, Map<String, String> environment, boolean trusted) {
        this(line, environment, trusted, DIRECTORY);
    }

    ConfigSources(CommandLine line, Map<String, String> environment, boolean trusted, Path directory) {
        this.line = line;
        this.environment = environment;
        this.trusted = trusted;
        this.directory = directory;
    }

    /**
     * All settings, each checked by itself.
     *
     * @throws UsageException with every problem
     */
    ProgramConfig load() throws UsageException {
        List<String> problems = new ArrayList<>();
        List<Given> given = new ArrayList<>();
        Environment.read(environment, given, problems);
        given.addAll(line.given());
        List<Given> inFile = new ArrayList<>();
        ConfigText text = new ConfigText(trusted);
        Path file = file(given, problems);
        if (file != null) {
            ConfigFile.read(file, text, environment, inFile, problems);
        }
        if (named() == null) {
            demandName(name(given), inFile, problems);
        }
        ProgramConfig config = new ProgramConfig(text.files());
        inFile.forEach(value -> set(config, value, problems));
        given.forEach(value -> set(config, value, problems));
        if (!problems.isEmpty()) {
            throw new UsageException(problems);
        }
        wasThere = file != null;
        return config;
    }

    /**
     * What has to stay readable so that they can be loaded again: the files, and the directories called {@code sendfiled}
     * in which they are, so that a file can be replaced there by another one of its name. What is beside a file in any
     * other directory is none of the daemon's business.
     *
     * @param config the last that was loaded
     */
    List<Path> readable(ProgramConfig config) {
        Set<Path> all = new LinkedHashSet<>();
        if (named() == null) {
            all.add(directory);
        }
        for (Path file : config.files()) {
            Path parent = file.getParent();
            if (parent != null && parent.endsWith(DIRECTORY.getFileName())) {
                all.add(parent);
            }
            all.add(file);
        }
        return List.copyOf(all);
    }

    private static void set(ProgramConfig config, Given value, List<String> problems) {
        try {
            config.set(value);
        } catch (InvalidSettingException e) {
            problems.add(value.origin().label(value.setting()) + ": " + e.problem());
        }
    }

    private @Nullable String named() {
        String variable = environment.get(CONFIG_VARIABLE);
        return line.configFile() != null || variable == null || variable.isEmpty() ? line.configFile() : variable;
    }

    /** The file to read; null when there is none. */
    private @Nullable Path file(List<Given> given, List<String> problems) {
        String named = named();
        if (named != null) {
            try {
                return Names.absolute(Names.path(named));
            } catch (InvalidPathException e) {
                problems.add("--" + ProgramOption.CONFIG.word() + ": '" + Names.printable(named) + "' is not a path: "
                        + e.getReason());
                return null;
            }
        }
        try {
            Path usual = Names.resolve(directory, Setting.NAME.parse(name(given)) + ENDING);
            return wasThere || Files.exists(usual) ? usual : null;
        } catch (InvalidSettingException e) {
            return null; // a problem that is told with those of all values
        }
    }

    private static String name(List<Given> given) {
        String name = Setting.NAME.standard();
        for (Given value : given) {
            name = value.setting() == Setting.NAME ? value.text() : name;
        }
        return name;
    }

    /** The file of an instance is found by its name: it cannot say another one. */
    private static void demandName(String name, List<Given> inFile, List<String> problems) {
        for (Given value : inFile) {
            if (value.setting() == Setting.NAME && !value.text().equals(name)) {
                problems.add(value.origin().label(Setting.NAME) + ": '" + Names.printable(value.text())
                        + "' is not the instance whose file this is, '" + Names.printable(name)
                        + "': a file of another name belongs to --config");
            }
        }
    }
}
