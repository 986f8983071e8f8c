package io.sendfiled.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Await;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.OpenDescriptors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * One of the HTTP servers of {@code test-native/examples} as a process, which is listening.
 *
 * <p>Closing it sends SIGTERM and demands a clean end, without a word on standard error.
 */
final class ExampleServer implements AutoCloseable {
    /** Which one. */
    enum Kind {
        OPEN("http_open_server", false),
        READ("http_read_server", false),
        OPEN_SANITIZED("http_open_server", true),
        READ_SANITIZED("http_read_server", true);

        private final String program;
        private final boolean sanitized;

        Kind(String program, boolean sanitized) {
            this.program = program;
            this.sanitized = sanitized;
        }

        /** Whether it was built. */
        boolean isThere() {
            return !sanitized || !Boolean.getBoolean("sendfiled.test.skipSanitizers");
        }

        Path path() {
            return sanitized
                    ? HelperProgram.path("../../cmake-asan/bin/" + program).normalize()
                    : HelperProgram.path(program);
        }
    }

    private static final int RECEIVE_BUFFER = 64 << 10;

    /** So many looks in a row, some milliseconds apart. */
    private static final int ASLEEP = 25;

    private static final String GREETING = "listening on 127.0.0.1:";

    private final Process process;
    private final Path errors;
    private final int port;
    private int descriptors;

    private ExampleServer(Process process, Path errors, int port) {
        this.process = process;
        this.errors = errors;
        this.port = port;
    }

    /** Starts one for the daemon {@link TestDaemon#NAME}; more arguments follow the port. */
    static ExampleServer start(Kind kind, Path sockets, String... more) throws IOException {
        Path errors = Files.createTempFile(sockets, "server", ".txt");
        List<String> command =
                new ArrayList<>(List.of(kind.path().toString(), sockets.toString(), TestDaemon.NAME, "0"));
        command.addAll(List.of(more));
        Process process =
                new ProcessBuilder(command).redirectError(errors.toFile()).start();
        process.getOutputStream().close();
        String line = process.inputReader(StandardCharsets.US_ASCII).readLine();
        if (line == null || !line.startsWith(GREETING)) {
            process.destroyForcibly();
            throw new IOException("it says " + line + " and " + Files.readString(errors));
        }
        ExampleServer server = new ExampleServer(process, errors, Integer.parseInt(line.substring(GREETING.length())));
        server.descriptors = OpenDescriptors.settledCount(process.pid());
        return server;
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

    /** Waits until it sleeps, as it should when there is nothing to do: one that is woken all the time never does. */
    void awaitAsleep() {
        Path stat = Path.of("/proc", Long.toString(process.pid()), "stat");
        int[] looks = {0};
        Await.until("the server to sleep", () -> {
            try {
                looks[0] = Files.readString(stat).contains(") S ") ? looks[0] + 1 : 0;
                return looks[0] == ASLEEP;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
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
            assertEquals(0, process.exitValue());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while the server ended", e);
        } finally {
            process.destroyForcibly();
        }
    }
}
