package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** {@code sfd top} on a terminal: its keys, its size, and that it leaves the terminal as it was, whatever ends it. */
@Timeout(120)
final class TopIT extends ProgramTestCase {
    private static final String SFD = Path.of(System.getProperty("sendfiled.test.dist", "target/dist"), "bin", "sfd")
            .toAbsolutePath()
            .toString();
    private static final int BIG = 20_000_000; // more than any receiver's buffers hold
    private static final String BEGIN = "\033[?1049h\033[?25l\033[?7l";
    private static final String END = "\033[?7h\033[?25h\033[?1049l";
    private static final String HOME = "\033[H";
    private static final String CTRL_C = "\003";
    private static final String CTRL_Z = "\032";

    /** {@code sfd top}, as the foreground job of a terminal. */
    private final class Job implements AutoCloseable {
        private final Process terminal;
        private final String path;
        private final long pid;
        private final String settings;
        private final StringBuilder output = new StringBuilder(); // guarded by itself
        private final Thread reader;

        Job(String... before) throws Exception {
            List<Object> words = new ArrayList<>(List.of(before));
            words.addAll(List.of(SFD, "top", "-S", sockets, "-s", "a", "--sort", "id", "--interval", "100ms"));
            terminal = new ProcessBuilder(HelperProgram.command("job", words.toArray())).start();
            InputStream from = terminal.getInputStream();
            StringBuilder line = new StringBuilder();
            for (int c = from.read(); c != '\n'; c = from.read()) {
                assertNotEquals(-1, c, "the terminal");
                line.append((char) c);
            }
            path = line.substring(0, line.indexOf(" "));
            pid = Long.parseLong(line.substring(line.indexOf(" ") + 1));
            settings = stty("-g");
            reader = new Thread(() -> collect(from));
            reader.start();
        }

        private void append(String text) {
            synchronized (output) {
                output.append(text);
            }
        }

        String shown() {
            synchronized (output) {
                return output.toString();
            }
        }

        private void collect(InputStream from) {
            try {
                byte[] bytes = new byte[4096];
                for (int n = from.read(bytes); n > 0; n = from.read(bytes)) {
                    append(new String(bytes, 0, n, StandardCharsets.ISO_8859_1));
                }
            } catch (IOException e) {
                append(e.toString());
            }
        }

        String stty(String... arguments) throws Exception {
            List<String> command = new ArrayList<>(List.of("stty", "-F", path));
            command.addAll(List.of(arguments));
            return HelperProgram.output(command.toArray(new String[0]));
        }

        void type(String keys) throws IOException {
            OutputStream input = terminal.getOutputStream();
            input.write(keys.getBytes(StandardCharsets.US_ASCII));
            input.flush();
        }

        /** The last picture that is there whole; empty: none is. */
        String picture() {
            String all = shown();
            int end = all.lastIndexOf("\033[J");
            String last = end < 0 ? "" : all.substring(all.lastIndexOf(HOME, end) + HOME.length(), end);
            return new String(last.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
        }

        List<String> lines() {
            return picture().replace("\033[K", "").replace("\r", "").lines().toList();
        }

        void awaitPicture(String text) {
            Await.until(text, () -> picture().contains(text));
        }

        String awaitEnd() throws InterruptedException {
            Await.until("the end of sfd", () -> shown().endsWith("]\n"));
            reader.join();
            return shown().substring(shown().lastIndexOf("\n[ended ") + 1).strip();
        }

        String state() {
            try {
                String stat = Files.readString(Path.of("/proc/" + pid + "/stat"), StandardCharsets.ISO_8859_1);
                return stat.substring(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
            } catch (IOException e) {
                return "gone";
            }
        }

        /** Who reads it ends: as a connection of ssh that breaks. */
        void hangUp() throws InterruptedException {
            terminal.destroyForcibly().waitFor();
        }

        @Override
        public void close() {
            terminal.destroyForcibly();
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        }
    }

    private static void signal(long pid, String name) throws Exception {
        HelperProgram.output("kill", "-" + name, Long.toString(pid));
    }

    @Test
    void shouldGiveTheTerminalBackWhateverEndsIt() throws Exception {
        Map<String, String> ways = new TreeMap<>(
                Map.of("q", "[ended 0]", CTRL_C, "[ended 130]", "TERM", "[ended 143]", "HUP", "[ended 129]"));
        try (Program program = start()) {
            for (Map.Entry<String, String> way : ways.entrySet()) {
                try (Job top = new Job()) {
                    top.awaitPicture("0 transfers, by id");
                    assertNotEquals(top.settings, top.stty("-g"));
                    if (way.getKey().length() == 1) {
                        top.type(way.getKey());
                    } else {
                        signal(top.pid, way.getKey());
                    }
                    assertEquals(way.getValue(), top.awaitEnd(), way.getKey());
                    String all = top.shown();
                    assertTrue(all.startsWith(BEGIN), all);
                    assertTrue(all.endsWith(END + "\n" + way.getValue() + "\n"), all);
                    assertEquals(top.settings, top.stty("-g"), way.getKey());
                }
            }
            assertTrue(program.isAlive());
        }
    }

    @Test
    void shouldStopAndGoOnAsAnyJob() throws Exception {
        try (Program program = start();
                Job top = new Job()) {
            for (int round = 1; round <= 2; round++) {
                top.awaitPicture("0 transfers, by id");
                top.type(CTRL_Z);
                Await.until("it to stop", () -> top.state().equals("T"));
                assertEquals(top.settings, top.stty("-g"));
                Await.until("what it has shown", () -> top.shown().endsWith(END));
                signal(top.pid, "CONT");
                Await.until(
                        "it to go on",
                        () -> top.shown().lastIndexOf(BEGIN) > top.shown().lastIndexOf(END));
            }
            top.awaitPicture("0 transfers, by id");
            top.type("q");
            assertEquals("[ended 0]", top.awaitEnd());
            assertEquals(top.settings, top.stty("-g"));
            assertTrue(program.isAlive());
        }
    }

    /** Whoever stops it from outside, a shell takes the terminal meanwhile. */
    @Test
    void shouldTakeTheTerminalAgainWhenItGoesOn() throws Exception {
        try (Program program = start();
                Job top = new Job()) {
            top.awaitPicture("0 transfers, by id");
            signal(top.pid, "TSTP");
            Await.until("it to stop", () -> top.state().equals("T"));
            long stopped = System.nanoTime();
            top.stty(top.settings);
            Await.until("a while to pass", () -> System.nanoTime() - stopped > 600_000_000L);
            signal(top.pid, "CONT");
            Await.until("its settings", () -> {
                try {
                    return top.stty("-a").contains("-icanon");
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            top.type("q");
            assertEquals("[ended 0]", top.awaitEnd());
            assertEquals(top.settings, top.stty("-g"));
            assertTrue(program.isAlive());
        }
    }

    @Test
    void shouldEndWithItsTerminal() throws Exception {
        try (Program program = start()) {
            for (String[] before : List.of(new String[0], new String[] {"env", "--ignore-signal=HUP"})) {
                try (Job top = new Job(before)) {
                    top.awaitPicture("0 transfers, by id");
                    top.hangUp();
                    Await.until("its end", () -> !ProcessHandle.of(top.pid).isPresent());
                }
            }
            assertTrue(program.isAlive());
        }
    }

    @Test
    void shouldOrderBySizeAndPauseAndFitTheTerminal() throws Exception {
        String wide = "\u5927".repeat(60); // each is two columns wide, and a line as long as the terminal
        Content.write(root.resolve("large"), BIG);
        Content.write(root.resolve("larger"), 2 * BIG);
        Content.write(root.resolve(wide), BIG);
        try (Program program = start("--loops=1");
                SendfiledClient client = SendfiledClient.connect(sockets, "a");
                TestDestination first = TestDestination.open(TestDestination.Type.TCP, scratch);
                TestDestination second = TestDestination.open(TestDestination.Type.TCP, scratch);
                TestDestination third = TestDestination.open(TestDestination.Type.TCP, scratch);
                Job top = new Job()) {
            List<Transfer> transfers = List.of(
                    client.send(FileRequest.of("large"), first.destination()),
                    client.send(FileRequest.of("larger"), second.destination()));
            top.awaitPicture("2 transfers, by id");
            Await.until(
                    "both wait",
                    () -> top.lines().stream()
                                    .filter(line -> line.contains(" receiver "))
                                    .count()
                            == 2);
            assertTrue(top.lines().get(4).endsWith(" large"), top::picture);
            top.type("s");
            top.awaitPicture("by size");
            assertTrue(top.lines().get(4).endsWith(" larger"), top::picture);
            top.type("p");
            top.awaitPicture(", paused");
            Transfer other = client.send(FileRequest.of(wide), third.destination());
            other.info().get();
            top.type("i");
            top.awaitPicture("2 transfers, by id, paused");
            top.type("p");
            top.awaitPicture("3 transfers, by id; keys");

            for (int columns : List.of(120, 80, 60, 30, 1)) {
                top.stty("cols", Integer.toString(columns), "rows", "6");
                Await.until("lines of " + columns, () -> {
                    List<String> lines = top.lines();
                    int longest = lines.stream().mapToInt(String::length).max().orElse(0);
                    return !lines.isEmpty()
                            && lines.size() <= 5
                            && longest <= columns
                            && longest >= Math.min(columns, 60);
                });
            }
            for (Transfer transfer : transfers) {
                transfer.cancel();
            }
            other.cancel();
            top.type("q");
            assertEquals("[ended 0]", top.awaitEnd());
            assertTrue(program.isAlive());
        }
    }

    @Test
    void shouldShowItOnceWhereThereIsNoScreen() throws Exception {
        try (Program program = start();
                Job top = new Job("env", "TERM=dumb")) {
            assertEquals("[ended 0]", top.awaitEnd());
            assertFalse(top.shown().contains("\033"), top::shown);
            assertTrue(top.shown().contains("0 transfers, by id\r\n"), top::shown);
            assertTrue(program.isAlive());
        }
    }
}
