package io.sendfiled.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The commented configuration file that a package installs. To write it anew after a change of the table of settings, run
 * this with {@code -Dsendfiled.manual.write=true}.
 */
final class ConfigExampleTest {
    private static final Path FILE =
            Path.of(System.getProperty("sendfiled.test.source", "."), "packaging", "conf", "default.conf");

    private static final int WIDTH = 100;

    /** Of an instance as a package starts it. */
    private static final SendfiledConfig PACKAGED = SendfiledConfig.builder()
            .root(Path.of("/srv"))
            .socketDirectory(Path.of("/run/sendfiled/default"))
            .loops(4)
            .build();

    private static String text() {
        StringBuilder out = new StringBuilder();
        comment(
                out,
                "Settings of the instance \"default\" of sendfiled(8), in HOCON; sendfiled.conf(5) describes the file. Each"
                        + " line \"#key = value\" shows a setting with its default, or with a value that it could have."
                        + " \"sendfiled --check-config\" tells every problem, \"sendfiled --print-config\" all settings"
                        + " as a start would use them.");
        comment(
                out,
                "SIGHUP (\"systemctl reload sendfiled\") has the file read again: settings that are marked with (reload)"
                        + " change then, the others at the next start.");
        comment(
                out,
                "The environment (SENDFILED_MAX_TRANSFERS=500) and the command line (--max-transfers 500) count before"
                        + " this file.");
        for (Setting setting : Setting.values()) {
            out.append('\n');
            String sentence = Character.toUpperCase(setting.sentence().charAt(0))
                    + setting.sentence().substring(1);
            String reload = setting.change() == Setting.Change.RELOAD ? " (reload)" : "";
            comment(out, sentence + HelpText.limits(setting) + "." + reload);
            out.append(setting == Setting.ROOT ? "" : "#").append(setting.key()).append(" = ");
            out.append(value(setting)).append('\n');
        }
        return out.toString();
    }

    private static String value(Setting setting) {
        return switch (setting) {
            case USER, GROUP -> "\"sendfiled\"";
            case ACCESS_LOG -> "\"/var/log/sendfiled/default/access.log\"";
            case METRICS -> "\"unix:/run/sendfiled/default/metrics.sock\"";
            case ALLOW_USERS, ALLOW_GROUPS -> "[]";
            default -> {
                Object value = setting.isOfProgram() ? setting.parse(setting.standard()) : PACKAGED.get(setting);
                boolean plain =
                        switch (setting.kind()) {
                            case TEXT, PATH, NAMES -> false;
                            case NUMBER, BYTES, TIME, FLAG, CHOICE -> true;
                        };
                yield plain ? setting.format(value) : "\"" + setting.format(value) + "\"";
            }
        };
    }

    private static void comment(StringBuilder out, String text) {
        StringBuilder line = new StringBuilder("#");
        for (String word : text.split(" ", -1)) {
            if (line.length() + 1 + word.length() > WIDTH) {
                out.append(line).append('\n');
                line = new StringBuilder("#");
            }
            line.append(' ').append(word);
        }
        out.append(line).append('\n');
    }

    @Test
    void shouldShowEverySettingOfTheTable() throws IOException {
        if (Boolean.getBoolean("sendfiled.manual.write")) {
            Files.createDirectories(FILE.getParent());
            Files.writeString(FILE, text());
        }
        assertEquals(text(), Files.readString(FILE), "write it anew with -Dsendfiled.manual.write=true");
    }

    @Test
    void shouldSayWhatTheDaemonTakes(@TempDir Path directory) throws Exception {
        ProgramConfig asInstalled = load(directory, Files.readString(FILE));
        assertEquals(
                List.of(Setting.ROOT),
                Arrays.stream(Setting.values()).filter(asInstalled::isSet).toList());

        ProgramConfig all = load(directory, Files.readString(FILE).replaceAll("(?m)^#(?=[a-z-]+ = )", ""));
        assertEquals(
                List.of(Setting.values()),
                Arrays.stream(Setting.values()).filter(all::isSet).toList());
        assertEquals(PACKAGED.toString(), ConfigCheck.build(all).toString());
    }

    private static ProgramConfig load(Path directory, String text) throws IOException, UsageException {
        Files.writeString(directory.resolve("default.conf"), text, StandardCharsets.UTF_8);
        return new ConfigSources(CommandLine.parse(), Map.of(), false, directory).load();
    }
}
