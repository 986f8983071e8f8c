package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.names.Names;
import io.sendfiled.support.JavaProgram;
import io.sendfiled.system.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The names that the programs are given, and an embedded engine, are bytes: on the command line, in the environment. */
final class NamesIT extends ProgramTestCase {
    private static final String SFD = Program.LAUNCHER.resolveSibling("sfd").toString();

    /** Of each name there is another that the JVM's text cannot tell apart, and that has another content. */
    private static final String TREE = """
            set -e
            w=$(printf 'w\\377') r=$(printf 'r\\377') s=$(printf 's\\377') f=$(printf 'f\\377\\nb c')
            mkdir "$w" "$r" "$(printf 'r\\376')" "$s"
            chmod 700 "$s"
            printf right >"$r/$f"
            printf wrong >"$r/$(printf 'f\\376\\nb c')"
            printf wrong >"$(printf 'r\\376')/$f"
            """;

    /** Prints "NAME CONTENT" of what the commands have made, with od(1) as the judge. */
    private static final String COMMANDS = """
            set -e
            cd "$(printf 'w\\377')"
            f=$(printf 'f\\377\\nb c')
            "$1" read "$f" -S ../s?
            "$1" read "$f" -S ../s? -o "$(printf 'a\\376')"
            "$1" send "$f" "--socket-dir=$(printf '../s\\377')" --to "$(printf 'b\\376')"
            SENDFILED_SOCKET_DIR=$PWD/../$(printf 's\\377') "$1" send --open "$(printf 'a\\376')" --to "$(printf 'c\\375')"
            "$1" send --open "$(printf 'c\\376')" -S ../s? --to never 2>&1 || true
            "$1" stat --json "$(printf 'c\\377')" -S ../s? 2>&1 | cut -d, -f1,2
            echo
            for name in *; do
                printf '%s ' "$(printf %s "$name" | od -An -tx1 -v | tr -d ' \\n')"; cat "$name"; echo
            done
            """;

    private String run(String script, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", script, "sh"));
        command.addAll(List.of(arguments));
        try (Program program = Program.start(scratch, command, Map.of("LC_ALL", "C"))) {
            String output = program.output();
            assertEquals(0, program.awaitExit(), () -> output);
            return output + program.errors();
        }
    }

    @Test
    void shouldTakeEveryNameFromTheCommandLineAndTheEnvironmentAsItsBytes() throws Exception {
        run(TREE);
        Path socket = Names.path(scratch + "/s\uDCFF/sendfiled.default.socket");
        String line =
                "cd \"$(printf 'w\\377')\" && exec \"$@\" -r \"$(printf '../r\\377')\" \"-S$(printf '../s\\377')\"";
        try (Program program = Program.shell(scratch, line)) {
            program.awaitServing(socket);
            assertTrue(program.errors().contains("/w\\xFF/../r\\xFF as 'default'"), program.errors());
            assertEquals("""
                    rightsfd: c\\xFE: no such file or directory (ENOENT)
                    {"command":"stat","path":"c\\udcff"

                    61fe right
                    62fe right
                    63fd right
                    """, run(COMMANDS, SFD));
        }
    }

    @Test
    void shouldServeTheWorkingDirectoryInTheDirectoryOfTheEnvironmentWhateverTheirNames() throws Exception {
        run(TREE);
        String line =
                "cd \"$(printf 'r\\377')\" && SENDFILED_SOCKET_DIR=$PWD/../$(printf 's\\377') && export SENDFILED_SOCKET_DIR"
                        + " && exec \"$@\" -s \"$(printf 'n\\377')\"";
        try (Program program = Program.shell(scratch, line)) {
            program.awaitServing(Names.path(scratch + "/s\uDCFF/sendfiled.n\uDCFF.socket"));
            String read = "exec \"$1\" read \"$(printf 'f\\377\\nb c')\" -S s? -s \"$(printf 'n\\377')\"";
            assertEquals("right", run(read, SFD));
        }
    }

    /** What the container of a server usually has: no locale, and names that it is given as paths. */
    @ParameterizedTest
    @ValueSource(strings = {"C", "ISO-8859-1"})
    void shouldServeTheDirectoryOfThePathInAnEmbeddedEngineInEveryLocale(String locale) throws Exception {
        run("mkdir in && cd in\n" + TREE + "\nrmdir w* && rm -r s*");
        Map<String, String> environment = Map.of("LC_ALL", locale);
        if (locale.equals("ISO-8859-1")) { // no machine has it by itself
            run("localedef -i en_US -f ISO-8859-1 ./sfd_TEST >/dev/null 2>&1 || true");
            assumeTrue(Files.exists(scratch.resolve("sfd_TEST")), "localedef has no source of that locale");
            environment = Map.of("LC_ALL", "sfd_TEST", "LOCPATH", scratch.toString());
        }
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", "cd in && exec \"$@\"", "sh"));
        command.addAll(JavaProgram.command(EmbeddedProbe.class));
        try (Program program = Program.start(scratch, command, environment)) {
            assertEquals("r\\xFE wrong\nr\\xFF right\n", program.output(), program.errors());
            assertEquals(0, program.awaitExit());
        }
    }
}
