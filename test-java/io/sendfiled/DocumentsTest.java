package io.sendfiled;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.SendfiledClient;
import io.sendfiled.support.HelperProgram;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** README.md and the pages that it leads to: what they name is there. */
final class DocumentsTest {
    private static final Path SOURCE = Path.of(System.getProperty("sendfiled.test.source", "."));

    private static final Pattern CODE = Pattern.compile("^```(\\w+)\n(.*?)^```$", Pattern.DOTALL | Pattern.MULTILINE);

    /** Around the C of a document: what its reader's program has. */
    private static final String BEFORE = """
            #include <sendfiled.h>
            #include <stdio.h>
            #include <string.h>
            extern int client_socket, unix_socket;
            extern const char *header;
            void use(const void *data, size_t size);
            void document(int srv);
            void document(int srv) { (void)srv; {
            """;

    /** Around the Java of a document that is no part of an example: what its reader's program has. */
    private static final String BEFORE_JAVA = """
            import io.netty.channel.ChannelHandlerContext;
            import io.netty.channel.ChannelPipeline;
            import io.netty.handler.codec.http.LastHttpContent;
            import io.netty.util.concurrent.Future;
            import io.sendfiled.*;
            import io.sendfiled.buffer.*;
            import io.sendfiled.client.*;
            import io.sendfiled.config.*;
            import io.sendfiled.hot.HotRoot;
            import io.sendfiled.netty.*;
            import java.nio.ByteBuffer;
            import java.nio.channels.*;
            import java.nio.file.Path;
            import java.time.Duration;
            import java.util.concurrent.Executor;
            abstract class Document {
                Path root;
                Executor loop, eventLoop;
                SocketChannel channel, socketChannel, unixSocketChannel;
                FileChannel in;
                long position, count;
                SendfiledClient client;
                ChannelPipeline pipeline;
                ChannelHandlerContext ctx;
                String path;
                abstract Object headers(long size, String etag);
                abstract void done(SocketChannel channel, Throwable failure);
                abstract void log(Object text);
                abstract void use(ByteBuffer bytes);
                abstract void fill(ByteBuffer bytes);
                void document() throws Exception {
            """;

    private static List<Path> in(String directory, String ending) throws IOException {
        try (Stream<Path> files = Files.list(SOURCE.resolve(directory))) {
            return files.filter(file -> file.toString().endsWith(ending))
                    .sorted()
                    .toList();
        }
    }

    /** What users read; the others are about the source. */
    private static List<Path> pages() throws IOException {
        List<Path> pages = new ArrayList<>(in("doc", ".md"));
        pages.add(SOURCE.resolve("README.md"));
        assertTrue(pages.size() > 4, pages::toString);
        return pages;
    }

    private static List<MatchResult> all(String pattern, String text) {
        return Pattern.compile(pattern, Pattern.MULTILINE)
                .matcher(text)
                .results()
                .toList();
    }

    private static String text(List<Path> files) throws IOException {
        StringBuilder text = new StringBuilder();
        for (Path file : files) {
            text.append(Files.readString(file));
        }
        return text.toString();
    }

    private static String below(String directory, String ending) throws IOException {
        try (Stream<Path> files = Files.walk(SOURCE.resolve(directory))) {
            return text(files.filter(file -> file.toString().endsWith(ending)).toList());
        }
    }

    /** As GitHub makes it of a heading. */
    private static String anchor(String heading) {
        return heading.toLowerCase(Locale.ROOT).replaceAll("[^\\w\\- ]", "").replace(' ', '-');
    }

    @Test
    void shouldLinkToWhatIsThere() throws IOException {
        List<String> faults = new ArrayList<>();
        List<Path> files = new ArrayList<>(pages());
        files.addAll(in(".", ".md"));
        for (Path file : files) {
            for (MatchResult link : all("\\]\\((?!https?:)([^)#\\s]*)(?:#([^)\\s]*))?\\)", Files.readString(file))) {
                Path target = link.group(1).isEmpty() ? file : file.resolveSibling(link.group(1));
                boolean found = Files.exists(target)
                        && (link.group(2) == null
                                || all("^#+ (.*)$", Files.readString(target)).stream()
                                        .anyMatch(heading ->
                                                anchor(heading.group(1)).equals(link.group(2))));
                if (!found) {
                    faults.add(file + ": " + link.group());
                }
            }
        }
        assertEquals(List.of(), faults);
    }

    @Test
    void shouldNameFunctionsAndConstantsThatTheHeadersDeclare() throws IOException {
        String headers = below("include", ".h");
        checkWords("\\b((?:sfd|SFD)_\\w+)\\b(?!\\*)", word -> word.endsWith("_") || headers.contains(word));
    }

    @Test
    void shouldNameClassesAndMethodsThatThereAre() throws IOException {
        String sources = below("java", ".java");
        checkWords(
                "\\b(with[A-Z]\\w+|Sendfiled\\w*|SharedBuffer|FileRequest|BufferOptions|BufferAccess|Techniques?|Technique\\w+"
                        + "|TransferOptions)\\b",
                word -> all("\\b" + word + "\\b", sources).size() > 0);
    }

    @Test
    void shouldNameOptionsThatThereAre() throws IOException {
        String manuals = text(in("packaging/man", ".scd"));
        String dev = Files.readString(SOURCE.resolve("dev"))
                + Files.readString(SOURCE.resolve("test-java/io/sendfiled/bench/Bench.java"));
        Set<String> others = Set.of(
                "--enable-native-access",
                "--illegal-native-access",
                "--now",
                "--cflags",
                "--libs",
                "--unix-socket"); // java, systemctl, pkg-config, curl
        checkWords(
                "(?<=[`\\s\\[])(--[a-z][\\w-]*)",
                word -> others.contains(word) || manuals.contains("*" + word + "*") || dev.contains(word));
    }

    @Test
    void shouldNameManualPagesThatThereAre() throws IOException {
        Set<String> names = all("^([\\w., -]+) - ", text(in("packaging/man", ".scd"))).stream()
                .flatMap(line -> Stream.of(line.group(1).split(", ")))
                .collect(Collectors.toSet());
        checkWords("\\bman (?:\\d )?((?:sfd|sendfiled)[\\w.-]*\\w|sfd)", names::contains);
    }

    private static void checkWords(String pattern, Predicate<String> exists) throws IOException {
        List<String> faults = new ArrayList<>();
        int seen = 0;
        for (Path page : pages()) {
            for (MatchResult word : all(pattern, Files.readString(page))) {
                seen++;
                if (!exists.test(word.group(1))) {
                    faults.add(page.getFileName() + ": " + word.group(1));
                }
            }
        }
        assertEquals(List.of(), faults);
        assertTrue(seen > 2, "nothing was found by " + pattern);
    }

    @Test
    void shouldHaveCodeInCThatCompiles(@TempDir Path scratch) throws Exception {
        int compiled = 0;
        for (Path page : pages()) {
            for (MatchResult block :
                    CODE.matcher(Files.readString(page)).results().toList()) {
                if (block.group(1).equals("c")) {
                    compiled++;
                    String code = BEFORE + block.group(2).replaceAll("(?m)^#include .*$", "") + "}}\n";
                    Path file = Files.writeString(scratch.resolve("document.c"), code);
                    HelperProgram.output(
                            "cc",
                            "-std=c99",
                            "-Wall",
                            "-Wextra",
                            "-Werror",
                            "-Wno-unused",
                            "-I" + SOURCE.resolve("include"),
                            "-fsyntax-only",
                            file.toString());
                }
            }
        }
        assertTrue(compiled >= 3, "there is C in the documents");
    }

    /** A part of an example, which is run by a test of its own, or statements. */
    @Test
    void shouldHaveCodeInJavaThatIsAnExamplesOrCompiles(@TempDir Path scratch) throws Exception {
        String examples = withoutIndents(below("test-java/io/sendfiled/examples", ".java"));
        JavaCompiler javac = Objects.requireNonNull(ToolProvider.getSystemJavaCompiler(), "this is no JDK");
        String classes = System.getProperty("java.class.path") + ":"
                + Path.of(SendfiledClient.class
                                .getProtectionDomain()
                                .getCodeSource()
                                .getLocation()
                                .toURI())
                        .toString();
        int parts = 0;
        int compiled = 0;
        for (Path page : pages()) {
            for (MatchResult block :
                    CODE.matcher(Files.readString(page)).results().toList()) {
                if (!block.group(1).equals("java")) {
                    continue;
                }
                if (examples.contains(withoutIndents(block.group(2)))) {
                    parts++;
                    continue;
                }
                compiled++;
                Path file = Files.writeString(scratch.resolve("Document.java"), BEFORE_JAVA + block.group(2) + "}}\n");
                ByteArrayOutputStream said = new ByteArrayOutputStream();
                int result = javac.run(
                        null, said, said, "-proc:none", "-cp", classes, "-d", scratch.toString(), file.toString());
                assertEquals(0, result, () -> page + ": " + said);
            }
        }
        assertTrue(parts >= 2, "there are parts of examples in the documents");
        assertTrue(compiled >= 3, "there is Java in the documents");
    }

    private static String withoutIndents(String code) {
        return code.replaceAll("(?m)^ +", "");
    }

    @Test
    void shouldNameTheVersionOfThisBuild() throws IOException {
        String pattern = "<artifactId>sendfiled</artifactId>\\s*<version>([^<]+)</version>";
        assertEquals(
                all(pattern, Files.readString(SOURCE.resolve("pom.xml"))).get(0).group(1),
                all(pattern, Files.readString(SOURCE.resolve("README.md")))
                        .get(0)
                        .group(1));
    }
}
