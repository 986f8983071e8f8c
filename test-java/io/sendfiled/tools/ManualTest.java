package io.sendfiled.tools;

import io.sendfiled.support.ManualPage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ManualTest {
    @Test
    void shouldTellTheOptionsOfTheTable() throws IOException {
        ManualPage page = new ManualPage();
        for (OptionSpec option : OptionSpec.values()) {
            String letter = option.letter();
            page.entry(
                    ManualPage.names(letter == null ? "" : letter, option.word(), option.argument()),
                    option.sentence() + commands(option));
        }
        page.check("sfd.1.scd");
    }

    /** Which commands it is for, unless it is for all or goes without one. */
    private static String commands(OptionSpec option) {
        List<String> words = new ArrayList<>();
        for (Command command : Command.values()) {
            if (option.belongsTo(command)) {
                words.add(command.word());
            }
        }
        boolean some = !words.isEmpty() && words.size() < Command.values().length;
        return some ? " (" + String.join(", ", words) + ")" : "";
    }
}
