package io.sendfiled.daemon;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigIncludeContext;
import com.typesafe.config.ConfigIncluder;
import com.typesafe.config.ConfigIncluderClasspath;
import com.typesafe.config.ConfigIncluderFile;
import com.typesafe.config.ConfigIncluderURL;
import com.typesafe.config.ConfigList;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigResolver;
import com.typesafe.config.ConfigSyntax;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import com.typesafe.config.ConfigValueType;
import io.sendfiled.config.Setting;
import io.sendfiled.names.Names;
import java.net.URL;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads a configuration file, HOCON: its settings, each with its file and line, and every problem. It may include other
 * files, and use variables of the environment. Bytes that are not UTF-8 pass, as in all {@link Names}.
 *
 * <p>The only class that uses the library, so that it is loaded where there is a file, and not elsewhere. Main thread; reads
 * files, which may wait for a disk.
 */
final class ConfigFile {
    /** A file that includes one that includes one, and so on; also one that includes itself. */
    private static final int MOST_INCLUDES = 16;

    /** Characters that substitutions may make of a text: more might not fit into the heap, whose end is the daemon's. */
    private static final int MOST_SUBSTITUTED = 4 << 20;

    private static final String SUBSTITUTION = "${";

    /** A word of so many characters may differ in one of them from the key that it means. */
    private static final int SHARE = 3;

    private static final List<String> KEYS =
            Arrays.stream(Setting.values()).map(Setting::key).toList();

    private final ConfigText source;
    private final Map<String, String> environment;
    private final List<Given> given;
    private final List<String> problems;
    private int characters;
    private int substitutions;

    private ConfigFile(ConfigText source, Map<String, String> environment, List<Given> given, List<String> problems) {
        this.source = source;
        this.environment = environment;
        this.given = given;
        this.problems = problems;
    }

    /**
     * Adds what is given in the file, and what is wrong with it.
     *
     * @param source reads it, and the files that it includes
     * @param environment for substitutions, {@code ${HOME}}
     */
    static void read(
            Path file, ConfigText source, Map<String, String> environment, List<Given> given, List<String> problems) {
        new ConfigFile(source, environment, given, problems).read(file);
    }

    private void read(Path file) {
        try {
            ConfigObject written = parse(file, 0);
            if (demandKnownKeys(written) && demandBoundedSize(file)) {
                take(written);
            }
        } catch (ConfigText.Unreadable e) {
            problems.add(e.getMessage());
        } catch (ConfigException e) { // has the file and the line
            problems.add(Names.printable(String.valueOf(e.getMessage())));
        } catch (StackOverflowError e) {
            problems.add(Names.printable(file) + ": has too many brackets inside of each other");
        }
    }

    private ConfigObject parse(Path file, int depth) {
        ConfigParseOptions options = ConfigParseOptions.defaults()
                .setSyntax(ConfigSyntax.CONF)
                .setOriginDescription(Names.printable(file))
                .setIncluder(new Includer(file, depth));
        String text = source.read(file);
        characters += text.length();
        substitutions += occurrences(text);
        return ConfigFactory.parseString(text, options).root();
    }

    private static int occurrences(String text) {
        int count = 0;
        for (int at = text.indexOf(SUBSTITUTION); at >= 0; at = text.indexOf(SUBSTITUTION, at + 1)) {
            count++;
        }
        return count;
    }

    /** Of n substitutions, m that each have n/m times the value before them in them make the most: less than e^(n/e). */
    private boolean demandBoundedSize(Path file) {
        int longest =
                environment.values().stream().mapToInt(String::length).max().orElse(0);
        if ((characters + longest) * Math.exp(substitutions / Math.E) <= MOST_SUBSTITUTED) {
            return true;
        }
        problems.add(Names.printable(file) + ": has " + substitutions
                + " substitutions, ${...}, which can make too much of so long a text");
        return false;
    }

    /** Before anything is substituted: what no key asks for is not even computed. */
    private boolean demandKnownKeys(ConfigObject written) {
        boolean known = true;
        for (String key : written.keySet()) {
            if (Setting.of(key) == null) {
                known = false;
                problems.add(place(written, key) + ": " + Names.printable(key) + ": " + unknown(key, written.get(key)));
            }
        }
        return known;
    }

    private static String unknown(String key, @Nullable ConfigValue value) {
        if (value instanceof ConfigObject) {
            return "unknown section (a key stands by itself, in no section)";
        }
        String meant = Spelling.nearest(key, KEYS, SHARE);
        return "unknown key (" + (meant == null ? "see sendfiled.conf(5)" : "did you mean " + meant + "?") + ")";
    }

    private void take(ConfigObject written) {
        Config resolved = written.toConfig()
                .resolve(ConfigResolveOptions.defaults()
                        .setUseSystemEnvironment(false)
                        .appendResolver(new Variables()));
        for (Setting setting : Setting.values()) {
            ConfigValue value = resolved.root().get(setting.key());
            if (value != null) {
                take(setting, resolved, value, Origin.ofFile(place(written, setting.key())));
            }
        }
    }

    private void take(Setting setting, Config resolved, ConfigValue value, Origin origin) {
        String path = ConfigUtil.joinPath(setting.key());
        if (value.valueType() == ConfigValueType.NULL) {
            return; // as if it were not there, says HOCON
        }
        if (value instanceof ConfigObject || (value instanceof ConfigList && !setting.isList())) {
            problems.add(origin.label(setting) + ": needs one value, and has a "
                    + (value instanceof ConfigObject ? "section" : "list"));
            return;
        }
        String text;
        try {
            text = value instanceof ConfigList
                    ? String.join(", ", resolved.getStringList(path))
                    : resolved.getString(path);
        } catch (ConfigException.WrongType e) {
            problems.add(origin.label(setting) + ": the list has something that is no text");
            return;
        }
        if (setting.kind() == Setting.Kind.PATH && !text.startsWith("/")) {
            problems.add(origin.label(setting) + ": '" + Names.printable(text)
                    + "' does not begin with a slash: a file is in no working directory");
            return;
        }
        given.add(new Given(setting, text, origin));
    }

    /** File and line of a key, as it was written: what is substituted has them no more. */
    private static String place(ConfigObject written, String key) {
        ConfigValue value = written.get(key);
        return value == null ? "" : Names.printable(value.origin().description());
    }

    /** {@code include "FILE"}, relative to the file that has it; one that is missing counts if it is {@code required}. */
    private final class Includer
            implements ConfigIncluder, ConfigIncluderFile, ConfigIncluderURL, ConfigIncluderClasspath {
        private final Path file;
        private final int depth;

        Includer(Path file, int depth) {
            this.file = file;
            this.depth = depth;
        }

        @Override
        public ConfigObject include(ConfigIncludeContext context, String name) {
            Path directory = file.getParent();
            Path included =
                    name.startsWith("/") || directory == null ? Names.path(name) : Names.resolve(directory, name);
            if (depth == MOST_INCLUDES) {
                throw refusal("includes more than " + MOST_INCLUDES + " files inside of each other, or itself");
            }
            if (context.parseOptions().getAllowMissing() && source.isMissing(included)) {
                return ConfigFactory.empty().root();
            }
            return parse(included, depth + 1);
        }

        @Override
        public ConfigObject includeFile(ConfigIncludeContext context, java.io.File what) {
            return include(context, what.getPath());
        }

        @Override
        public ConfigObject includeURL(ConfigIncludeContext context, URL what) {
            throw refusal("includes a URL; only files can be included");
        }

        @Override
        public ConfigObject includeResources(ConfigIncludeContext context, String what) {
            throw refusal("includes from a class path; only files can be included");
        }

        private ConfigText.Unreadable refusal(String what) {
            return new ConfigText.Unreadable(Names.printable(file) + ": " + what);
        }

        @Override
        public ConfigIncluder withFallback(ConfigIncluder fallback) {
            return this;
        }
    }

    /** The environment with the bytes of its values, which the library's own view of it has lost. */
    private final class Variables implements ConfigResolver {
        @Override
        public @Nullable ConfigValue lookup(String path) {
            String value = environment.get(path);
            return value == null ? null : ConfigValueFactory.fromAnyRef(value, "the environment");
        }

        @Override
        public ConfigResolver withFallback(ConfigResolver fallback) {
            return this;
        }
    }
}
