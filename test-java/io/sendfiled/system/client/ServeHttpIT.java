package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.names.Names;
import io.sendfiled.support.Content;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.Scale;
import io.sendfiled.system.client.RawHttp.Answer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What {@code sfd serve} answers, byte by byte: RFC 9110 (semantics) and RFC 9112 (HTTP/1.1). */
@Timeout(120)
final class ServeHttpIT {
    private static final int SIZE = 100_000;
    private static final String NO_RANGE = "Content-Range: -";
    private static final String MODIFIED = "Fri, 02 Jan 2026 03:04:05 GMT";
    private static final String EARLIER = "Fri, 02 Jan 2026 03:04:04 GMT";

    @TempDir
    private static Path directory;

    private static Path root;
    private static ServeProgram server;
    private static String etag;
    private static String gzipTag;

    @BeforeAll
    static void start() throws Exception {
        root = Files.createDirectory(directory.resolve("root"));
        Content.write(root.resolve("file"), SIZE);
        Content.write(root.resolve("small.txt"), 100);
        Content.write(root.resolve("empty"), 0);
        Content.write(root.resolve("big"), 3_000_000);
        Files.createDirectories(root.resolve("bare/inner"));
        Content.write(Files.createDirectory(root.resolve("site")).resolve("index.html"), 500);
        Content.write(root.resolve("a b+c.txt"), 50);
        Content.write(root.resolve("ümlaut.txt"), 60);
        Files.writeString(Names.resolve(root, "raw\udcff"), "not UTF-8");
        Files.writeString(root.resolve("100%.txt"), "percent");
        for (String name : List.of(
                "page.css",
                "page.css.br",
                "page.css.zst",
                "page.css.gz",
                "old.js",
                "old.js.gz",
                "one.svg",
                "one.svg.gz")) {
            Content.write(root.resolve(name), 1000 + name.length());
        }
        Files.createSymbolicLink(root.resolve("out"), Path.of("/etc/passwd"));
        Files.createSymbolicLink(root.resolve("in"), Path.of("file"));
        Files.createSymbolicLink(root.resolve("loop"), Path.of("loop"));
        assertEquals(
                0,
                new ProcessBuilder("mkfifo", root.resolve("pipe").toString())
                        .start()
                        .waitFor());
        Instant modified = Instant.parse("2026-01-02T03:04:05.123456789Z");
        try (Stream<Path> files = Files.walk(root)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.setLastModifiedTime(file, FileTime.from(modified));
            }
        }
        Files.setLastModifiedTime(root.resolve("old.js.gz"), FileTime.from(modified.minusMillis(1)));
        server = ServeProgram.start(directory, root, "--cache-control", "max-age=60");
        etag = tag("/file", "X: y");
        gzipTag = tag("/page.css", "Accept-Encoding: gzip");
    }

    @AfterAll
    static void stop() throws Exception {
        server.program().signal("TERM");
        assertEquals(0, server.program().awaitExit(), server.program().errors());
        assertEquals("", server.program().errors());
        server.close();
    }

    private static String tag(String path, String header) throws IOException {
        try (RawHttp http = server.connect()) {
            http.write("HEAD " + path + " HTTP/1.1\r\nHost: h\r\n" + header + "\r\n\r\n");
            String tag = http.answer(true).header("ETag");
            assertTrue(tag.matches("\"[0-9a-f]+-[0-9a-f]+-[0-9a-f]+\""), tag);
            return tag;
        }
    }

    // ---- the table ----

    /**
     * A request and its answer.
     *
     * @param request as it is sent; {@code {etag}} is that of /file
     * @param body the file that it is a part of; empty: what it is does not matter, {@code -}: there is none
     * @param expected headers; with {@code -} as the value, one that there must not be
     */
    private record Case(
            String name, String request, int status, String body, long offset, long length, List<String> expected) {
        Case with(String... headers) {
            return new Case(name, request, status, body, offset, length, List.of(headers));
        }

        Case of(String file, long from, long count) {
            return new Case(name, request, status, file, from, count, expected);
        }

        Case whole(String file) throws IOException {
            return of(file, 0, Files.size(root.resolve(file)));
        }

        Case bare() {
            return of("-", 0, 0);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private static Case raw(String name, String request, int status) {
        return new Case(name, request, status, "", 0, 0, List.of());
    }

    private static Case get(String name, String target, int status, String... headers) {
        return request(name, "GET " + target + " HTTP/1.1", status, headers);
    }

    private static Case request(String name, String line, int status, String... headers) {
        return raw(name, line + "\r\nHost: h\r\n" + lines(headers) + "\r\n", status);
    }

    private static String lines(String... headers) {
        StringBuilder text = new StringBuilder();
        for (String header : headers) {
            text.append(header).append("\r\n");
        }
        return text.toString();
    }

    private static Case range(String name, String range, int status, String... more) {
        String[] headers = Arrays.copyOf(more, more.length + 1);
        headers[more.length] = "Range: " + range;
        return get(name, "/file", status, headers);
    }

    private static Case part(String name, String range, long offset, long length) {
        String contentRange = "Content-Range: bytes " + offset + "-" + (offset + length - 1) + "/" + SIZE;
        return range(name, range, 206).of("file", offset, length).with(contentRange);
    }

    private static List<Case> cases() throws IOException {
        List<Case> all = new ArrayList<>();
        // what there is
        all.add(get("a file", "/file", 200)
                .whole("file")
                .with(
                        "Content-Type: application/octet-stream",
                        "Accept-Ranges: bytes",
                        "Last-Modified: " + MODIFIED,
                        "Cache-Control: max-age=60",
                        "Vary: accept-encoding",
                        "Connection: -",
                        "Content-Encoding: -",
                        NO_RANGE));
        all.add(get("a small file", "/small.txt", 200)
                .whole("small.txt")
                .with("Content-Type: text/plain; charset=utf-8"));
        all.add(get("a large file", "/big", 200).whole("big"));
        all.add(get("an empty file", "/empty", 200).whole("empty").with("Content-Length: 0"));
        all.add(request("HEAD", "HEAD /file HTTP/1.1", 200)
                .bare()
                .with("Content-Length: " + SIZE, "Accept-Ranges: bytes"));
        all.add(request("HEAD of nothing", "HEAD /absent HTTP/1.1", 404).bare());
        all.add(request("HEAD of a directory", "HEAD /bare HTTP/1.1", 301)
                .bare()
                .with("Location: /bare/"));
        all.add(get("index.html", "/site/", 200)
                .whole("site/index.html")
                .with("Content-Type: text/html; charset=utf-8"));
        all.add(get("a directory without a slash", "/site", 301).with("Location: /site/"));
        all.add(get("its query", "/site?a=/b&c", 301).with("Location: /site/?a=/b&c"));
        all.add(get("no other host by it", "//site", 301).with("Location: /site/"));
        all.add(get("nor by a backslash", "/%5csite", 404));
        all.add(get("a directory without index.html", "/bare/", 403));
        all.add(get("the root without it", "/", 403));
        all.add(get("a directory that is none", "/absent/", 404));
        all.add(get("a file as a directory", "/file/", 404));
        all.add(get("below a file", "/file/x", 404));
        all.add(get("a query", "/file?x=1", 200).whole("file"));
        all.add(get("a FIFO", "/pipe", 403));
        all.add(get("a link inside", "/in", 200).whole("file"));
        all.add(get("a link that leads out", "/out", 404));
        all.add(get("a link to itself", "/loop", 404));
        all.add(get("dots that lead out", "/../etc/passwd", 404));
        all.add(get("the same encoded", "/%2e%2e/%2E%2e/etc/passwd", 404));
        all.add(get("an encoded slash", "/..%2f..%2fetc/passwd", 404));
        all.add(get("dots inside", "/site/../file", 200).whole("file"));
        all.add(get("a name that is too long", "/" + "x".repeat(300), 404));
        all.add(get("a path that is too long", "/x".repeat(3000), 404));
        all.add(get("a directory by its dot", "/bare/.", 301).with("Location: /bare/./"));
        // names
        all.add(get("an encoded name", "/%66ile", 200).whole("file"));
        all.add(get("a blank and a plus", "/a%20b+c.txt", 200).whole("a b+c.txt"));
        all.add(get("UTF-8", "/%C3%BCmlaut.txt", 200).whole("ümlaut.txt"));
        all.add(get("a percent sign", "/100%25.txt", 200).whole("100%.txt"));
        all.add(get("a byte that is not UTF-8", "/raw%fF", 200).with("Content-Length: 9"));
        all.add(get("half an escape", "/%f", 400));
        all.add(get("no escape", "/%zz", 400));
        all.add(get("an escape without digits", "/file%", 400));
        all.add(get("a NUL", "/file%00", 400));
        all.add(get("a fragment", "/file#x", 400));
        all.add(get("a byte above ASCII", "/\u00ffile", 400));
        all.add(get("absolute form", "http://example.org/file", 200).whole("file"));
        all.add(get("absolute form without a path", "http://example.org", 403));
        all.add(get("absolute form of a port", "http://[::1]:80/file", 200).whole("file"));
        all.add(get("absolute form with a user", "http://user@example.org/file", 400));
        all.add(get("absolute form without a host", "http://:80/file", 400));
        all.add(get("absolute form of another scheme", "ftp://example.org/file", 400));
        all.add(get("no slash", "file", 400));
        // conditions
        all.add(get("If-None-Match", "/file", 304, "If-None-Match: {etag}")
                .bare()
                .with("ETag: {etag}", "Cache-Control: max-age=60", "Vary: accept-encoding", "Content-Length: -"));
        all.add(get("If-None-Match in a list", "/file", 304, "If-None-Match: \"a,b\", W/\"c\" ,{etag}")
                .bare());
        all.add(get("If-None-Match in two lines", "/file", 304, "If-None-Match: \"a\"", "If-None-Match: {etag}")
                .bare());
        all.add(get("If-None-Match compares weakly", "/file", 304, "If-None-Match: W/{etag}")
                .bare());
        all.add(get("If-None-Match of anything", "/file", 304, "If-None-Match: *")
                .bare());
        all.add(get("If-None-Match of another", "/file", 200, "If-None-Match: \"x\"")
                .whole("file"));
        all.add(get(
                "If-None-Match before If-Modified-Since",
                "/file",
                200,
                "If-None-Match: \"x\"",
                "If-Modified-Since: " + MODIFIED));
        all.add(request("If-None-Match of HEAD", "HEAD /file HTTP/1.1", 304, "If-None-Match: {etag}")
                .bare());
        all.add(get("If-None-Match of nothing", "/absent", 404, "If-None-Match: *"));
        all.add(get("If-Match", "/file", 200, "If-Match: \"x\", {etag}").whole("file"));
        all.add(get("If-Match of anything", "/file", 200, "If-Match: *").whole("file"));
        all.add(get("If-Match of another", "/file", 412, "If-Match: \"x\""));
        all.add(get("If-Match compares strongly", "/file", 412, "If-Match: W/{etag}"));
        all.add(get(
                "If-Match before If-Unmodified-Since",
                "/file",
                200,
                "If-Match: {etag}",
                "If-Unmodified-Since: " + EARLIER));
        all.add(get("If-Match before If-None-Match", "/file", 412, "If-Match: \"x\"", "If-None-Match: {etag}"));
        all.add(get("If-Modified-Since", "/file", 304, "If-Modified-Since: " + MODIFIED)
                .bare());
        all.add(get("If-Modified-Since before", "/file", 200, "If-Modified-Since: " + EARLIER)
                .whole("file"));
        all.add(get("If-Modified-Since as RFC 850", "/file", 304, "If-Modified-Since: Friday, 02-Jan-26 03:04:05 GMT")
                .bare());
        all.add(get("If-Modified-Since as asctime", "/file", 304, "If-Modified-Since: Fri Jan  2 03:04:05 2026")
                .bare());
        all.add(get("If-Modified-Since that is no date", "/file", 200, "If-Modified-Since: tomorrow")
                .whole("file"));
        for (String other : List.of(
                MODIFIED.replace("GMT", "UTC"),
                MODIFIED.replace("GMT", "+0500"),
                MODIFIED + ", " + MODIFIED,
                MODIFIED.toLowerCase(Locale.ROOT),
                MODIFIED + ";x")) {
            all.add(get("If-Modified-Since as " + other, "/file", 200, "If-Modified-Since: " + other)
                    .whole("file"));
            all.add(get("If-Unmodified-Since as " + other, "/file", 200, "If-Unmodified-Since: " + other)
                    .whole("file"));
            all.add(range("If-Range as " + other, "bytes=1-2", 200, "If-Range: " + other)
                    .whole("file"));
        }
        all.add(get("If-Unmodified-Since", "/file", 200, "If-Unmodified-Since: " + MODIFIED)
                .whole("file"));
        all.add(get("If-Unmodified-Since before", "/file", 412, "If-Unmodified-Since: " + EARLIER));
        // ranges
        all.add(part("the first byte", "bytes=0-0", 0, 1));
        all.add(part("the last byte", "bytes=99999-99999", SIZE - 1, 1));
        all.add(part("a middle", "bytes=1000-49999", 1000, 49_000));
        all.add(part("to the end", "bytes=90000-", 90_000, 10_000));
        all.add(part("behind the end", "bytes=90000-1000000", 90_000, 10_000));
        all.add(part("a number that is too large", "bytes=1-99999999999999999999999", 1, SIZE - 1));
        all.add(part("a suffix", "bytes=-100", SIZE - 100, 100));
        all.add(part("a suffix that is too long", "bytes=-1000000", 0, SIZE));
        all.add(part("the unit in other letters", "BYTES=5-6", 5, 2));
        all.add(part("an empty element", "bytes=, 5-6,", 5, 2));
        all.add(part("one of two is not satisfiable", "bytes=5-6,200000-", 5, 2));
        all.add(range("from the end on", "bytes=100000-", 416).with("Content-Range: bytes */100000"));
        all.add(range("an empty suffix", "bytes=-0", 416).with("Content-Range: bytes */100000"));
        all.add(get("of an empty file", "/empty", 416, "Range: bytes=0-").with("Content-Range: bytes */0"));
        all.add(range("backwards", "bytes=6-5", 200).whole("file").with(NO_RANGE));
        all.add(range("another unit", "lines=1-2", 200).whole("file"));
        all.add(range("no numbers", "bytes=a-b", 200).whole("file"));
        all.add(range("no range", "bytes=", 200).whole("file"));
        all.add(range("a dash", "bytes=-", 200).whole("file"));
        all.add(range("a minus", "bytes=--5", 200).whole("file"));
        all.add(range("more than the file has", "bytes=0-,0-", 200).whole("file"));
        all.add(range("too many", "bytes=" + "0-0,".repeat(33), 200).whole("file"));
        all.add(request("of HEAD", "HEAD /file HTTP/1.1", 200, "Range: bytes=0-0")
                .bare()
                .with("Content-Length: " + SIZE));
        all.add(range("If-Range", "bytes=1-2", 206, "If-Range: {etag}").of("file", 1, 2));
        all.add(range("If-Range of another", "bytes=1-2", 200, "If-Range: \"x\"")
                .whole("file"));
        all.add(range("If-Range that is weak", "bytes=1-2", 200, "If-Range: W/{etag}")
                .whole("file"));
        all.add(range("If-Range by date", "bytes=1-2", 206, "If-Range: " + MODIFIED)
                .of("file", 1, 2));
        all.add(range("If-Range by another date", "bytes=1-2", 200, "If-Range: Fri, 02 Jan 2026 03:04:06 GMT")
                .whole("file"));
        all.add(range("a condition before it", "bytes=1-2", 304, "If-None-Match: {etag}")
                .bare());
        // codings
        all.add(get("no coding", "/page.css", 200)
                .whole("page.css")
                .with("Content-Encoding: -", "Content-Type: text/css; charset=utf-8"));
        all.add(get("gzip", "/page.css", 200, "Accept-Encoding: gzip")
                .whole("page.css.gz")
                .with("Content-Encoding: gzip", "Content-Type: text/css; charset=utf-8", "Vary: accept-encoding"));
        all.add(get("the best of all", "/page.css", 200, "Accept-Encoding: gzip, deflate, br, zstd")
                .whole("page.css.br")
                .with("Content-Encoding: br"));
        all.add(get("by weight", "/page.css", 200, "Accept-Encoding: br;q=0.2, zstd;q=0.9, gzip;q=0.5")
                .whole("page.css.zst")
                .with("Content-Encoding: zstd"));
        all.add(get("not at all", "/page.css", 200, "Accept-Encoding: br;q=0, gzip;q=0.000")
                .whole("page.css"));
        all.add(get("anything", "/page.css", 200, "Accept-Encoding: *").whole("page.css.br"));
        all.add(get("anything but", "/page.css", 200, "Accept-Encoding: br;q=0, *")
                .whole("page.css.zst"));
        all.add(get("rather as it is", "/page.css", 200, "Accept-Encoding: identity, gzip;q=0.5")
                .whole("page.css"));
        all.add(get("what is there", "/one.svg", 200, "Accept-Encoding: br, gzip")
                .whole("one.svg.gz")
                .with("Content-Type: image/svg+xml"));
        all.add(get("one that is older", "/old.js", 200, "Accept-Encoding: gzip")
                .whole("old.js"));
        all.add(get("its own entity tag", "/page.css", 304, "Accept-Encoding: gzip", "If-None-Match: {gzip}")
                .bare());
        all.add(get("and of no other", "/page.css", 200, "If-None-Match: {gzip}")
                .whole("page.css"));
        all.add(get("a range of it", "/page.css", 206, "Accept-Encoding: gzip", "Range: bytes=10-19")
                .of("page.css.gz", 10, 10));
        // methods and messages
        all.add(request("OPTIONS", "OPTIONS * HTTP/1.1", 405).with("Allow: GET, HEAD"));
        all.add(request("POST without a body", "POST /file HTTP/1.1", 405, "Content-Length: 0")
                .with("Allow: GET, HEAD", "Connection: -"));
        all.add(raw("POST with one", "POST /file HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 405)
                .with("Connection: close"));
        all.add(raw(
                        "PUT in chunks",
                        "PUT /file HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                        405)
                .with("Connection: close"));
        all.add(raw("GET with a body", "GET /small.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 200)
                .whole("small.txt")
                .with("Connection: close"));
        all.add(request("an unknown method", "BREW /file HTTP/1.1", 501));
        all.add(request("methods have case", "get /file HTTP/1.1", 501));
        all.add(request("HTTP/2", "GET /file HTTP/2.0", 505));
        all.add(request("a later HTTP/1", "GET /file HTTP/1.9", 200).whole("file"));
        all.add(raw("no Host", "GET /file HTTP/1.1\r\n\r\n", 400));
        all.add(get("two Hosts", "/file", 400, "Host: i"));
        all.add(raw("an empty Host", "GET /file HTTP/1.1\r\nHost:\r\n\r\n", 200).whole("file"));
        all.add(raw("a Host that is none", "GET /file HTTP/1.1\r\nHost: a/b\r\n\r\n", 400));
        for (String host : List.of(
                "h:", "h:80", "a.b-c_d~e:99999", "[::1]:80", "[::ffff:192.0.2.1]", "%41", "!$&'()*+;=", ":80")) {
            all.add(raw("the Host " + host, "GET /file HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 200)
                    .whole("file"));
        }
        for (String host : List.of(
                "h:x", "h:8:0", "[::1", "[]", "[::1]x", "::1", "a,b", "u@h", "<h>", "\"h\"", "a\\b", "%4", "%zz",
                "\u00ff")) {
            all.add(raw("no Host as " + host, "GET /file HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 400));
        }
        all.add(raw("HTTP/1.0", "GET /file HTTP/1.0\r\n\r\n", 200).whole("file").with("Connection: close"));
        all.add(raw("HTTP/1.0 kept alive", "GET /file HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200)
                .whole("file")
                .with("Connection: keep-alive"));
        all.add(get("Connection: close", "/file", 200, "Connection: close")
                .whole("file")
                .with("Connection: close"));
        all.add(get("an unknown coding of transfer", "/file", 501, "Transfer-Encoding: gzip, chunked"));
        all.add(get("two lengths", "/file", 400, "Content-Length: 1", "Content-Length: 2"));
        all.add(get("a length that is none", "/file", 400, "Content-Length: x"));
        all.add(raw(
                "a length and chunks",
                "GET /file HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                400));
        all.add(get("a blank before a colon", "/file", 400, "X : y"));
        all.add(get("a name that is none", "/file", 400, "X(y: z"));
        all.add(raw("no request line", "\u0001\u0002\u0003\r\n\r\n", 400));
        all.add(get("an unknown expectation", "/file", 417, "Expect: wonders"));
        all.add(get("an expectation", "/file", 200, "Expect: 100-continue")
                .whole("file")
                .with("Connection: close"));
        all.add(get("a line that is too long", "/" + "x".repeat(9000), 414));
        all.add(get("a header that is too long", "/file", 431, "X: " + "y".repeat(17_000)));
        all.add(get("a header that is nearly too long", "/file", 200, "X: " + "y".repeat(15_000))
                .whole("file"));
        all.add(raw("an empty line before", "\r\nGET /file HTTP/1.1\r\nHost: h\r\n\r\n", 200)
                .whole("file"));
        assertTrue(all.size() >= 75);
        return all;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void shouldAnswerAsTheStandardsSay(Case c) throws Exception {
        try (RawHttp http = server.connect()) {
            http.write(filled(c.request));
            Answer answer = http.answer(c.request.startsWith("HEAD"));
            assertEquals(c.status, answer.status(), answer.line());
            assertTrue(answer.headers().containsKey("Date"));
            for (String header : c.expected) {
                String[] parts = filled(header).split(": ", 2);
                String value = answer.headers().get(parts[0]);
                if (parts[1].equals("-")) {
                    assertNull(value, header);
                } else {
                    assertEquals(parts[1], value, header);
                }
            }
            if (c.body.equals("-")) {
                assertEquals(0, answer.text().length());
            } else if (!c.body.isEmpty()) {
                assertEquals(Content.of(root.resolve(c.body), c.offset, c.length), answer.content());
            }
            if (answer.closes()) {
                assertTrue(http.isAtEnd());
            } else { // nothing is between this answer and the next one
                http.write("GET /small.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
                assertEquals(
                        Content.of(root.resolve("small.txt")),
                        http.answer(false).content());
                assertTrue(http.isAtEnd());
            }
        }
    }

    private static String filled(String text) {
        return text.replace("{etag}", etag).replace("{gzip}", gzipTag);
    }

    @Test
    void shouldTellNoTimeThatIsStillToCome() throws Exception {
        Path file = root.resolve("future");
        Content.write(file, 10);
        Files.setLastModifiedTime(file, FileTime.from(Instant.now().plusSeconds(100_000)));
        try (RawHttp http = server.connect()) {
            http.write("GET /future HTTP/1.1\r\nHost: h\r\n\r\n");
            Answer answer = http.answer(false);
            assertTrue(seconds(answer, "Last-Modified") <= seconds(answer, "Date"), answer::toString);
            String since = answer.header("Last-Modified");
            http.write("GET /future HTTP/1.1\r\nHost: h\r\nIf-Modified-Since: " + since + "\r\n\r\n");
            assertEquals(200, http.answer(false).status());
        }
    }

    private static long seconds(Answer answer, String header) {
        return Instant.from(DateTimeFormatter.RFC_1123_DATE_TIME.parse(answer.header(header)))
                .getEpochSecond();
    }

    // ---- several at a time ----

    @Test
    void shouldSendSeveralRangesAsParts() throws Exception {
        try (RawHttp http = server.connect()) {
            for (String path : List.of("file", "big")) { // by a buffer or not
                http.write("GET /" + path + " HTTP/1.1\r\nHost: h\r\nRange: bytes=5-9, 20000-79999 ,-3\r\n\r\n");
                Answer answer = http.answer(false);
                assertEquals(206, answer.status());
                assertNull(answer.headers().get("Content-Range"));
                String type = answer.header("Content-Type");
                assertTrue(type.startsWith("multipart/byteranges; boundary="), type);
                String boundary = type.substring(type.indexOf('=') + 1);
                long size = Files.size(root.resolve(path));
                StringBuilder expected = new StringBuilder();
                String content = new String(Files.readAllBytes(root.resolve(path)), StandardCharsets.ISO_8859_1);
                for (long[] range : new long[][] {{5, 9}, {20_000, 79_999}, {size - 3, size - 1}}) {
                    expected.append("\r\n--").append(boundary).append("\r\nContent-Type: application/octet-stream");
                    expected.append("\r\nContent-Range: bytes ")
                            .append(range[0])
                            .append('-')
                            .append(range[1])
                            .append('/');
                    expected.append(size).append("\r\n\r\n").append(content, (int) range[0], (int) range[1] + 1);
                }
                expected.append("\r\n--").append(boundary).append("--\r\n");
                assertEquals(expected.toString(), answer.text());
            }
        }
    }

    /** 2,000 in CI; 10,000 at length. */
    @Test
    void shouldAnswerPipelinedRequestsInTheirOrderToTheByte() throws Exception {
        int count = Scale.all() ? 10_000 : 2_000;
        List<Case> mixed = cases().stream()
                .filter(c ->
                        c.status < 400 && !c.expected.contains("Connection: close") && c.request.contains("HTTP/1.1"))
                .filter(c -> !c.request.contains(" /big ") && !c.body.isEmpty())
                .filter(c -> Stream.of("Connection: close", "Expect", "hello").noneMatch(c.request::contains))
                .toList();
        SplittableRandom random = new SplittableRandom(1);
        int[] order =
                IntStream.range(0, count).map(i -> random.nextInt(mixed.size())).toArray();
        List<Content> contents = new ArrayList<>();
        for (Case c : mixed) {
            contents.add(c.body.equals("-") ? Content.NOTHING : Content.of(root.resolve(c.body), c.offset, c.length));
        }
        try (RawHttp http = server.connect()) {
            Thread writer = new Thread(() -> {
                try {
                    for (int index : order) {
                        http.write(filled(mixed.get(index).request));
                    }
                    http.shutdownOutput(); // what was asked is answered all the same
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            writer.start();
            for (int index : order) {
                Case c = mixed.get(index);
                Answer answer = http.answer(c.request.startsWith("HEAD"));
                assertEquals(c.status, answer.status(), c.name);
                assertEquals(contents.get(index), answer.content(), c.name);
            }
            assertTrue(http.isAtEnd());
            writer.join();
        }
    }

    @Test
    void shouldBeRidOfClientsThatVanish() throws Exception {
        long pid = server.program().pid();
        int before = OpenDescriptors.settledCount(pid);
        SplittableRandom random = new SplittableRandom(2);
        List<String> requests = List.of(
                "GET /big HTTP/1.1\r\nHost: h\r\n\r\n",
                "GET /file HTTP/1.1\r\nHost: h\r\nRange: bytes=5-9,20000-79999\r\n\r\n",
                "GET /small.txt HTTP/1.1\r\nHost: h\r\n\r\n".repeat(20));
        for (int i = 0; i < 300; i++) {
            try (RawHttp http = server.connect()) {
                String request = requests.get(i % requests.size());
                http.write(i % 5 == 0 ? request.substring(0, random.nextInt(request.length())) : request);
                if (i % 2 == 0 && i % 5 != 0) {
                    assertTrue(http.read(new byte[1 + random.nextInt(200_000)]) > 0);
                }
            }
        }
        int after = OpenDescriptors.settledCount(pid);
        assertTrue(after <= before, () -> before + " descriptors, and then " + after);
        try (RawHttp http = server.connect()) {
            http.write("GET /file HTTP/1.1\r\nHost: h\r\n\r\n");
            assertEquals(Content.of(root.resolve("file")), http.answer(false).content());
        }
    }
}
