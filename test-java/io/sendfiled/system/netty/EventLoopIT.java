package io.sendfiled.system.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.JavaProgram;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * R4: no event loop of Netty's waits for a disk, whichever of its calls does not come back. The disk answers when the test
 * says so, and a loop that waits for it can answer nothing; BlockHound looks on.
 */
@ParameterizedClass
@MethodSource("io.sendfiled.system.netty.Transport#ofThisNetty")
@Timeout(120)
final class EventLoopIT {
    private static final int SIZE = 300_000;

    /** What a loaded machine may add. The disk answers nothing at all meanwhile. */
    private static final long LAG_US = TimeUnit.SECONDS.toMicros(1);

    private static final int TRIES = 10;

    @TempDir
    private Path directory;

    @Parameter
    Transport transport;

    private @Nullable Process program;
    private BufferedWriter commands;
    private final BlockingQueue<String> answers = new LinkedBlockingQueue<>();
    private final List<String> blocked = new ArrayList<>();
    private Content content;

    @BeforeEach
    void start() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
        Files.createDirectory(directory.resolve("root"));
        content =
                Content.write(Files.createDirectory(directory.resolve("behind")).resolve("held"), SIZE);
        List<String> command = new ArrayList<>(JavaProgram.command(LoopProbe.class));
        command.set(command.indexOf("-cp") + 1, System.getProperty("java.class.path"));
        command.add(1, "-XX:+AllowRedefinitionToAddDeleteMethods"); // BlockHound's
        command.addAll(List.of(transport.name(), directory.toString()));
        Process started = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        program = started;
        commands = started.outputWriter(StandardCharsets.US_ASCII);
        Thread reader = new Thread(() -> read(started.inputReader(StandardCharsets.US_ASCII)), "answers");
        reader.setDaemon(true);
        reader.start();
        assertEquals("ready", answer());
    }

    private void read(BufferedReader in) {
        try {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                if (line.startsWith("blocked ")) {
                    synchronized (blocked) {
                        blocked.add(line);
                    }
                } else {
                    answers.add(line);
                }
            }
        } catch (IOException e) { // it has been destroyed
            answers.add(e.toString());
        }
    }

    private String answer() throws InterruptedException {
        String line = answers.poll(40, TimeUnit.SECONDS);
        return line == null ? "nothing" : line;
    }

    private void say(String line) throws IOException {
        commands.write(line + "\n");
        commands.flush();
    }

    @AfterEach
    void stop() throws Exception {
        Process started = program;
        if (started != null) {
            started.destroyForcibly();
            started.waitFor();
        }
    }

    private HeldDisk mount(String call) throws IOException {
        return HeldDisk.mount(
                directory.resolve("root/disk"), directory.resolve("behind"), "held", "--hold-calls", call);
    }

    private List<String> blocked() {
        synchronized (blocked) {
            return List.copyOf(blocked);
        }
    }

    @Test
    void shouldGoOnWhileADiskAnswersNothing() throws Exception {
        for (LoopProbe.Mode mode : LoopProbe.Mode.values()) {
            for (String call : List.of("getattr", "open", "read", "flush")) {
                // Who opens the file has to wait for that; here, it is no event loop.
                boolean applications = mode == LoopProbe.Mode.CHUNKS && (call.equals("getattr") || call.equals("open"));
                if (mode != LoopProbe.Mode.NOTHING && !applications) {
                    shouldGoOn(mode, call);
                }
            }
        }
    }

    private void shouldGoOn(LoopProbe.Mode mode, String call) throws Exception {
        String name = mode + " while " + call + " is held";
        try (HeldDisk disk = mount(call)) {
            say("get " + mode + " " + SIZE + " disk/held");
            disk.awaitHeld();
            long best = Long.MAX_VALUE;
            String got = null;
            for (int i = 0; i < TRIES && best > LAG_US; i++) {
                say("probe " + mode);
                String answer = answer();
                if (answer.startsWith("got ")) { // what is held is the end
                    got = answer;
                    answer = answer();
                }
                assertTrue(answer.matches("lag \\d+"), name + ": " + answer);
                best = Math.min(best, Long.parseLong(answer.substring(4)));
            }
            assertTrue(best <= LAG_US, name + ": a task was " + best + " us late");
            disk.release();
            assertEquals("got " + SIZE + " " + content.sha256(), got == null ? answer() : got, name);
        }
        assertEquals(List.of(), blocked(), name);
    }

    /** That the test sees what it looks for. */
    @Test
    void shouldSeeThatALoopIsHeldWithoutTheHandler() throws Exception {
        try (HeldDisk disk = mount("read")) {
            say("get NOTHING " + SIZE + " disk/held");
            disk.awaitHeld();
            say("probe NOTHING");
            disk.release(); // only now can it answer
            assertEquals("got " + SIZE + " " + content.sha256(), answer());
            assertTrue(answer().startsWith("lag "));
        }
        assertTrue(
                blocked().stream().anyMatch(line -> line.contains("open") || line.contains("transferTo")),
                () -> "BlockHound says " + blocked());
    }
}
