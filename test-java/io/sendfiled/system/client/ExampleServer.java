package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.examples.HttpOpenServer;
import io.sendfiled.examples.HttpReadServer;
import io.sendfiled.support.Await;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.JavaProgram;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.Scale;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One of the HTTP servers of {@code test-native/examples} or {@code io.sendfiled.examples} as a process, which is listening.
 *
 * <p>Closing it sends SIGTERM and demands a clean end, without a word on standard error.
 */
final class ExampleServer implements AutoCloseable {
    /** For every change those of C with the sanitizer, if that was built, and one of Java. */
    static Stream<Kind> kinds() {
        return Stream.of(Kind.values()).filter(kind -> Scale.all() || kind.isForEveryChange());
    }

    /** Which one. */
    enum Kind {
        OPEN("http_open_server"),
        READ("http_read_server"),
        OPEN_SANITIZED("../../cmake-asan/bin/http_open_server"),
        READ_SANITIZED("../../cmake-asan/bin/http_read_server"),
        OPEN_HOT("http_open_server"),
        READ_HOT_SANITIZED("../../cmake-asan/bin/http_read_server"),
        SESSION("http_session_server"),
        SESSION_SANITIZED("../../cmake-asan/bin/http_session_server"),
        OPEN_JAVA(HttpOpenServer.class),
        READ_JAVA(HttpReadServer.class);

        private final @Nullable String program;
        private final @Nullable Class<?> main;

        Kind(String program) {
            this.program = program;
            this.main = null;
        }

        Kind(Class<?> main) {
            this.program = null;
            this.main = main;
        }

        /** Whether it was built. */
        boolean isThere() {
            boolean sanitized = program != null && program.contains("asan");
            return !sanitized || !Boolean.getBoolean("sendfiled.test.skipSanitizers");
        }

        private boolean isForEveryChange() {
            return this == OPEN_SANITIZED || this == READ_HOT_SANITIZED || this == READ_JAVA;
        }

        boolean isJava() {
            return main != null;
        }

        /** Whether it serves by itself what is in memory. */
        boolean isHot() {
            return this == OPEN_HOT || this == READ_HOT_SANITIZED;
        }

        /** Descriptors that a daemon has for it: of a session three, and files, which stay open for a second or two. */
        int heldByDaemon() {
            return this == SESSION || this == SESSION_SANITIZED ? 20 : 0;
        }

        /** The command line, to be continued. */
        List<String> command() {
            if (main != null) {
                return JavaProgram.command(main);
            }
            Path path = HelperProgram.path(Objects.requireNonNull(program)).normalize();
            return new ArrayList<>(List.of(path.toString()));
        }
    }

    /** A JVM that a signal has ended says so, however clean that was; the programs in C say 0. */
    private static final int TERMINATED = 128 + 15;

    private static final int RECEIVE_BUFFER = 64 << 10;

    /** So many looks in a row, some milliseconds apart. */
    private static final int ASLEEP = 25;

    private static final String GREETING = "listening on 127.0.0.1:";

    private final Kind kind;
    private final Process process;
    private final Path errors;
    private final int port;
    private int descriptors;

    private ExampleServer(Kind kind, Process process, Path errors, int port) {
        this.kind = kind;
        this.process = process;
        this.errors = errors;
        this.port = port;
    }

    /** Starts one for the daemon {@link TestDaemon#NAME}, whose root is beside its socket. */
    static ExampleServer start(Kind kind, Path sockets) throws IOException {
        return start(kind, sockets, 30);
    }

    /** Starts one whose clients may take so many seconds. */
    static ExampleServer start(Kind kind, Path sockets, int seconds) throws IOException {
        Path errors = Files.createTempFile(sockets, "server", ".txt");
        List<String> command = kind.command();
        command.addAll(List.of(sockets.toString(), TestDaemon.NAME, "0"));
        command.add(Integer.toString(seconds));
        if (kind.isHot()) {
            command.add(sockets.resolve("root").toString());
        }
        Process process =
                new ProcessBuilder(command).redirectError(errors.toFile()).start();
        process.getOutputStream().close();
        boolean ready = false;
        try {
            String line = process.inputReader(StandardCharsets.US_ASCII).readLine();
            if (line == null || !line.startsWith(GREETING)) {
                throw new IOException("it says " + line + " and " + Files.readString(errors));
            }
            ExampleServer server =
                    new ExampleServer(kind, process, errors, Integer.parseInt(line.substring(GREETING.length())));
            server.warmUp();
            server.descriptors = OpenDescriptors.settledCount(process.pid());
            ready = true;
            return server;
        } finally {
            if (!ready) {
                process.destroyForcibly();
            }
        }
    }

    /** What a JVM opens once, it opens with the first request. */
    private void warmUp() throws IOException {
        try (Socket socket = connect()) {
            socket.getOutputStream().write("GET /missing HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            assertTrue(socket.getInputStream().readAllBytes().length > 0, "it hung up without a word");
        }
    }

    Kind kind() {
        return kind;
    }

    String url(String path) {
        return "http://127.0.0.1:" + port + path;
    }

    /** A connection with little room for what has not been read. */
    Socket connect() throws IOException {
        Socket socket = new Socket();
        socket.setReceiveBufferSize(RECEIVE_BUFFER);
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        socket.setSoTimeout((int) Await.LONG.toMillis());
        return socket;
    }

    /** A connection that it does not accept before {@link #resume}. */
    Socket connectPaused() throws IOException, InterruptedException {
        Program.signal(process.pid(), "STOP");
        return connect();
    }

    void resume() throws IOException, InterruptedException {
        Program.signal(process.pid(), "CONT");
    }

    /** Waits until it sleeps, as it should when there is nothing to do: one that is woken all the time never does. */
    void awaitAsleep() {
        int[] looks = {0};
        Await.until("the server to sleep", () -> {
            looks[0] = isAsleep() ? looks[0] + 1 : 0;
            return looks[0] == ASLEEP;
        });
    }

    /** All of its threads. */
    private boolean isAsleep() {
        try (Stream<Path> threads = Files.list(Path.of("/proc", Long.toString(process.pid()), "task"))) {
            for (Path thread : threads.toList()) {
                if (!Files.readString(thread.resolve("stat")).contains(") S ")) {
                    return false;
                }
            }
            return true;
        } catch (NoSuchFileException e) { // a thread that has ended meanwhile
            return false;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whether it has more descriptors than the one of a connection, of which the test has one. */
    boolean hasTransfers() {
        return OpenDescriptors.count(process.pid()) > descriptors + 1;
    }

    /** Demands that it has no more descriptors than at its start, soon. */
    void expectNoLeak() {
        Await.until(
                "the server's descriptors to be " + descriptors + " again",
                () -> OpenDescriptors.count(process.pid()) <= descriptors);
    }

    @Override
    public void close() throws IOException {
        try {
            process.destroy();
            assertTrue(process.waitFor(Await.LONG.toSeconds(), TimeUnit.SECONDS), "it lives after SIGTERM");
            assertEquals("", Files.readString(errors));
            assertEquals(kind.isJava() ? TERMINATED : 0, process.exitValue());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while the server ended", e);
        } finally {
            process.destroyForcibly();
        }
    }
}
