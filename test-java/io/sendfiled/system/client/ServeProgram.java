package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Await;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The program {@code sfd serve} of the built tree at a free port; killed when it is closed. */
final class ServeProgram implements AutoCloseable {
    static final Path SFD = Path.of(System.getProperty("sendfiled.test.dist", "target/dist"), "bin", "sfd")
            .toAbsolutePath();

    private static final Pattern SAID = Pattern.compile("serving .* at (https?://\\S+/)\n");

    private final Program program;
    private final URI url;

    private ServeProgram(Program program, URI url) {
        this.program = program;
        this.url = url;
    }

    /** Runs it as it is, with no word of where it serves. */
    static Program run(Path scratch, Path root, String... options) throws IOException {
        return run(Map.of(), scratch, root, options);
    }

    private static Program run(Map<String, String> environment, Path scratch, Path root, String... options)
            throws IOException {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", "exec \"$@\" >serve.out", "sh"));
        command.addAll(List.of(SFD.toString(), "serve", root.toString()));
        command.addAll(List.of(options));
        Files.deleteIfExists(scratch.resolve("serve.out"));
        return Program.start(scratch, command, environment);
    }

    /** Returns when it serves. */
    static ServeProgram start(Path scratch, Path root, String... options) throws IOException {
        return start(Map.of(), scratch, root, options);
    }

    /** The same with variables of its environment. */
    static ServeProgram start(Map<String, String> environment, Path scratch, Path root, String... options)
            throws IOException {
        List<String> all = new ArrayList<>(List.of("--port", "0"));
        all.addAll(List.of(options));
        Program program = run(environment, scratch, root, all.toArray(new String[0]));
        Path out = scratch.resolve("serve.out");
        Await.until(
                "the server to serve",
                () -> !program.isAlive() || SAID.matcher(said(out)).find());
        assertTrue(program.isAlive(), program::errorsSoFar);
        Matcher said = SAID.matcher(said(out));
        assertTrue(said.matches(), () -> said(out));
        return new ServeProgram(program, URI.create(said.group(1)));
    }

    private static String said(Path out) {
        try {
            return Files.exists(out) ? Files.readString(out, StandardCharsets.UTF_8) : "";
        } catch (IOException e) {
            return "";
        }
    }

    Program program() {
        return program;
    }

    URI url() {
        return url;
    }

    RawHttp connect() throws IOException {
        return new RawHttp(new Socket(url.getHost(), url.getPort()));
    }

    @Override
    public void close() {
        program.close();
    }
}
