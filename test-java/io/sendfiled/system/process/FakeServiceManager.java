package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Await;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.system.Program;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * The stand-in for systemd, {@code test-native/support/service_manager.c}: it starts the daemon, and every message of the
 * daemon's is here, in order. A message that systemd would refuse is an error of the test.
 */
final class FakeServiceManager implements AutoCloseable {
    private static final String MESSAGE = "message ";

    private final Process process;
    private final Path errors;
    private final Writer commands;
    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

    private FakeServiceManager(Process process, Path errors) {
        this.process = process;
        this.errors = errors;
        commands = process.outputWriter(StandardCharsets.US_ASCII);
        Thread reader = new Thread(this::read, "service manager");
        reader.setDaemon(true);
        reader.start();
    }

    /** One that is to start this program; nothing is started yet. */
    static FakeServiceManager of(Path scratch, List<String> options, String... arguments) throws IOException {
        return of(scratch, Map.of(), options, arguments);
    }

    /** The same; the program finds these variables as well. */
    static FakeServiceManager of(
            Path scratch, Map<String, String> environment, List<String> options, String... arguments)
            throws IOException {
        List<String> program = new ArrayList<>(List.of(Program.LAUNCHER.toString()));
        program.addAll(List.of(arguments));
        return ofCommand(scratch, environment, options, program);
    }

    /** The same of any command, whose messages may be those of what it has started, with the option {@code --any}. */
    static FakeServiceManager ofCommand(
            Path scratch, Map<String, String> environment, List<String> options, List<String> program)
            throws IOException {
        List<String> command = HelperProgram.command("service_manager", options.toArray());
        command.add(scratch.toString());
        command.addAll(program);
        Path errors = Files.createTempFile(scratch, "stderr", ".txt");
        ProcessBuilder builder =
                new ProcessBuilder(command).directory(scratch.toFile()).redirectError(errors.toFile());
        builder.environment().putAll(Program.ALLOW_ROOT);
        builder.environment().putAll(environment);
        return new FakeServiceManager(builder.start(), errors);
    }

    private void read() {
        try (BufferedReader reader =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                lines.add(line);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Starts the program; gives its process id. */
    long start() throws Exception {
        command("start");
        String line = next();
        if (line.equals("listening")) {
            line = next();
        }
        assertTrue(line.startsWith("started "), line);
        return Long.parseLong(line.substring("started ".length()));
    }

    /** Returns when its sockets are there. */
    void awaitCommands() throws Exception {
        String line = next();
        assertEquals("listening", line, this::errors);
    }

    private void command(String command) throws IOException {
        commands.write(command + "\n");
        commands.flush();
    }

    private String next() throws InterruptedException {
        String line = lines.poll(Await.LONG.toSeconds(), TimeUnit.SECONDS);
        assertNotNull(line, this::errors);
        return line;
    }

    /** The variables of the next message. */
    List<String> message() throws InterruptedException {
        String line = next();
        assertTrue(line.startsWith(MESSAGE), () -> line + "\n" + errors());
        return List.of(line.substring(MESSAGE.length()).split("\\|", -1));
    }

    /** The messages up to the first that has such a variable, which is the last one. */
    List<List<String>> messagesUpTo(Predicate<String> variable) throws InterruptedException {
        List<List<String>> all = new ArrayList<>();
        do {
            all.add(message());
        } while (all.get(all.size() - 1).stream().noneMatch(variable));
        return all;
    }

    /** The first message that says so, whatever comes before. */
    List<String> await(String variable) throws InterruptedException {
        List<List<String>> all = messagesUpTo(variable::equals);
        return all.get(all.size() - 1);
    }

    /** Its exit status, when all its messages were taken. */
    int exit() throws InterruptedException {
        String line = next();
        while (line.startsWith(MESSAGE)) {
            line = next();
        }
        assertTrue(line.startsWith("exited "), line);
        return Integer.parseInt(line.substring("exited ".length()));
    }

    /** What has come and was not asked for yet. */
    List<String> left() {
        List<String> left = new ArrayList<>();
        lines.drainTo(left);
        return left;
    }

    /** What the daemon has said on standard error. */
    String errors() {
        try {
            return Files.readString(errors);
        } catch (IOException e) {
            return e.toString();
        }
    }

    @Override
    public void close() throws IOException {
        command("end");
        try {
            assertTrue(process.waitFor(Await.LONG.toSeconds(), TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        assertEquals(0, process.exitValue(), this::errors);
    }
}
