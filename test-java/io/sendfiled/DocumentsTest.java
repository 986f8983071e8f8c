package io.sendfiled;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.HelperProgram;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
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
        String dev = Files.readString(SOURCE.resolve("dev"));
        Set<String> others =
                Set.of("--enable-native-access", "--now", "--cflags", "--libs"); // java, systemctl, pkg-config
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
