package io.sendfiled.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.sendfiled.support.Completion;
import io.sendfiled.support.Completion.Value;
import io.sendfiled.technique.Technique;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

final class CompletionTest {
    private static final String SOURCE = System.getProperty("sendfiled.test.source", ".");

    @Test
    void shouldKnowTheCommandsAndOptionsOfTheTables() throws IOException {
        Completion completion = new Completion("sfd");
        for (OptionSpec option : List.of(OptionSpec.HELP, OptionSpec.VERSION)) {
            add(completion, option);
        }
        for (Command command : Command.values()) {
            completion.command(command.word(), command.sentence());
            for (OptionSpec option : OptionSpec.values()) {
                if (option.belongsTo(command)) {
                    add(completion, option);
                }
            }
        }
        completion.command("help", "show the options of a command");
        completion.check();
    }

    private static void add(Completion completion, OptionSpec option) {
        String letter = option.letter();
        Value value =
                switch (option) {
                    case OUTPUT, TO, CERTIFICATE, KEY, ACCESS_LOG -> Value.FILE;
                    case SOCKET_DIRECTORY -> Value.DIRECTORY;
                    default -> option.hasArgument() ? Value.ANY : Value.NONE;
                };
        List<String> words = option == OptionSpec.TECHNIQUE
                ? Stream.of(Technique.values()).map(Technique::label).toList()
                : List.of();
        completion.option(letter == null ? "" : letter, option.word(), option.sentence(), value, words);
    }

    /** In one shell, what bash would offer for each of these. */
    @Test
    void shouldCompleteInBash() throws Exception {
        String script = """
                . packaging/completion/bash/sfd; . packaging/completion/bash/sendfiled
                offer() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "_$1" "$1" "${@: -1}" "${@: -2:1}"
                    echo "${COMPREPLY[*]}"; }
                offer sfd re
                offer sfd help st
                offer sfd read --te
                offer sfd stat --te
                offer sfd send a --technique sp
                offer sfd send a --to pom.x
                offer sfd read -S packaging/compl
                offer sendfiled --idle
                offer sendfiled --sandbox a
                """;
        Process bash = new ProcessBuilder("bash", "-eu", "-c", script)
                .directory(new java.io.File(SOURCE))
                .redirectErrorStream(true)
                .start();
        String offered = new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals("""
                read
                stat
                --technique

                splice
                pom.xml
                packaging/completion
                --idle-timeout
                auto
                """, offered);
        assertEquals(0, bash.waitFor());
    }
}
