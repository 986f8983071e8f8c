package io.sendfiled.daemon;

import io.sendfiled.config.Setting;
import io.sendfiled.support.Completion;
import io.sendfiled.support.Completion.Value;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

final class CompletionTest {
    @Test
    void shouldKnowTheOptionsOfTheTable() throws IOException {
        Completion completion = new Completion("sendfiled");
        for (Setting setting : Setting.values()) {
            Value value =
                    switch (setting.kind()) {
                        case FLAG -> Value.NONE;
                        case PATH -> Value.DIRECTORY;
                        case TEXT, NUMBER, BYTES, TIME, CHOICE, NAMES -> Value.ANY;
                    };
            List<String> words = setting.kind() == Setting.Kind.CHOICE
                    ? List.of(setting.argument().split("\\|", -1))
                    : List.of();
            String letter = setting.hasShortName() ? Character.toString(setting.shortName()) : "";
            completion.option(letter, setting.key(), setting.sentence(), value, words);
        }
        for (ProgramOption option : ProgramOption.values()) {
            Value value = option.argument().isEmpty() ? Value.NONE : Value.FILE;
            completion.option(option.letter(), option.word(), option.sentence(), value, List.of());
        }
        completion.check();
    }
}
