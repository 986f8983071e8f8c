package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.Sendfiled;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferException;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.counters.Counter;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.JavaProgram;
import io.sendfiled.tools.Sfd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdk.jfr.Recording;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the demo needs of its surroundings. */
final class DemoTest {
    /** All that is in the root, in a directory that is no mount point. */
    private static final String CHROOT = "set -e; cd \"$1\"; shift; for each in /*; do"
            + " if [ -L \"$each\" ]; then cp -P \"$each\" .;"
            + " elif [ -d \"$each\" ]; then mkdir \".$each\"; mount --rbind \"$each\" \".$each\"; fi; done;"
            + " mkdir made; exec chroot . \"$@\"";

    @TempDir
    private Path directory;

    /** Prints whether it knows how big a file can be. */
    static final class Size {
        public static void main(String[] args) throws IOException {
            System.out.print(Demo.biggestSize(Path.of(args[0])) > 0);
        }
    }

    /** Of a real engine, in this process: one file that waits for its reader, one that is read, and one that is not there. */
    @Test
    void shouldShowWhatSfdAndARecordingHaveOfADaemonInLinesOf80Columns() throws Exception {
        Path root = Files.createDirectory(directory.resolve("root"));
        Content.write(root.resolve("big"), 5_000_000); // more than a pipe holds
        Path file = directory.resolve("demo.jfr");
        ByteArrayOutputStream shown = new ByteArrayOutputStream();
        List<String> sfd = JavaProgram.command(Sfd.class);
        sfd.set(sfd.indexOf("-cp") + 1, System.getProperty("java.class.path"));
        DemoOperating operating =
                new DemoOperating(new Screen(new PrintStream(shown, true, StandardCharsets.UTF_8), false), sfd);
        SendfiledConfig config = SendfiledConfig.builder()
                .root(root)
                .socketDirectory(directory)
                .name("demo")
                .build();
        try (Recording recording = new Recording()) {
            recording.start(); // before the engine, which then knows at once
            try (Sendfiled engine = Sendfiled.launch(config);
                    SendfiledClient client = SendfiledClient.connect(directory, "demo")) {
                assertThrows(IOException.class, () -> operating.showRecording(dumped(recording, file)));
                client.warm("big").await();
                assertThrows(
                        TransferException.class, () -> client.warm("missing").await());
                operating.showFromOutside(client, "big", directory, "demo");
                Await.until("the end of all transfers", () -> engine.counters().get(Counter.TRANSFERS) == 0);
            }
            operating.showRecording(dumped(recording, file));
        }
        String text = shown.toString(StandardCharsets.UTF_8);
        assertEquals(List.of(), text.lines().filter(line -> line.length() > 80).toList());
        for (String line : List.of(
                "(?s).* ✓ sfd counters .*\nRequests +received .*\n  read +1 .*",
                "(?s).* ✓ sfd top .*\n1 transfer, by rate\nID .*\n\\S+ .* read .* receiver +big\n.*",
                "(?s).* ✓ transfers recorded +\\d.*; the longest: .*big,.*",
                "(?s).* ✓ refusals recorded +1: \\S+ missing, no such file or\\s+directory \\(ENOENT\\)\\n.*",
                "(?s).* ✓ stalls recorded +(none|\\d+;).*")) {
            assertTrue(text.matches(line), line + "\n" + text);
        }
    }

    private static Path dumped(Recording recording, Path file) throws IOException {
        recording.dump(file);
        return file;
    }

    @Test
    void shouldFindRoomInAChrootThatIsNoMountPoint() throws Exception {
        assumeTrue(
                new ProcessBuilder("unshare", "--mount", "--map-root-user", "true")
                                .start()
                                .waitFor()
                        == 0,
                "no user namespaces here, to mount in");
        List<String> command = new ArrayList<>(List.of("unshare", "--mount", "--map-root-user"));
        command.addAll(List.of("sh", "-c", CHROOT, "sh", directory.toString()));
        command.addAll(JavaProgram.command(Size.class));
        command.add("/made");

        assertEquals("true", HelperProgram.output(command.toArray(new String[0])));
    }
}
