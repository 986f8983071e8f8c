package io.sendfiled.system.client;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.PageCache;
import io.sendfiled.support.SystemProgram;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.DaemonProcess;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The example servers in front of a real daemon, asked by real clients: curl, wrk, and sockets for what these would not do.
 */
@ParameterizedClass
@MethodSource("io.sendfiled.system.client.ExampleServer#kinds")
@Timeout(120)
final class HttpExampleIT {
    private static final int SMALL = 4096;
    private static final long BIG = 64 << 20;
    private static final int PIPE_SIZE = 64 << 10;
    private static final int COLD_FILES = 8;
    private static final int COLD_SIZE = 1_000_000;
    private static final String END = " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";

    @TempDir
    private static Path directory;

    @Daemon("open-files=0") // what it keeps open by itself for a session's paths would look like a leak
    private static TestDaemon daemon;

    @SuppressWarnings("NullAway.Init") // a test that finds it missing is skipped
    private static ExampleServer server;

    private static boolean started;

    @SuppressWarnings("NullAway.Init") // a test that finds it missing is skipped
    private static Content small;

    @SuppressWarnings("NullAway.Init") // a test that finds it missing is skipped
    private static Content big;

    @Parameter
    ExampleServer.Kind kind;

    @BeforeParameterizedClassInvocation
    static void start(ExampleServer.Kind kind) throws Exception {
        started = false;
        if (!kind.isThere()) { // its tests are skipped one by one: that of a whole class would not be counted
            return;
        }
        SystemProgram.require("curl");
        small = Content.write(daemon.root().resolve("small.html"), SMALL);
        big = Content.write(daemon.root().resolve("big"), BIG);
        Content.write(daemon.root().resolve("empty"), 0);
        Files.createDirectories(daemon.root().resolve("directory"));
        server = ExampleServer.start(kind, directory);
        daemon.holdMore(kind.heldByDaemon());
        started = true;
    }

    @AfterParameterizedClassInvocation
    static void stop() throws Exception {
        if (started) {
            try (Socket socket = server.connect()) { // it has to let go of all that is under way
                send(socket, "GET /big" + END);
                readHeader(socket.getInputStream());
                server.close();
            }
            daemon.holdMore(-server.kind().heldByDaemon());
        }
    }

    @BeforeEach
    void require() {
        assumeTrue(started, "-DskipSanitizers");
    }

    @AfterEach
    void shouldLeakNoDescriptor() {
        if (started) {
            server.expectNoLeak();
        }
    }

    /** What curl has got. */
    private record Response(int status, String header, Content body) {
        String field(String name) {
            Matcher field = Pattern.compile("(?mi)^" + name + ": (.*?)\r?$").matcher(header);
            assertTrue(field.find(), () -> "no " + name + " in " + header);
            return field.group(1);
        }

        boolean has(String name) {
            return Pattern.compile("(?mi)^" + name + ":").matcher(header).find();
        }
    }

    private static Response curl(ExampleServer of, String path, String... options) throws Exception {
        Path body = Files.createTempFile(directory, "body", "");
        List<String> command = new ArrayList<>(List.of("curl", "-sS", "-D", "-", "-o", body.toString()));
        command.addAll(Arrays.asList(options));
        command.add(of.url(path));
        try (Program curl = Program.start(directory, command, Map.of())) {
            String header = curl.output();
            assertEquals(0, curl.awaitExit(), curl.errors());
            return new Response(Integer.parseInt(header.split(" ")[1]), header, Content.of(body));
        } finally {
            Files.delete(body);
        }
    }

    private static Response curl(String path, String... options) throws Exception {
        return curl(server, path, options);
    }

    private static void send(Socket socket, String request) throws IOException {
        socket.getOutputStream().write(request.getBytes(ISO_8859_1));
    }

    /** All that comes until the server hangs up. */
    private static String ask(String request) throws IOException {
        try (Socket socket = server.connect()) {
            send(socket, request);
            return new String(socket.getInputStream().readAllBytes(), ISO_8859_1);
        }
    }

    private static String readHeader(InputStream in) throws IOException {
        StringBuilder header = new StringBuilder();
        while (header.indexOf("\r\n\r\n") < 0) {
            int next = in.read();
            assertTrue(next >= 0, () -> "it ended after " + header);
            header.append((char) next);
        }
        return header.toString();
    }

    @Test
    void shouldServeWholeFiles() throws Exception {
        for (String file : List.of("small.html", "empty", "big")) {
            Response response = curl("/" + file);
            Content content = Content.of(daemon.root().resolve(file));
            assertEquals(200, response.status());
            assertEquals(content, response.body());
            assertEquals(content.size() + "", response.field("Content-Length"));
            assertEquals("bytes", response.field("Accept-Ranges"));
            assertEquals(
                    file.endsWith("html") ? "text/html" : "application/octet-stream", response.field("Content-Type"));
        }
    }

    @Test
    void shouldServeAFileOfWhichMemoryHasTheBeginningOnly() throws Exception {
        Path file = daemon.root().resolve("partly");
        Content content = Content.write(file, 4L << 20);
        PageCache.evict(file); // so that it is on the disk; what is written lies in memory until then
        for (long from : List.of(0L, 4096L, 1L << 20, (3L << 20) + 4096)) {
            assertEquals(content, Content.of(file)); // all of it is read
            PageCache.evictFrom(file, from);
            Response response = curl("/partly");
            assertEquals(200, response.status());
            assertEquals(content, response.body(), "from " + from + " on it is on the disk");
        }
    }

    @Test
    void shouldTellWhenTheFileWasModified() throws Exception {
        var modified = Files.getLastModifiedTime(daemon.root().resolve("small.html"))
                .toInstant()
                .atOffset(ZoneOffset.UTC);
        assertEquals(
                DateTimeFormatter.ofPattern("EEE, dd MMM yyyy HH:mm:ss 'GMT'", Locale.ROOT)
                        .format(modified),
                curl("/small.html").field("Last-Modified"));
    }

    @ParameterizedTest
    @CsvSource({"0-0, 0, 1", "10-19, 10, 10", "4000-, 4000, 96", "-5, 4091, 5", "-9999, 0, 4096", "4000-9999, 4000, 96"
    })
    void shouldServeARange(String range, int first, int length) throws Exception {
        Response response = curl("/small.html", "-r", range);
        assertEquals(206, response.status());
        assertEquals(Content.of(daemon.root().resolve("small.html"), first, length), response.body());
        assertEquals("bytes " + first + "-" + (first + length - 1) + "/" + SMALL, response.field("Content-Range"));
    }

    @Test
    void shouldServeARangeOfABigFile() throws Exception {
        Response response = curl("/big", "-r", "1000001-");
        assertEquals(Content.of(daemon.root().resolve("big"), 1_000_001, BIG - 1_000_001), response.body());
    }

    @ParameterizedTest
    @ValueSource(strings = {"bytes=4096-", "bytes=9999-10000", "bytes=-0", "bytes=99999999999999999999999-"})
    void shouldSayThatARangeIsOutsideOfTheFile(String range) throws Exception {
        Response response = curl("/small.html", "-H", "Range: " + range);
        assertEquals(416, response.status());
        assertEquals("bytes */" + SMALL, response.field("Content-Range"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"bytes=5-2", "bytes=0-1,3-4", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0x1-2", "bytes= 1-2"})
    void shouldIgnoreARangeThatItDoesNotUnderstand(String range) throws Exception {
        Response response = curl("/small.html", "-H", "Range: " + range);
        assertEquals(200, response.status());
        assertEquals(small, response.body());
    }

    @Test
    void shouldServeTheWholeFileWhenARangeHasACondition() throws Exception {
        assertEquals(
                200, curl("/small.html", "-r", "0-1", "-H", "If-Range: \"tag\"").status());
    }

    @Test
    void shouldAnswerHeadWithoutABody() throws Exception {
        try (Socket socket = server.connect()) {
            send(socket, "HEAD /big HTTP/1.1\r\nHost: test\r\n\r\nHEAD /missing" + END);
            String all = new String(socket.getInputStream().readAllBytes(), ISO_8859_1);
            assertTrue(
                    all.matches("(?s)HTTP/1.1 200 .*\r\nContent-Length: " + BIG
                            + "\r\n\r\nHTTP/1.1 404 .*\r\nContent-Length: 14\r\n\r\n"),
                    all);
        }
        assertEquals(200, curl("/big", "-I").status());
    }

    @Test
    void shouldServeSeveralRequestsOfOneConnection() throws Exception {
        Path sink = directory.resolve("sink");
        List<String> command = new ArrayList<>(List.of("curl", "-sS", "-w", "%{http_code}:%{num_connects} "));
        for (String file : List.of("/small.html", "/missing", "/empty", "/big", "/small.html")) {
            command.addAll(List.of("-o", sink.toString(), server.url(file)));
        }
        try (Program curl = Program.start(directory, command, Map.of())) {
            assertEquals("200:1 404:0 200:0 200:0 200:0 ", curl.output());
            assertEquals(0, curl.awaitExit(), curl.errors());
        }
    }

    @Test
    void shouldAnswerPipelinedRequestsInTheirOrder() throws Exception {
        StringBuilder requests = new StringBuilder("\r\n");
        for (String file : List.of("/small.html", "/missing", "/empty", "/small.html")) {
            requests.append("GET ").append(file).append(" HTTP/1.1\r\nHost: test\r\n\r\n");
        }
        String body = Files.readString(daemon.root().resolve("small.html"), ISO_8859_1);
        String all = ask(requests + "GET /small.html" + END);
        for (String part : List.of("200", body, "404", "404 Not Found\n", "200", "", "200", body, "200", body)) {
            if (part.length() == 3) {
                assertTrue(all.startsWith("HTTP/1.1 " + part), all);
                all = all.substring(all.indexOf("\r\n\r\n") + 4);
            } else {
                assertTrue(all.startsWith(part), all);
                all = all.substring(part.length());
            }
        }
        assertEquals("", all);
    }

    @Test
    void shouldAnswerAClientThatHasSaidAllItHasToSay() throws Exception {
        try (Socket socket = server.connect()) {
            send(socket, "GET /big HTTP/1.1\r\nHost: test\r\n\r\n");
            socket.shutdownOutput();
            readHeader(socket.getInputStream());
            assertEquals(big, Content.drain(Channels.newChannel(socket.getInputStream())));
        }
    }

    @Test
    void shouldKeepAConnectionOfHttp10OnlyIfAsked() throws Exception {
        String closed = ask("GET /empty HTTP/1.0\r\n\r\nGET /empty HTTP/1.0\r\n\r\n");
        assertEquals(1, closed.split("HTTP/1.1 200").length - 1, closed);
        assertTrue(closed.contains("\r\nConnection: close\r\n"), closed);
        String kept = ask("GET /empty HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /empty HTTP/1.0\r\n\r\n");
        assertEquals(2, kept.split("HTTP/1.1 200").length - 1, kept);
        assertTrue(kept.contains("\r\nConnection: keep-alive\r\n"), kept);
    }

    static Stream<Arguments> refusals() {
        return Stream.of(
                Arguments.of(400, "garbage\r\n\r\n"),
                Arguments.of(400, "GET\r\n\r\n"),
                Arguments.of(400, "GET / HTTP/1.1\r\n\r\n"), // no Host
                Arguments.of(400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
                Arguments.of(400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
                Arguments.of(400, "GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n"),
                Arguments.of(400, "GET /small.html%00.png" + END),
                Arguments.of(400, "GET /\0" + END),
                Arguments.of(400, "\0\r\n\r\n"),
                Arguments.of(400, "GET /%zz" + END),
                Arguments.of(400, "GET /%4" + END),
                Arguments.of(400, "GET small.html" + END),
                Arguments.of(400, "GET http://test" + END),
                Arguments.of(404, "GET /missing" + END),
                Arguments.of(404, "GET /directory" + END),
                Arguments.of(404, "GET /" + END),
                Arguments.of(404, "GET /../../../../../../etc/passwd" + END),
                Arguments.of(404, "GET /small.html/file" + END),
                Arguments.of(405, "DELETE /small.html" + END),
                Arguments.of(405, "OPTIONS *" + END),
                Arguments.of(413, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
                Arguments.of(413, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
                Arguments.of(414, "GET /" + "a".repeat(5000) + END),
                Arguments.of(431, "GET / HTTP/1.1\r\nHost: a\r\n" + "Field: value\r\n".repeat(10_000)),
                Arguments.of(431, "G".repeat(1_000_000)),
                Arguments.of(501, "ET /small.html" + END),
                Arguments.of(501, "get /small.html" + END),
                Arguments.of(505, "GET / HTTP/2.0\r\n\r\n"));
    }

    @ParameterizedTest
    @MethodSource("refusals")
    void shouldRefuse(int status, String request) throws Exception {
        String response = ask(request);
        assertTrue(response.startsWith("HTTP/1.1 " + status + " "), response);
        assertTrue(response.endsWith("\n") && response.contains("\r\n\r\n" + status), response);
        assertEquals(status == 405, response.contains("\r\nAllow: GET, HEAD\r\n"));
    }

    @Test
    void shouldTellAClientThatHasABodyOnItsWayThatItIsNotWanted() throws Exception {
        Response response =
                curl("/small.html", "--data-binary", "@" + daemon.root().resolve("big"), "-H", "Expect:");
        assertEquals(405, response.status());
    }

    @Test
    void shouldFindAFileByItsEncodedName() throws Exception {
        Path file = daemon.root().resolve("größe & 100%?.txt");
        Content content = Content.write(file, 100);
        for (String path :
                List.of("/gr%C3%B6%c3%9fe%20&%20100%25%3f.txt", "/x/../gr%C3%B6%C3%9Fe%20%26%20100%25%3F.txt?a=/b")) {
            Files.createDirectories(daemon.root().resolve("x"));
            Response response = curl(path, "--path-as-is");
            assertEquals(200, response.status(), path);
            assertEquals(content, response.body());
            assertEquals("text/plain", response.field("Content-Type"));
        }
        assertTrue(ask("GET http://test/small.html" + END).startsWith("HTTP/1.1 200 "));
    }

    @Test
    void shouldForgetClientsThatGoAwayInTheMiddle() throws Exception {
        for (int i = 0; i < 20; i++) {
            try (Socket socket = server.connect()) {
                socket.setSoLinger(i % 2 == 0, 0); // a reset, or a word of farewell
                send(socket, "GET /big HTTP/1.1\r\nHost: test\r\n\r\nGET /big");
                assertTrue(readHeader(socket.getInputStream()).startsWith("HTTP/1.1 200 "));
            }
        }
        shouldLeakNoDescriptor();
        assertEquals(small, curl("/small.html").body());
    }

    @Test
    void shouldServeOthersWhileAClientReadsSlowly() throws Exception {
        try (Socket slow = server.connect()) {
            send(slow, "GET /big" + END);
            readHeader(slow.getInputStream());
            for (int i = 0; i < 10; i++) {
                assertEquals(small, curl("/small.html").body());
            }
            assertEquals(big, Content.drain(Channels.newChannel(slow.getInputStream())));
        }
    }

    /** Above all when the socket is full, and the daemon has hung up already because a pipe has room for the rest. */
    @Test
    void shouldSleepWhileAClientDoesNotRead() throws Exception {
        int fits = 1;
        int exceeds = 32 << 20;
        while (exceeds - fits > PIPE_SIZE / 2) {
            int middle = (fits + exceeds) / 2;
            if (isOverBeforeItIsRead(middle)) {
                fits = middle;
            } else {
                exceeds = middle;
            }
        }
        assertTrue(fits > 1, "everything exceeds the socket's room");
    }

    private static boolean isOverBeforeItIsRead(int size) throws IOException {
        try (Socket socket = server.connect()) {
            send(socket, "GET /big HTTP/1.1\r\nHost: test\r\nRange: bytes=0-" + (size - 1) + "\r\n\r\n");
            assertTrue(readHeader(socket.getInputStream()).startsWith("HTTP/1.1 206 "));
            server.awaitAsleep();
            return !server.hasTransfers();
        }
    }

    @Test
    void shouldSleepWhileADiskDoesNotAnswerInTheMiddleOfAFile() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectories(directory.resolve("half-behind"));
        Path mounted = daemon.root().resolve("half");
        Content content = Content.write(behind.resolve("held"), 16 << 20);
        try (HeldDisk disk = HeldDisk.mount(mounted, behind, "held")) {
            disk.release();
            Content.of(mounted.resolve("held"), 0, 2 << 20); // is in memory from now on
            disk.hold();
            try (Socket socket = server.connect()) {
                send(socket, "GET /half/held" + END);
                InputStream in = socket.getInputStream();
                assertTrue(readHeader(in).startsWith("HTTP/1.1 200 "));
                disk.awaitHeld();
                server.awaitAsleep();
                disk.release();
                assertEquals(content, Content.drain(Channels.newChannel(in)));
            }
            shouldLeakNoDescriptor();
        }
    }

    @Test
    void shouldForgetAClientThatIsResetWhileADiskDoesNotAnswer() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectories(directory.resolve("reset-behind"));
        Content.write(behind.resolve("held"), COLD_SIZE);
        for (boolean isAskedBeforeAccept : List.of(false, true)) {
            String name = isAskedBeforeAccept ? "reset-early" : "reset"; // an open file is kept for a second
            try (HeldDisk disk = HeldDisk.mount(daemon.root().resolve(name), behind, "held")) {
                try (Socket socket = isAskedBeforeAccept ? server.connectPaused() : server.connect()) {
                    send(socket, "GET /" + name + "/held" + END);
                    server.resume();
                    disk.awaitHeld();
                    socket.setSoLinger(true, 0);
                }
                server.expectNoLeak();
                disk.release();
                shouldLeakNoDescriptor();
            }
        }
    }

    @Test
    void shouldServeManyAtOnce() throws Exception {
        List<String> command = new ArrayList<>(List.of("curl", "-sS", "--fail", "-Z", "--parallel-max", "32"));
        List<Path> copies = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            copies.add(directory.resolve("copy" + i));
            command.addAll(List.of("-o", copies.get(i).toString(), server.url(i % 32 == 5 ? "/big" : "/small.html")));
        }
        try (Program curl = Program.start(directory, command, Map.of())) {
            assertEquals("", curl.output());
            assertEquals(0, curl.awaitExit(), curl.errors());
        }
        for (int i = 0; i < 64; i++) {
            assertEquals(i % 32 == 5 ? big : small, Content.of(copies.get(i)));
            Files.delete(copies.get(i));
        }
    }

    @Test
    void shouldHangUpOnClientsThatDoNotFinishTheirRequests() throws Exception {
        try (ExampleServer impatient = ExampleServer.start(kind, directory, 1);
                Socket silent = impatient.connect();
                Socket slow = impatient.connect()) {
            send(slow, "GET /small.html HTTP/1.1\r\nHost: test\r\n");
            assertEquals(-1, silent.getInputStream().read());
            assertEquals(-1, slow.getInputStream().read());
            impatient.expectNoLeak();
        }
    }

    @Test
    void shouldAskForPatienceWhenTheDaemonHasNoTransferLeft(@TempDir Path own) throws Exception {
        assumeFalse(kind.isHot(), "it needs no transfer for what is in memory");
        Path root = Files.createDirectory(own.resolve("root"));
        Content.write(root.resolve("big"), BIG);
        try (DaemonProcess full = DaemonProcess.start(own, TestDaemon.NAME, root, "-n", "1");
                ExampleServer before = ExampleServer.start(kind, own)) {
            try (Socket socket = before.connect()) {
                send(socket, "GET /big" + END);
                readHeader(socket.getInputStream());
                Response refused = curl(before, "/big");
                assertEquals(503, refused.status());
                assertTrue(refused.has("Retry-After"), refused.header());
                assertEquals(big, Content.drain(Channels.newChannel(socket.getInputStream())));
            }
            assertTrue(full.isAlive());
            before.expectNoLeak();
        }
    }

    @Test
    void shouldOutliveItsDaemon(@TempDir Path own) throws Exception {
        Path root = Files.createDirectory(own.resolve("root"));
        Content content = Content.write(root.resolve("file"), 10_000);
        DaemonProcess first = DaemonProcess.start(own, TestDaemon.NAME, root);
        try (ExampleServer survivor = ExampleServer.start(kind, own)) {
            assertEquals(content, curl(survivor, "/file").body());
            first.close();
            if (kind.isHot()) {
                assertEquals(content, curl(survivor, "/file").body());
                assumeTrue(PageCache.evict(root.resolve("file")), "it stays in memory");
            }
            assertEquals(503, curl(survivor, "/file").status());
            try (DaemonProcess second = DaemonProcess.start(own, TestDaemon.NAME, root)) {
                assertTrue(second.isAlive());
                assertEquals(content, curl(survivor, "/file").body());
            }
            survivor.expectNoLeak();
        } finally {
            first.close();
        }
    }

    @Test
    void shouldServeThousandsWhileADiskDoesNotAnswer() throws Exception {
        SystemProgram.require("wrk");
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectories(directory.resolve("behind"));
        List<Content> cold = new ArrayList<>();
        List<Program> downloads = new ArrayList<>();
        for (int i = 0; i < COLD_FILES; i++) {
            cold.add(Content.write(behind.resolve("held" + i), COLD_SIZE));
        }
        try (HeldDisk disk = HeldDisk.mount(daemon.root().resolve("disk"), behind, "held")) {
            for (int i = 0; i < COLD_FILES; i++) {
                Path copy = directory.resolve("cold" + i);
                downloads.add(Program.start(
                        directory,
                        List.of("curl", "-sS", "--fail", "-o", copy.toString(), server.url("/disk/held" + i)),
                        Map.of()));
            }
            disk.awaitHeld();

            expectRequests("/small.html", kind.isJava() ? 300 : 2_000); // a JVM has to compile itself first
            server.awaitAsleep();
            for (Program download : downloads) {
                assertTrue(download.isAlive(), download.errors());
            }

            disk.release();
            for (int i = 0; i < COLD_FILES; i++) {
                assertEquals(0, downloads.get(i).awaitExit(), downloads.get(i).errors());
                assertEquals(cold.get(i), Content.of(directory.resolve("cold" + i)));
            }
            shouldLeakNoDescriptor();
        } finally {
            downloads.forEach(Program::close);
        }
    }

    private static void expectRequests(String path, int least) throws Exception {
        List<String> command = List.of("wrk", "-t2", "-c16", "-d2s", server.url(path));
        try (Program wrk = Program.start(directory, command, Map.of())) {
            String report = wrk.output();
            assertEquals(0, wrk.awaitExit(), wrk.errors());
            assertFalse(report.contains("Socket errors"), report);
            assertFalse(report.contains("Non-2xx"), report);
            Matcher requests = Pattern.compile("(\\d+) requests in").matcher(report);
            assertTrue(requests.find() && Integer.parseInt(requests.group(1)) > least, report);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"--help", "a", "a b", "a b x", "a b 65536", "a b -1", "a b 0 0", "a b 0 1 2 3"})
    void shouldTellItsUsage(String arguments) throws Exception {
        List<String> command = kind.command();
        command.addAll(Arrays.asList(arguments.split(" ")));
        try (Program program = Program.start(directory, command, Map.of())) {
            assertEquals(2, program.awaitExit());
            assertTrue(program.errors().startsWith("usage: "), program.errors());
        }
    }

    @Test
    void shouldSayThatThereIsNoDaemon(@TempDir Path nobody) throws Exception {
        List<String> command = kind.command();
        command.addAll(List.of(nobody.toString(), TestDaemon.NAME, "0"));
        try (Program program = Program.start(directory, command, Map.of())) {
            assertEquals(1, program.awaitExit());
            assertTrue(program.errors().toLowerCase(Locale.ROOT).contains("no such file"), program.errors());
        }
    }
}
