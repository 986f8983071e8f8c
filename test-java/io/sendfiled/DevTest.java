package io.sendfiled;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The script {@code dev}: what it answers before it does anything. */
final class DevTest {
    private static final Path DEV = Path.of(System.getProperty("sendfiled.test.source", "."), "dev");

    private static String answer(int status, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("bash", DEV.toString()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(status, process.waitFor(), answer);
        return answer;
    }

    @Test
    void shouldNameAnUnknownCommandAndThoseThatThereAre() throws Exception {
        String answer = answer(2, "bogus");

        assertTrue(answer.startsWith("dev: there is no command bogus. "), answer);
        List<String> commands = Pattern.compile("^  ([a-z]+) ", Pattern.MULTILINE)
                .matcher(answer(0, "help"))
                .results()
                .map(line -> line.group(1))
                .toList();
        assertTrue(commands.containsAll(List.of("demo", "test", "build", "help")), commands::toString);
        assertTrue(answer.contains(String.join(" ", commands)), answer);
    }

    @Test
    void shouldNameAnOptionThatTestDoesNotTake() throws Exception {
        String answer = answer(2, "test", "--fast");
        assertTrue(answer.startsWith("dev: ") && answer.contains("--fast") && answer.contains("--all"), answer);
    }

    @Test
    void shouldNameWhatIsNoPrefixOfAnInstallation() throws Exception {
        for (String command : List.of("install", "uninstall")) {
            assertTrue(answer(2, command, "--prefix").contains("--prefix wants a directory"));
            assertTrue(answer(2, command, "--prefix", "/").contains("and not /"));
            assertTrue(answer(2, command, "--prefix=/a;b").contains("semicolon"));
            assertTrue(answer(2, command, "/usr").contains(command + " takes --prefix DIR, and no /usr"));
        }
        assertTrue(answer(1, "uninstall", "--prefix", "no/such/directory")
                .contains("nothing that ./dev install has left"));
        assertTrue(answer(2, "package", "rpm").contains("package takes --arch arm64, and no rpm"));
        assertTrue(answer(2, "package", "--arch", "s390x").contains("and no --arch s390x"));
    }
}
