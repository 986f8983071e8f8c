package io.sendfiled.daemon;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.config.Setting;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class HelpTextTest {
    @ParameterizedTest
    @EnumSource(Setting.class)
    void shouldTellEverySettingWithItsBoundsAndDefault(Setting setting) {
        String words = HelpText.text().replaceAll("\\s+", " ");
        assertTrue(words.contains("--" + setting.key()), setting.key());
        assertTrue(words.contains(setting.sentence()), setting.sentence());
        assertTrue(words.contains(setting.range()), setting.range());
        if (setting.kind() != Setting.Kind.FLAG && !setting.standard().isEmpty()) {
            assertTrue(words.contains("default: " + setting.standard()), setting.standard());
        }
    }

    @Test
    void shouldFitATerminalOf80Columns() {
        for (String line : HelpText.text().split("\n", -1)) {
            assertTrue(line.length() <= 80, line);
        }
    }
}
