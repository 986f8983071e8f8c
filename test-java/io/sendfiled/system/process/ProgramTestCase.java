package io.sendfiled.system.process;

import io.sendfiled.client.SendfiledClient;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.system.Program;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** What tests of the program as a process share: its directories, its command line, and a file to read. */
abstract class ProgramTestCase {
    Path scratch;
    Path sockets;
    Path root;

    @BeforeEach
    final void makeDirectories(@TempDir Path directory) throws IOException {
        scratch = directory;
        sockets = Files.createDirectory(directory.resolve("s"));
        root = Files.createDirectory(directory.resolve("root"));
        Files.writeString(root.resolve("file"), "the content");
    }

    /** Of the instance that {@link #arguments} names. */
    final Path socket() {
        return sockets.resolve("sendfiled.a.socket");
    }

    final String[] arguments(String... more) {
        return Stream.concat(Stream.of("-S", sockets.toString(), "-s", "a", "-r", root.toString()), Arrays.stream(more))
                .toArray(String[]::new);
    }

    /** Returns when it serves. */
    final Program start(String... more) throws IOException {
        Program program = Program.start(scratch, arguments(more));
        program.awaitServing(socket());
        return program;
    }

    /** Where these calls, divided by commas, fail with an errno; returns at once. */
    final Program startWithout(String calls, String error, String... more) throws IOException {
        List<Object> words = new ArrayList<>(List.of(calls, error, Program.LAUNCHER));
        words.addAll(List.of(arguments(more)));
        return Program.start(scratch, HelperProgram.command("without", words.toArray()), Program.ALLOW_ROOT);
    }

    final String read() throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
            client.readTo("file", Channels.newChannel(out)).result().get(20, TimeUnit.SECONDS);
        }
        return out.toString(StandardCharsets.UTF_8);
    }
}
