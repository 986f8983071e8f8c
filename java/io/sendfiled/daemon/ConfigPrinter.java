package io.sendfiled.daemon;

import com.typesafe.config.ConfigUtil;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.names.Names;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The text of {@code --print-config}: the settings that a start would use, as a configuration file that gives the same
 * ones, each with where it comes from. Pure.
 */
final class ConfigPrinter {
    private ConfigPrinter() {}

    /** A {@linkplain Names#text text}, which has the bytes of names as they are. */
    static String text(ProgramConfig program, SendfiledConfig engine) {
        StringBuilder out = new StringBuilder();
        for (Setting setting : Setting.values()) {
            Origin origin = program.origin(setting);
            if (origin == null && !isSaid(setting)) {
                String standard = setting.standard().isEmpty() ? "not set" : setting.standard();
                out.append("# ").append(setting.key()).append(": ").append(standard);
            } else {
                Object value = setting.isOfProgram() ? program.given(setting) : engine.get(setting);
                out.append(setting.key()).append(" = ");
                out.append(shown(setting, value == null ? setting.parse(setting.standard()) : value));
                out.append("  # ").append(origin == null ? "default" : origin.place());
            }
            out.append('\n');
        }
        return out.toString();
    }

    /** Whether its default is one value, and not what the start finds. */
    private static boolean isSaid(Setting setting) {
        return switch (setting) {
            case SOCKET_DIRECTORY, GROUP -> false;
            default -> !setting.standard().isEmpty();
        };
    }

    private static String shown(Setting setting, Object value) {
        return switch (setting.kind()) {
            case TEXT -> ConfigUtil.quoteString((String) value);
            case PATH -> ConfigUtil.quoteString(Names.text(Names.bytes((Path) value)));
            case NAMES ->
                ((List<?>) value)
                        .stream()
                                .map(name -> ConfigUtil.quoteString((String) name))
                                .collect(Collectors.joining(", ", "[", "]"));
            case NUMBER, BYTES, TIME, FLAG, CHOICE -> setting.format(value);
        };
    }
}
