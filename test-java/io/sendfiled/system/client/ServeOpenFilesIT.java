package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.system.client.RawHttp.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code sfd serve} tells of files that change while it keeps them open: never the tag of other bytes. */
@Timeout(60)
final class ServeOpenFilesIT {
    private static final String FOR_LONG = "1h";

    @TempDir
    private Path directory;

    private Path root;
    private Path file;

    @BeforeEach
    void makeFiles() throws Exception {
        root = Files.createDirectory(directory.resolve("root"));
        file = root.resolve("file");
        Content.write(file, 40_000);
    }

    private static Answer get(RawHttp http, String path, String... headers) throws IOException {
        http.write("GET " + path + " HTTP/1.1\r\nHost: h\r\n" + String.join("", headers) + "\r\n");
        return http.answer(false);
    }

    /** The answer of now, which a request with the tag of before does not take for the same. */
    private Answer changed(RawHttp http, Answer before) throws Exception {
        Answer now = get(http, "/file", "If-None-Match: " + before.header("ETag") + "\r\n");
        assertEquals(200, now.status());
        assertEquals(Content.of(file), now.content());
        assertNotEquals(before.header("ETag"), now.header("ETag"));
        return now;
    }

    @ParameterizedTest
    @ValueSource(strings = {"--open-files-age 1h", "--open-files-age 0", "--open-files 0", "--open-files 1"})
    void shouldTellAtOnceWhatHappenedToAFile(String options) throws Exception {
        try (ServeProgram server = ServeProgram.start(directory, root, options.split(" ", -1));
                RawHttp http = server.connect()) {
            Answer answer = get(http, "/file");
            assertEquals(Content.of(file), answer.content());
            assertEquals(304, get304(http, answer));
            Path other = directory.resolve("other");
            Content.write(other, 5_000);
            Files.move(other, file, StandardCopyOption.REPLACE_EXISTING);
            answer = changed(http, answer);
            Files.writeString(file, "more", StandardOpenOption.APPEND);
            answer = changed(http, answer);
            Files.write(file, new byte[] {1, 2, 3}, StandardOpenOption.TRUNCATE_EXISTING);
            answer = changed(http, answer);
            Files.setLastModifiedTime(file, FileTime.fromMillis(1_000_000_000_000L));
            answer = changed(http, answer);
            assertEquals("Sun, 09 Sep 2001 01:46:40 GMT", answer.header("Last-Modified"));
            assertEquals(304, get304(http, answer));
            Files.delete(file);
            assertEquals(404, get(http, "/file").status());
            Files.writeString(file, "back");
            assertEquals("back", get(http, "/file").text());
        }
    }

    private static int get304(RawHttp http, Answer before) throws IOException {
        return get(http, "/file", "If-None-Match: " + before.header("ETag") + "\r\n")
                .status();
    }

    @Test
    void shouldGiveBackARemovedFileAlthoughNobodyAsksForMore() throws Exception {
        try (ServeProgram server = ServeProgram.start(directory, root);
                RawHttp http = server.connect()) {
            assertEquals(200, get(http, "/file").status()); // the engine may have opened that
            assertEquals(200, get(http, "/file").status());
            assertEquals(1, opened(server, file.toString()));
            Files.delete(file);
            Await.until("the removed file to be closed", () -> opened(server, file + " (deleted)") == 0);
        }
    }

    /** How many descriptors of the server are of a file. */
    private static long opened(ServeProgram server, String name) {
        return OpenDescriptors.list(server.program().pid()).values().stream()
                .filter(name::equals)
                .count();
    }

    private void pointTo(String release) throws IOException {
        Path link = Files.createSymbolicLink(directory.resolve("link"), Path.of(release));
        Files.move(link, root.resolve("current"), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }

    @Test
    void shouldFollowADirectoryThatWasReplacedWhenTheAgeIsOver() throws Exception {
        for (String release : List.of("one", "two")) {
            Files.writeString(Files.createDirectory(root.resolve(release)).resolve("page"), release);
        }
        for (String age : List.of(FOR_LONG, "0")) {
            pointTo("one");
            try (ServeProgram server = ServeProgram.start(directory, root, "--open-files-age", age);
                    RawHttp http = server.connect()) {
                assertEquals("one", get(http, "/current/page").text()); // the engine may have opened that
                assertEquals("one", get(http, "/current/page").text());
                pointTo("two");
                Answer answer = get(http, "/current/page");
                assertEquals(age.equals("0") ? "two" : "one", answer.text());
            }
        }
    }

    @Test
    void shouldFindACodedFileThatIsNewWhenTheAgeIsOver() throws Exception {
        Path coded = root.resolve("file.gz");
        for (String age : List.of(FOR_LONG, "0")) {
            Files.deleteIfExists(coded);
            try (ServeProgram server = ServeProgram.start(directory, root, "--open-files-age", age);
                    RawHttp http = server.connect()) {
                String accept = "Accept-Encoding: gzip\r\n";
                assertEquals(40_000, get(http, "/file", accept).bytes().length);
                Files.writeString(coded, "coded");
                Answer answer = get(http, "/file", accept);
                assertEquals(age.equals("0") ? 5 : 40_000, answer.bytes().length);
                assertEquals(age.equals("0") ? "gzip" : null, answer.headers().get("Content-Encoding"));
                assertEquals("application/gzip", get(http, "/file.gz", accept).header("Content-Type"));
            }
        }
    }
}
