package io.sendfiled.daemon;

import io.sendfiled.config.Setting;
import java.util.Locale;

/**
 * Where a value was given, so that a message about it leads there. Immutable.
 *
 * @param place {@code --loops}, {@code SENDFILED_LOOPS}, or a file and its line
 * @param needsKey whether that does not say yet which setting it is
 */
record Origin(String place, boolean needsKey) {
    static final String VARIABLE_PREFIX = "SENDFILED_";

    static Origin ofOption(Setting setting) {
        return new Origin("--" + setting.key(), false);
    }

    static Origin ofVariable(Setting setting) {
        return new Origin(variable(setting.key()), false);
    }

    /**
     * @param place the file's name, as it may be printed, and a line
     */
    static Origin ofFile(String place) {
        return new Origin(place, true);
    }

    /** The environment variable of a setting or another option: upper case, with underscores for dashes. */
    static String variable(String key) {
        return VARIABLE_PREFIX + key.toUpperCase(Locale.ROOT).replace('-', '_');
    }

    /** What a message about that setting begins with. */
    String label(Setting setting) {
        return needsKey ? place + ": " + setting.key() : place;
    }
}
