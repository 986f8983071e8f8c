package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.PageCache;
import io.sendfiled.support.SelfSigned;
import io.sendfiled.support.SystemProgram;
import io.sendfiled.system.client.RawHttp.Answer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client may take of {@code sfd serve}: time for a request, time for an answer, a connection. */
@Timeout(60)
final class ServeLimitsIT {
    private static final String GET = "GET /file HTTP/1.1\r\nHost: h\r\n\r\n";
    private static final int SIZE = 30_000_000; // more than both sockets hold
    private static final Map<String, String> SMALL_HEAP = Map.of("SENDFILED_JAVA_OPTS", "-Xmx96m");

    @TempDir
    private Path directory;

    private Path root;

    @BeforeEach
    void makeRoot() throws Exception {
        root = Files.createDirectory(directory.resolve("root"));
        Files.writeString(root.resolve("file"), "content");
    }

    @Test
    void shouldTellTheClientWhoseRequestDoesNotComeToItsEnd() throws Exception {
        try (ServeProgram server = ServeProgram.start(directory, root, "--request-timeout", "300ms");
                RawHttp http = server.connect()) {
            http.write(GET);
            assertEquals(200, http.answer(false).status());
            http.write("GET /file HTTP/1.1\r\nHost: h\r\nX: ");
            Await.until("an answer, whatever comes meanwhile", () -> {
                try {
                    http.write("x");
                    return http.hasMore();
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            Answer answer = http.answer(false);
            assertEquals(408, answer.status());
            assertTrue(answer.closes());
            assertTrue(http.isAtEnd());
        }
    }

    @Test
    void shouldCloseTheConnectionWithoutARequestAndSayNothing() throws Exception {
        try (ServeProgram server = ServeProgram.start(directory, root, "--request-timeout", "300ms");
                RawHttp never = server.connect();
                RawHttp http = server.connect()) {
            http.write(GET);
            assertEquals(200, http.answer(false).status());
            assertTrue(http.isAtEnd());
            assertTrue(never.isAtEnd());
        }
    }

    @Test
    void shouldCloseTheConnectionOfWhoTakesNothingByTls() throws Exception {
        Content.write(root.resolve("file"), SIZE);
        List<Path> pem = SelfSigned.pem(directory);
        String cert = pem.get(0).toString();
        String key = pem.get(1).toString();
        try (ServeProgram server =
                ServeProgram.start(directory, root, "--idle-timeout", "500ms", "--cert", cert, "--key", key)) {
            long pid = server.program().pid();
            try (RawHttp http = tls(server)) {
                http.write(GET);
                assertEquals(1, http.read(new byte[1]));
                long open = sockets(pid);
                Await.until("the server to give it up", () -> sockets(pid) < open);
            }
            assertEquals("", server.program().errorsSoFar(), "no goodbye of TLS was waited for");
        }
    }

    private static long sockets(long pid) {
        return OpenDescriptors.list(pid).values().stream()
                .filter(name -> name.startsWith("socket:"))
                .count();
    }

    private static RawHttp tls(ServeProgram server) throws Exception {
        return new RawHttp(SelfSigned.client()
                .getSocketFactory()
                .createSocket(server.url().getHost(), server.url().getPort()));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldCloseTheConnectionOfWhoTakesNothing(boolean isCold) throws Exception {
        Content.write(root.resolve("file"), SIZE);
        try (ServeProgram server = ServeProgram.start(directory, root, "--idle-timeout", "500ms")) {
            long pid = server.program().pid();
            try (RawHttp first = server.connect()) {
                first.write("HEAD /file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
                assertEquals(200, first.answer(true).status());
                assertTrue(first.isAtEnd());
            }
            int before = OpenDescriptors.settledCount(pid);
            if (isCold) {
                PageCache.evict(root.resolve("file"));
            }
            try (RawHttp http = server.connect()) {
                http.write(GET);
                assertEquals(1, http.read(new byte[1]));
                Await.until("the server to give it up", () -> OpenDescriptors.count(pid) <= before);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldServeWhoTakesALittleAtATime(boolean isCold) throws Exception {
        Content content = Content.write(root.resolve("file"), SIZE);
        try (ServeProgram server = ServeProgram.start(directory, root, "--idle-timeout", "2s");
                Socket socket = new Socket()) {
            socket.setReceiveBufferSize(64 * 1024); // so that the server sees each step
            socket.connect(
                    new InetSocketAddress(server.url().getHost(), server.url().getPort()));
            if (isCold) {
                PageCache.evict(root.resolve("file"));
            }
            try (RawHttp http = new RawHttp(socket)) {
                http.write("GET /file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
                ByteArrayOutputStream all = new ByteArrayOutputStream();
                byte[] step = new byte[512 * 1024];
                long begin = System.nanoTime();
                while (System.nanoTime() - begin < TimeUnit.SECONDS.toNanos(5)) { // more than twice the limit
                    int count = http.read(step);
                    assertTrue(count > 0, "the end after " + all.size());
                    all.write(step, 0, count);
                    long next = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(200);
                    Await.until("the client's own pace", () -> System.nanoTime() >= next);
                }
                all.write(http.rest());
                byte[] bytes = all.toByteArray();
                assertEquals(content, Content.of(Arrays.copyOfRange(bytes, bytes.length - SIZE, bytes.length)));
            }
        }
    }

    @Test
    void shouldTellWhoComesAboveTheMostConnections() throws Exception {
        try (ServeProgram server = ServeProgram.start(directory, root, "--max-connections", "2");
                RawHttp one = server.connect()) {
            one.write(GET);
            assertEquals(200, one.answer(false).status());
            try (RawHttp two = server.connect()) {
                two.write(GET);
                assertEquals(200, two.answer(false).status());
                try (RawHttp three = server.connect()) {
                    Answer answer = three.answer(false);
                    assertRefused(answer);
                    assertTrue(three.isAtEnd());
                }
                String said = "all 2 connections are in use: those above get 503; --max-connections is the limit";
                assertTrue(server.program().errorsSoFar().contains(said), server.program()::errorsSoFar);
                two.write(GET);
                assertEquals(200, two.answer(false).status());
            }
            Await.until("a place that is free again", () -> isServed(server));
            one.write(GET);
            assertEquals(200, one.answer(false).status());
        }
    }

    private static void assertRefused(Answer answer) {
        assertEquals(503, answer.status());
        assertEquals("5", answer.header("Retry-After"));
        assertTrue(answer.closes());
    }

    @Test
    void shouldHoldNoMoreOfThoseAboveTheMostConnectionsThanItSays() throws Exception {
        List<Path> pem = SelfSigned.pem(directory);
        String cert = pem.get(0).toString();
        String key = pem.get(1).toString();
        List<Socket> many = new ArrayList<>();
        try (ServeProgram server =
                ServeProgram.start(directory, root, "--max-connections", "1", "--cert", cert, "--key", key)) {
            long pid = server.program().pid();
            int before = OpenDescriptors.settledCount(pid);
            for (int i = 0; i < 1100; i++) { // none of which shakes hands, so that they stay
                many.add(new Socket(server.url().getHost(), server.url().getPort()));
            }
            assertEquals(-1, many.get(1099).getInputStream().read());
            Await.until("the others to be closed", () -> OpenDescriptors.count(pid) < before + 1050);
            String errors = server.program().errorsSoFar();
            assertEquals(2, errors.lines().count(), errors);
            assertTrue(errors.contains("all 1 connections are in use"), errors);
            assertTrue(errors.contains("closed without an answer: 1024 above --max-connections"), errors);
        } finally {
            for (Socket socket : many) {
                socket.close();
            }
        }
    }

    @Test
    void shouldRefuseAHeaderOfTooManyLines() throws Exception {
        String head = "GET /file HTTP/1.1\r\nHost: h\r\n";
        try (ServeProgram server = ServeProgram.start(directory, root);
                RawHttp http = server.connect()) {
            http.write(head + "a:b\r\n".repeat(99) + "\r\n");
            assertEquals(200, http.answer(false).status());
            http.write(head + "a:b\r\n".repeat(100) + "\r\n");
            Answer answer = http.answer(false);
            assertEquals(431, answer.status());
            assertTrue(answer.closes());
        }
    }

    @Test
    void shouldServeOthersWhateverRequestsWait() throws Exception {
        Content.write(root.resolve("big"), SIZE);
        String big = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n"; // of which nothing is taken
        String waiting = "HEAD /file HTTP/1.1\r\nHost: h\r\nX: " + "x".repeat(15_000) + "\r\n\r\n";
        List<RawHttp> greedy = new ArrayList<>();
        try (ServeProgram server = ServeProgram.start(SMALL_HEAP, directory, root)) {
            for (int i = 0; i < 150; i++) { // more than the heap has
                RawHttp http = server.connect();
                greedy.add(http);
                http.write(big + waiting.repeat(60)); // all that waits of one connection
            }
            Pattern said = Pattern.compile(".* all of the 2[34] MiB for them, a quarter of the heap.*"
                    + " SENDFILED_JAVA_OPTS=-Xmx1[89][0-9]m doubles that\n");
            Await.until("a word of that", () -> said.matcher(server.program().errorsSoFar())
                    .matches());
            assertServesOthers(server);
            int index = greedy.size();
            Answer answer;
            do { // what one of them is refused leaves room to another
                index--;
                assertEquals(SIZE, greedy.get(index).answer(false).bytes().length);
                answer = greedy.get(index).answer(true);
            } while (answer.status() == 200 && index > 0);
            assertRefused(answer);
            assertTrue(greedy.get(index).isAtEnd(), "as a HEAD is answered");
        } finally {
            close(greedy);
        }
    }

    @Test
    void shouldServeOthersWhateverPagesAreNotTaken() throws Exception {
        Path many = Files.createDirectory(root.resolve("many"));
        for (int i = 0; i < 8000; i++) {
            Files.createFile(many.resolve("x".repeat(240) + i)); // a page of more than a socket holds
        }
        List<RawHttp> greedy = new ArrayList<>();
        try (ServeProgram server = ServeProgram.start(SMALL_HEAP, directory, root, "--list")) {
            for (int i = 0; i < 40; i++) { // 190 MB
                Socket socket = new Socket();
                socket.setReceiveBufferSize(4096);
                socket.connect(new InetSocketAddress(
                        server.url().getHost(), server.url().getPort()));
                greedy.add(new RawHttp(socket));
                greedy.get(i).write("GET /many/ HTTP/1.1\r\nHost: h\r\n\r\n");
            }
            List<String> statuses = new ArrayList<>();
            for (RawHttp http : greedy) {
                byte[] line = new byte[12];
                assertEquals(line.length, http.read(line));
                statuses.add(new String(line, StandardCharsets.ISO_8859_1));
            }
            assertTrue(statuses.contains("HTTP/1.1 200"), statuses::toString);
            assertTrue(statuses.contains("HTTP/1.1 503"), statuses::toString);
            assertServesOthers(server);
            close(greedy);
            Await.until("a page for who comes next", () -> status(server, "/many/") == 200);
        } finally {
            close(greedy);
        }
    }

    @Test
    void shouldServeAgainAfterDescriptorsHaveRunOut() throws Exception {
        SystemProgram.require("prlimit");
        List<RawHttp> many = new ArrayList<>();
        try (ServeProgram server = ServeProgram.start(directory, root)) {
            long pid = server.program().pid();
            assertEquals(200, status(server, "/file"));
            int limit = OpenDescriptors.settledCount(pid) + 20;
            HelperProgram.output("prlimit", "--pid=" + pid, "--nofile=" + limit + ":" + limit);
            for (int i = 0; i < 100; i++) {
                many.add(server.connect());
            }
            Await.until("a word of that", () -> server.program().errorsSoFar().contains("Too many open files"));
            close(many);
            Await.until("a descriptor for who comes next", () -> isServed(server));
        } finally {
            close(many);
        }
    }

    private static void assertServesOthers(ServeProgram server) throws IOException {
        assertEquals(200, status(server, "/file"));
        String errors = server.program().errorsSoFar();
        assertFalse(errors.contains("OutOfMemoryError"), errors);
    }

    private static int status(ServeProgram server, String path) {
        try (RawHttp http = server.connect()) {
            http.write("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
            return http.answer(false).status();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void close(List<RawHttp> all) throws IOException {
        for (RawHttp http : all) {
            http.close();
        }
    }

    private static boolean isServed(ServeProgram server) {
        try (RawHttp http = server.connect()) {
            http.write(GET);
            return http.answer(false).status() == 200;
        } catch (IOException e) {
            return false; // it was closed before it was written to
        }
    }

    @Test
    void shouldAnswerARequestWithABodyAndReadNoneOfIt() throws Exception {
        try (ServeProgram server = ServeProgram.start(directory, root);
                RawHttp http = server.connect()) {
            http.write("GET /file HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\nthe first of it");
            Answer answer = http.answer(false);
            assertEquals("content", answer.text());
            assertTrue(answer.closes());
            assertTrue(http.isAtEnd());
            assertFalse(server.program().errorsSoFar().contains("Exception"), server.program()::errorsSoFar);
        }
    }
}
