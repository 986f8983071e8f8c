package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Content;
import io.sendfiled.support.Lengthy;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** {@code doc/operating.md}: each of its commands says what the page says, in the situation that the section is about. */
@Lengthy
@Timeout(120)
final class OperatingIT extends ProgramTestCase {
    private static final Path PAGE = Path.of(System.getProperty("sendfiled.test.source", "."), "doc", "operating.md");
    private static final Pattern BLOCK = Pattern.compile("^```console\n(.*?)^```$", Pattern.DOTALL | Pattern.MULTILINE);
    private static final int BIG = 20_000_000; // more than any receiver's buffers hold

    /** What is going on when the commands of a section run. */
    private enum Situation {
        NO_DAEMON,
        STOPPED,
        WELL,
        /** One transfer, whose receiver does not read. */
        STUCK,
        /** The same, and there is room for no other. */
        FULL
    }

    private static final Map<String, Situation> SECTIONS = Map.of(
            "No answer, or connection refused", Situation.NO_DAEMON,
            "It is there, and does not answer", Situation.STOPPED,
            "Transfers are refused with EMFILE", Situation.FULL,
            "A client hangs", Situation.STUCK,
            "Cold files are slow", Situation.WELL,
            "No room in the queue", Situation.WELL,
            "The upgrade failed", Situation.WELL,
            "The daemon does not stop", Situation.STUCK);

    /** The examples of each section that has some. */
    private static Map<String, List<String>> examples() throws Exception {
        Map<String, List<String>> examples = new LinkedHashMap<>();
        for (String section : Files.readString(PAGE).split("(?m)^## ")) {
            List<String> blocks = new ArrayList<>();
            for (Matcher block = BLOCK.matcher(section); block.find(); ) {
                blocks.add(block.group(1));
            }
            if (!blocks.isEmpty()) {
                examples.put(section.lines().findFirst().orElseThrow(), blocks);
            }
        }
        return examples;
    }

    @Test
    void shouldSayWhatThePageSays() throws Exception {
        Content.write(root.resolve("big"), BIG);
        Files.writeString(root.resolve("small"), "small");
        Map<String, List<String>> examples = examples();
        assertEquals(SECTIONS.keySet(), examples.keySet());
        for (Map.Entry<String, List<String>> section : examples.entrySet()) {
            String text = String.join("", section.getValue());
            Situation situation = SECTIONS.get(section.getKey());
            if (situation == Situation.NO_DAEMON) {
                check(section.getKey(), text);
                continue;
            }
            List<String> arguments = new ArrayList<>(
                    List.of("-S", sockets.toString(), "-r", root.toString(), "--loops=1", "--stop-timeout=1h"));
            if (situation == Situation.FULL) {
                arguments.add("--max-transfers=1");
            }
            try (Program program = Program.start(scratch, arguments.toArray(String[]::new));
                    TestDestination destination = TestDestination.open(TestDestination.Type.TCP, scratch)) {
                program.awaitServing(sockets.resolve("sendfiled.default.socket"));
                try (SendfiledClient client = SendfiledClient.connect(sockets, "default")) {
                    if (situation == Situation.FULL || situation == Situation.STUCK) {
                        var unused = client.send(FileRequest.of("big"), destination.destination())
                                .info()
                                .get(20, TimeUnit.SECONDS);
                    }
                    if (situation == Situation.STOPPED) {
                        program.signal("STOP");
                    }
                    check(section.getKey(), text);
                }
            }
        }
    }

    private void check(String section, String example) throws Exception {
        StringBuilder said = new StringBuilder();
        for (String line : example.lines().filter(line -> line.startsWith("$ ")).toList()) {
            said.append(line).append('\n').append(run(line.substring(2)));
        }
        assertEquals(plain(example), plain(said.toString()), section);
    }

    private String run(String command) throws Exception {
        String path = Program.LAUNCHER.getParent() + ":/usr/bin:/bin";
        try (Program shell = Program.start(
                scratch,
                List.of("/bin/sh", "-c", "exec 2>&1; " + command),
                Map.of("PATH", path, "SENDFILED_SOCKET_DIR", sockets.toString()))) {
            return shell.output();
        }
    }

    /** What is the same each time. */
    private String plain(String text) {
        return text.replace(sockets.toString(), "/run/sendfiled/default")
                .replaceAll("\\d{4}-\\d\\d-\\d\\dT[0-9:.]+Z", "TIME")
                .replaceAll("\\d+(\\.\\d+)?(E-?\\d+)?", "N");
    }

    @Test
    void shouldQuoteTheReasonOfEdquot() throws Exception {
        Content.write(root.resolve("big"), BIG);
        try (Program program = start("--client-transfers=1");
                SendfiledClient client = SendfiledClient.connect(sockets, "a");
                TestDestination destination = TestDestination.open(TestDestination.Type.TCP, scratch)) {
            var unused = client.send(FileRequest.of("big"), destination.destination())
                    .info()
                    .get(20, TimeUnit.SECONDS);
            TransferException e = assertThrows(
                    TransferException.class, () -> client.warm("file").await());
            assertEquals(Errno.EDQUOT, e.errno());
            String page = Files.readString(PAGE).replaceAll("\\s+", " ").toLowerCase(Locale.ROOT);
            assertTrue(page.contains("*" + e.reason() + ".*"), e.reason());
            assertTrue(program.isAlive());
        }
    }
}
