package io.sendfiled.daemon;

import io.sendfiled.config.Setting;
import io.sendfiled.names.Names;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The settings that the environment has, {@code SENDFILED_MAX_TRANSFERS} for {@code max-transfers}. An empty variable is
 * as none. Other variables of that prefix belong to others (launchers, clients, what an orchestrator tells of a service
 * of that name); only one that looks like a setting misspelt is refused.
 *
 * <p>Stateless, pure.
 */
final class Environment {
    /** A word of so many characters may differ in one of them from the setting that it means. */
    private static final int SHARE = 5;

    private static final List<String> VARIABLES = Arrays.stream(Setting.values())
            .map(setting -> Origin.variable(setting.key()))
            .toList();

    private Environment() {}

    /** Adds what is given, in the order of the table, and what is wrong. */
    static void read(Map<String, String> environment, List<Given> given, List<String> problems) {
        for (Setting setting : Setting.values()) {
            String value = environment.getOrDefault(Origin.variable(setting.key()), "");
            if (!value.isEmpty()) {
                given.add(new Given(setting, value, Origin.ofVariable(setting)));
            }
        }
        for (String name : new TreeMap<>(environment).keySet()) {
            String meant = name.startsWith(Origin.VARIABLE_PREFIX) ? meant(name) : name;
            if (!meant.equals(name)) {
                problems.add(Names.printable(name) + ": unknown variable (did you mean " + meant + "?)");
            }
        }
    }

    /** The variable that is meant, or the very one. */
    private static String meant(String name) {
        String word = name.substring(Origin.VARIABLE_PREFIX.length());
        List<String> words = VARIABLES.stream()
                .map(known -> known.substring(Origin.VARIABLE_PREFIX.length()))
                .toList();
        String nearest = Spelling.nearest(word, words, SHARE);
        return nearest == null || nearest.equals(word) ? name : Origin.VARIABLE_PREFIX + nearest;
    }
}
