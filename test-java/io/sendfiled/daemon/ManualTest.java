package io.sendfiled.daemon;

import io.sendfiled.config.Setting;
import io.sendfiled.support.ManualPage;
import java.io.IOException;
import org.junit.jupiter.api.Test;

final class ManualTest {
    @Test
    void shouldTellTheOptionsOfTheTable() throws IOException {
        ManualPage page = new ManualPage();
        for (Setting setting : Setting.values()) {
            String letter = setting.hasShortName() ? Character.toString(setting.shortName()) : "";
            page.entry(
                    ManualPage.names(letter, setting.key(), setting.argument()),
                    setting.sentence() + HelpText.limits(setting));
        }
        for (ProgramOption option : ProgramOption.values()) {
            page.entry(ManualPage.names(option.letter(), option.word(), option.argument()), option.sentence());
        }
        page.check("sendfiled.8.scd");
    }

    @Test
    void shouldTellTheKeysOfTheFile() throws IOException {
        ManualPage page = new ManualPage();
        for (Setting setting : Setting.values()) {
            String argument = setting.argument().isEmpty() ? "on|off" : setting.argument();
            page.entry(
                    "*" + setting.key() + "* = _" + argument + "_",
                    setting.sentence()
                            + HelpText.limits(setting)
                            + (setting.change() == Setting.Change.RELOAD ? "; changes by a reload" : ""));
        }
        page.check("sendfiled.conf.5.scd");
    }
}
