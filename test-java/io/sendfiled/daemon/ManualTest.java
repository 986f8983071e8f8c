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
        page.entry(ManualPage.names("h", CommandLine.HELP, ""), "show all options and end");
        page.entry(ManualPage.names("V", CommandLine.VERSION, ""), "show the version and end");
        page.check("sendfiled.8.scd");
    }
}
