package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.names.Names;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.PageCache;
import io.sendfiled.support.ProcessThreads;
import io.sendfiled.support.SelfSigned;
import io.sendfiled.support.SystemProgram;
import io.sendfiled.system.Program;
import io.sendfiled.system.client.RawHttp.Answer;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The program {@code sfd serve}: its end, TLS, pages of directories and its log. */
@Timeout(60)
final class ServeIT {
    private static final String GET = "GET /file HTTP/1.1\r\nHost: h\r\n\r\n";

    /** Of Netty, what needs a library that is not here: it cannot be archived, nor is it used. */
    private static final Pattern NOT_HERE = Pattern.compile("[.](ReferenceCounted)?OpenSsl|[.]Conscrypt");

    @TempDir
    private Path directory;

    private Path root;
    private Content content;

    @BeforeEach
    void makeFiles() throws Exception {
        root = Files.createDirectory(directory.resolve("root"));
        content = Content.write(root.resolve("file"), 1_000_000);
    }

    @Test
    void shouldServeByTls() throws Exception {
        List<Path> pem = SelfSigned.pem(directory);
        try (ServeProgram server = ServeProgram.start(
                directory,
                root,
                "--cert",
                pem.get(0).toString(),
                "--key",
                pem.get(1).toString())) {
            assertEquals("https", server.url().getScheme());
            try (RawHttp http = connectByTls(server)) {
                for (int i = 0; i < 2; i++) {
                    http.write(GET);
                    assertEquals(content, http.answer(false).content());
                    PageCache.evict(root.resolve("file"));
                }
                http.write("GET /file HTTP/1.1\r\nHost: h\r\nRange: bytes=7-500006\r\nConnection: close\r\n\r\n");
                assertEquals(
                        Content.of(root.resolve("file"), 7, 500_000),
                        http.answer(false).content());
                assertTrue(http.isAtEnd());
            }
        }
    }

    /** What would have to be loaded from a jar while a client waits. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldFindEveryClassInTheArchiveUntilARequestIsAnswered(boolean isTls) throws Exception {
        List<Path> pem = SelfSigned.pem(directory);
        String[] options = isTls
                ? new String[] {
                    "--cert", pem.get(0).toString(), "--key", pem.get(1).toString()
                }
                : new String[0];
        Map<String, String> logsClasses = Map.of("SENDFILED_JAVA_OPTS", "-Xlog:class+load:stderr");
        try (ServeProgram server = ServeProgram.start(logsClasses, directory, root, options);
                RawHttp http = isTls ? connectByTls(server) : server.connect()) {
            http.write(GET);
            assertEquals(content, http.answer(false).content());
            String loads = server.program().errorsSoFar();
            assertTrue(loads.contains("io.sendfiled.serve.Exchange source: shared objects file"), loads);
            assertEquals(
                    List.of(),
                    loads.lines()
                            .filter(line -> line.contains(" source: file:")
                                    && !NOT_HERE.matcher(line).find())
                            .toList());
        }
    }

    @Test
    void shouldShakeHandsOnceOnly() throws Exception {
        List<Path> pem = SelfSigned.pem(directory);
        String cert = pem.get(0).toString();
        String key = pem.get(1).toString();
        try (ServeProgram server = ServeProgram.start(directory, root, "--cert", cert, "--key", key);
                SSLSocket socket = (SSLSocket) SelfSigned.client()
                        .getSocketFactory()
                        .createSocket(server.url().getHost(), server.url().getPort())) {
            socket.setEnabledProtocols(new String[] {"TLSv1.2"}); // the last one that has this
            try (RawHttp http = new RawHttp(socket)) {
                http.write(GET);
                assertEquals(content, http.answer(false).content());
                socket.startHandshake();
                assertThrows(SSLException.class, () -> {
                    http.write(GET);
                    http.answer(false);
                });
            }
        }
    }

    private static RawHttp connectByTls(ServeProgram server) throws Exception {
        return new RawHttp(SelfSigned.client()
                .getSocketFactory()
                .createSocket(server.url().getHost(), server.url().getPort()));
    }

    @Test
    void shouldShowDirectoriesWhateverTheirNamesAre() throws Exception {
        List<String> hostile = List.of(
                "<script>alert(1)",
                "<img src=x onerror=alert(1)>",
                "\" onmouseover=\"x",
                "javascript:alert(1)",
                "a&amp;b",
                "%2e%2e",
                "ünï",
                "raw\udcff\udc80",
                "line\nbreak",
                "\u202Egnp.exe",
                "tab\t",
                "?query#fragment",
                "...",
                "'quote'");
        for (String name : hostile) {
            Files.writeString(Names.resolve(root, name), name.length() + " " + Names.printable(name));
        }
        Files.createDirectory(Names.resolve(root, "dir ü"));
        Files.createSymbolicLink(root.resolve("out"), directory);
        Files.createSymbolicLink(
                root.resolve("link"), Names.resolve(root, "dir ü").getFileName());
        try (ServeProgram server = ServeProgram.start(directory, root, "--list");
                RawHttp http = server.connect()) {
            String page = text(http, "/");
            assertFalse(page.contains("<script"), page);
            assertFalse(page.contains("onmouseover=\"x"), page);
            assertTrue(page.contains("raw\\xFF\\x80"), page);
            List<String> links = links(page);
            assertEquals(hostile.size() + 4, links.size(), page);
            List<String> read = new ArrayList<>();
            for (String link : links) {
                http.write("GET /" + link.substring(2) + " HTTP/1.1\r\nHost: h\r\n\r\n");
                Answer answer = http.answer(false);
                if (link.equals("./out")) {
                    assertEquals(404, answer.status());
                } else if (link.equals("./link")) {
                    assertEquals(301, answer.status());
                } else {
                    assertEquals(200, answer.status(), link);
                    read.add(new String(answer.bytes(), StandardCharsets.UTF_8));
                }
            }
            for (String name : hostile) {
                assertTrue(read.contains(name.length() + " " + Names.printable(name)), name);
            }
            assertTrue(text(http, "/dir%20%C3%BC/").contains("href=\"../\""));
            assertEquals(404, status(http, "/link/"), "a link is not followed to a page");
            assertEquals(404, status(http, "/absent/"));
            assertEquals(404, status(http, "/dir%20%C3%BC/../../"));
            List<String> bySize = links(text(http, "/?sort=size&order=desc"));
            assertEquals("./file", bySize.get(1), bySize::toString); // behind the directory
            List<String> byName = links(text(http, "/?sort=name"));
            assertEquals(links, byName);
            Files.createDirectories(root.resolve("a/<b>/c"));
            String heading = "<h1><a href=\"../../../\"><bdi></bdi>/</a><a href=\"../../\"><bdi>a</bdi>/</a>"
                    + "<a href=\"../\"><bdi>&lt;b&gt;</bdi>/</a><bdi>c</bdi>/</h1>";
            assertTrue(text(http, "/a/%3Cb%3E/c/").contains(heading));
        }
    }

    private static List<String> links(String page) {
        return Pattern.compile("<td><a href=\"([^\"]*)\"")
                .matcher(page)
                .results()
                .map((MatchResult link) -> link.group(1))
                .toList();
    }

    private static String text(RawHttp http, String target) throws IOException {
        http.write("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n");
        Answer answer = http.answer(false);
        assertEquals(200, answer.status());
        assertEquals("text/html; charset=utf-8", answer.headers().get("Content-Type"));
        return new String(answer.bytes(), StandardCharsets.UTF_8);
    }

    private static int status(RawHttp http, String target) throws IOException {
        http.write("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n");
        return http.answer(false).status();
    }

    @Test
    void shouldEndAnswersThatAreUnderWayAndTheIdleConnectionsAtOnce() throws Exception {
        content = Content.write(root.resolve("file"), 30_000_000);
        try (ServeProgram server = ServeProgram.start(directory, root);
                RawHttp idle = server.connect();
                RawHttp http = server.connect()) {
            idle.write("HEAD /file HTTP/1.1\r\nHost: h\r\n\r\n");
            assertEquals(200, idle.answer(true).status());
            http.write(GET); // more than both sockets hold
            byte[] first = new byte[1];
            assertEquals(1, http.read(first));
            server.program().signal("TERM");
            assertTrue(idle.isAtEnd());
            byte[] rest = http.rest();
            assertEquals(content, Content.of(Arrays.copyOfRange(rest, rest.length - 30_000_000, rest.length)));
            assertEquals(0, server.program().awaitExit(), server.program().errors());
        }
    }

    @Test
    void shouldEndAtTheSecondSignal() throws Exception {
        content = Content.write(root.resolve("file"), 30_000_000);
        try (ServeProgram server = ServeProgram.start(directory, root);
                RawHttp idle = server.connect();
                RawHttp http = server.connect()) {
            idle.write("HEAD /file HTTP/1.1\r\nHost: h\r\n\r\n");
            assertEquals(200, idle.answer(true).status());
            http.write(GET);
            assertEquals(1, http.read(new byte[1]));
            server.program().signal("INT");
            assertTrue(idle.isAtEnd()); // the first one was taken
            server.program().signal("INT");
            assertEquals(0, server.program().awaitExit(), server.program().errors());
        }
    }

    @Test
    void shouldEndAlthoughItsLogTakesNothing() throws Exception {
        Path log = fifo();
        String longLine = "GET /file HTTP/1.1\r\nHost: h\r\nUser-Agent: " + "x".repeat(15_000) + "\r\n\r\n";
        try (RandomAccessFile reader = new RandomAccessFile(log.toFile(), "rw");
                ServeProgram server = ServeProgram.start(directory, root, "--access-log", log.toString());
                RawHttp http = server.connect()) {
            assertTrue(reader.getFD().valid());
            for (int i = 0; i < 10; i++) { // more than a pipe holds
                http.write(longLine);
                assertEquals(200, http.answer(false).status());
            }
            server.program().signal("TERM");
            assertEquals(0, server.program().awaitExit(), server.program().errors());
            assertTrue(server.program().errors().contains("the last lines are lost: " + log + " takes nothing"));
        }
    }

    @Test
    void shouldBeEndedByASignalWhileItStarts() throws Exception {
        Path log = fifo(); // that nobody reads
        try (Program program = ServeProgram.run(directory, root, "--port", "0", "--access-log", log.toString())) {
            Await.until("the engine to have started", () -> !ProcessThreads.count(program.pid(), "sendfiled-loop")
                    .isEmpty());
            program.signal("TERM");
            assertEquals(128 + 15, program.awaitExit(), program.errors());
        }
    }

    private Path fifo() throws Exception {
        Path fifo = directory.resolve("fifo");
        HelperProgram.output("mkfifo", fifo.toString());
        return fifo;
    }

    @Test
    void shouldRefuseADirectoryInWhichItsUserFindsNothing() throws Exception {
        Assumptions.assumeTrue(Program.ROOT, "only root becomes another user");
        SystemProgram.require("setpriv");
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-----"));
        String sfd = ServeProgram.SFD.toString();
        List<String> command = List.of(
                "setpriv",
                "--reuid=54321",
                "--regid=54321",
                "--clear-groups",
                sfd,
                "serve",
                root.toString(),
                "--port=0");
        try (Program program = Program.start(directory, command, Map.of())) {
            assertEquals(4, program.awaitExit(), program.errors());
            assertTrue(program.errors().contains("permission denied (EACCES); this user may not read it"));
        }
    }

    @Test
    void shouldSayThatItsDirectoryWasReplaced() throws Exception {
        try (ServeProgram server = ServeProgram.start(directory, root);
                RawHttp http = server.connect()) {
            assertEquals(404, status(http, "/new"));
            Files.move(root, directory.resolve("before"));
            Files.createDirectory(root);
            Files.writeString(root.resolve("new"), "new");
            String said = "somebody removed or replaced " + root;
            Await.until("a word of that", () -> {
                try {
                    assertEquals(404, status(http, "/new"));
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
                return server.program().errorsSoFar().contains(said);
            });
            assertEquals(200, status(http, "/file"), "what it has opened is served");
        }
    }

    @Test
    void shouldLogEachAnswerAndOpenTheLogAnew() throws Exception {
        Path log = directory.resolve("access.log");
        try (ServeProgram server = ServeProgram.start(directory, root, "--access-log", log.toString());
                RawHttp http = server.connect()) {
            http.write("GET /file?\" HTTP/1.1\r\nHost: h\r\nUser-Agent: a\"b\r\n\r\n");
            assertEquals(200, http.answer(false).status());
            awaitLine(
                    log,
                    "127\\.0\\.0\\.1 - - \\[[^]]+\\] \"GET /file\\?\\\\x22 HTTP/1\\.1\" 200 1000000 \"-\" \"a\\\\x22b\"");
            Path old = Files.move(log, directory.resolve("access.log.1"));
            server.program().signal("USR1");
            Await.until("the log to be opened anew", () -> Files.exists(log));
            assertEquals(404, status(http, "/absent"));
            awaitLine(log, ".*\"GET /absent HTTP/1\\.1\" 404 14 .*");
            assertEquals(1, Files.readAllLines(old).size());
        }
    }

    private static void awaitLine(Path log, String pattern) {
        Await.until("a line as " + pattern, () -> {
            try {
                List<String> lines = Files.readAllLines(log);
                return lines.size() == 1 && lines.get(0).matches(pattern);
            } catch (IOException e) {
                return false;
            }
        });
    }

    @Test
    void shouldServeOthersWhileADiskHoldsTwo() throws Exception {
        String why = HeldDisk.unavailableBecause();
        Assumptions.assumeTrue(why.isEmpty(), why);
        Content.write(root.resolve("held"), 200_000);
        try (HeldDisk disk = HeldDisk.mount(directory.resolve("disk"), root, "held");
                ServeProgram server = ServeProgram.start(directory, disk.mountPoint())) {
            List<RawHttp> waiting = new ArrayList<>();
            try {
                for (int i = 0; i < 2; i++) { // not all the threads that the engine has for a disk
                    RawHttp http = server.connect();
                    waiting.add(http);
                    http.write("GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
                }
                disk.awaitHeld();
                for (int i = 0; i < 16; i++) { // on each event loop, that of the held ones, too
                    try (RawHttp http = server.connect()) {
                        http.write(GET);
                        assertEquals(content, http.answer(false).content());
                    }
                }
                disk.release();
                for (RawHttp http : waiting) {
                    assertEquals(
                            Content.of(root.resolve("held")), http.answer(false).content());
                }
            } finally {
                for (RawHttp http : waiting) {
                    http.close();
                }
            }
        }
    }
}
