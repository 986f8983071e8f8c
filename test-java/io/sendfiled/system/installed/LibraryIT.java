package io.sendfiled.system.installed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.sys.Errno;
import io.sendfiled.system.Installed;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What {@code libsendfiled} exports, and that all of it is declared, commented and described in a manual page. */
@Timeout(120)
final class LibraryIT {
    private static final Path MANUALS = Installed.TREE.resolve("share/man");

    private static final Pattern ERRNO = Pattern.compile("(?<![A-Z0-9_])E(?!OF\\b)[A-Z0-9]{2,}(?![A-Z0-9_])");

    /** A page's sections, in this order; there may be others between them. */
    private static final List<String> SECTIONS = List.of(
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "RETURN VALUE",
            "ERRORS",
            "ATTRIBUTES",
            "VERSIONS",
            "EXAMPLES",
            "SEE ALSO");

    // ---------------------------------------------------------------------------------------------------- symbols

    @Test
    void shouldExportWhatTheMapSaysAndLoseNoSymbol() throws Exception {
        Map<String, String> expected = new TreeMap<>(Installed.expectedSymbols());

        assertEquals(expected, mapped(), "native/client/libsendfiled.map");
        assertEquals(expected, exported(), "the library");
    }

    @Test
    void shouldShowInTheArchiveOnlyWhatIsPublic() throws Exception {
        Set<String> defined = new TreeSet<>();
        for (String line : Installed.output("nm", "--defined-only", "--extern-only", Installed.ARCHIVE.toString())
                .split("\n")) {
            String[] words = line.split(" ");
            if (words.length == 3) {
                defined.add(words[2]);
            }
        }
        assertEquals(new TreeSet<>(Installed.expectedSymbols().keySet()), defined);
    }

    private static Map<String, String> mapped() throws IOException {
        Map<String, String> versions = new TreeMap<>();
        String version = "";
        for (String line : Files.readAllLines(Installed.source("native/client/libsendfiled.map"))) {
            if (line.matches("SENDFILED_[0-9.]+ \\{")) {
                version = line.substring(0, line.indexOf(' '));
            } else if (line.matches(" +sfd_\\w+;")) {
                versions.put(line.strip().replace(";", ""), version);
            }
        }
        return versions;
    }

    private static Map<String, String> exported() throws Exception {
        Map<String, String> versions = new TreeMap<>();
        for (String line : Installed.output("nm", "-D", "--defined-only", Installed.LIBRARY.toString())
                .split("\n")) {
            String[] words = line.split(" ");
            if (!words[1].equals("A")) { // the versions themselves
                String[] symbol = words[2].split("@@");
                assertEquals(2, symbol.length, line);
                versions.put(symbol[0], symbol[1]);
            }
        }
        return versions;
    }

    // ---------------------------------------------------------------------------------------------------- headers

    @Test
    void shouldDeclareEachFunctionBelowAComment() throws IOException {
        Map<String, String> comments = comments();
        List<String> faults = new ArrayList<>();
        for (String function : Installed.expectedSymbols().keySet()) {
            String comment = comments.get(function);
            if (comment == null) {
                faults.add(function + " is in no public header");
            } else if (comment.isEmpty()) {
                faults.add(function + " has no comment");
            }
        }
        assertEquals(List.of(), faults);
    }

    /** What stands above the declaration of each function; functions that a comment names may share it. */
    private static Map<String, String> comments() throws IOException {
        Pattern part =
                Pattern.compile("/\\*.*?\\*/|^(?:[a-z]\\w* )+\\*?(sfd_\\w+)\\(", Pattern.DOTALL | Pattern.MULTILINE);
        Map<String, String> comments = new LinkedHashMap<>();
        try (Stream<Path> headers = Files.list(Installed.TREE.resolve("include/sendfiled"))) {
            for (Path header : headers.toList()) {
                Matcher matcher = part.matcher(Files.readString(header));
                String comment = "";
                boolean used = true;
                while (matcher.find()) {
                    String function = matcher.group(1);
                    if (function == null) {
                        comment = matcher.group();
                        used = false;
                    } else {
                        comments.put(function, !used || comment.contains(function + "(") ? comment : "");
                        used = true;
                    }
                }
            }
        }
        return comments;
    }

    // ----------------------------------------------------------------------------------------------- manual pages

    @Test
    void shouldHaveAPageOfEachFunction() throws IOException {
        List<String> faults = new ArrayList<>();
        for (Map.Entry<String, String> symbol : Installed.expectedSymbols().entrySet()) {
            String function = symbol.getKey();
            String page = page(function);
            if (page.isEmpty()) {
                faults.add(function + " has no page");
                continue;
            }
            if (!section(page, "NAME").contains(function)) {
                faults.add(function + " is not a name of its page");
            }
            if (!section(page, "SYNOPSIS").contains(function + "(")) {
                faults.add(function + " is not in the synopsis of its page");
            }
            if (!section(page, "VERSIONS").contains(symbol.getValue())) {
                faults.add(function + " is of " + symbol.getValue() + ", which its page does not say");
            }
        }
        assertEquals(List.of(), faults);
    }

    @Test
    void shouldHaveTheSameSectionsInEachPage() throws IOException {
        for (Path file : pages(3)) {
            List<String> found = Pattern.compile("^\\.SH (.*)$", Pattern.MULTILINE)
                    .matcher(Files.readString(file))
                    .results()
                    .map(heading -> heading.group(1))
                    .filter(SECTIONS::contains)
                    .toList();
            assertEquals(SECTIONS, found, file.toString());
        }
    }

    @Test
    void shouldNameNoErrnoThatDoesNotExist() throws IOException {
        Set<String> names = Arrays.stream(Errno.class.getFields())
                .map(Field::getName)
                .collect(Collectors.toCollection(TreeSet::new));
        names.add("EOPNOTSUPP"); // and what else has two names
        names.add("EWOULDBLOCK");
        List<String> faults = new ArrayList<>();
        int seen = 0;
        for (int section : new int[] {3, 7}) {
            for (Path file : pages(section)) {
                for (String word : errnos(text(Files.readString(file)))) {
                    seen++;
                    if (!names.contains(word)) {
                        faults.add(file.getFileName() + ": " + word);
                    }
                }
            }
        }
        assertEquals(List.of(), faults);
        assertTrue(seen > 50, "errno names were looked for in the wrong place");
    }

    @Test
    void shouldTellInThePageEachErrnoOfTheHeader() throws IOException {
        List<String> faults = new ArrayList<>();
        int seen = 0;
        for (Map.Entry<String, String> commented : comments().entrySet()) {
            Set<String> missing = errnos(commented.getValue());
            seen += missing.size();
            missing.removeAll(errnos(page(commented.getKey())));
            if (!missing.isEmpty()) {
                faults.add(commented.getKey() + ": " + missing);
            }
        }
        assertEquals(List.of(), faults);
        assertTrue(seen > 50, "errno names were looked for in the wrong place");
    }

    @Test
    void shouldDescribeEachMessageOfTheProtocol() throws IOException {
        String page = Files.readString(MANUALS.resolve("man7/sendfiled-protocol.7"));
        Matcher command = Pattern.compile("SFD_WIRE_\\w+ = (0x[0-9a-f]{2})")
                .matcher(Files.readString(Installed.TREE.resolve("include/sendfiled/wire.h")));
        int commands = 0;
        while (command.find()) {
            commands++;
            assertTrue(page.contains(command.group(1)), command.group());
        }
        assertTrue(commands > 10, "wire.h has changed");
    }

    @Test
    void shouldRenderWithoutAWarningOn80Columns() throws Exception {
        for (int section : new int[] {1, 3, 5, 7, 8}) {
            for (Path file : pages(section)) {
                // The width of a terminal less the margin on the right, as man(1) has it.
                String rendered = Installed.output(
                        "groff", "-t", "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=78n", file.toString());
                assertTrue(!rendered.contains("warning:") && !rendered.contains("error:"), rendered);
                String longest = rendered.lines()
                        .max(Comparator.comparingInt(String::length))
                        .orElseThrow();
                assertTrue(longest.length() <= 80, file.getFileName() + ": " + longest);
            }
        }
    }

    @Test
    void shouldReferToPagesThatExist() throws IOException {
        Pattern reference = Pattern.compile("\\\\fB((?:sfd|sendfiled)[\\w.-]*)\\\\fR\\(([13578])\\)");
        List<String> faults = new ArrayList<>();
        int seen = 0;
        for (int section : new int[] {1, 3, 5, 7, 8}) {
            for (Path file : pages(section)) {
                Matcher matcher = reference.matcher(
                        Files.readString(file).replace("\\-", "-").replace("\\_", "_"));
                while (matcher.find()) {
                    seen++;
                    String name = "man" + matcher.group(2) + "/" + matcher.group(1) + "." + matcher.group(2);
                    if (!Files.exists(MANUALS.resolve(name))) {
                        faults.add(file.getFileName() + ": " + name);
                    }
                }
            }
        }
        assertEquals(List.of(), faults);
        assertTrue(seen > 100, "references were looked for in the wrong way");
    }

    // --------------------------------------------------------------------------------------------- code in the pages

    @Test
    void shouldDeclareInSynopsesWhatTheHeadersDeclare(@TempDir Path scratch) throws Exception {
        for (Path file : manualSources()) {
            String synopsis = literals(section(file, "SYNOPSIS")).get(0);
            // A struct may be declared once only; a function as often as one likes, but always the same.
            compile(scratch, synopsis.replaceAll("(?ms)^struct \\w+ \\{.*?^};$", ""));
        }
    }

    @Test
    void shouldCompileTheExamples(@TempDir Path scratch) throws Exception {
        for (Path file : manualSources()) {
            List<String> examples = literals(section(file, "EXAMPLES"));
            assertEquals(1, examples.size(), file.toString());
            compile(scratch, examples.get(0));
        }
    }

    private static void compile(Path scratch, String code) throws IOException, InterruptedException {
        Path source = Files.writeString(scratch.resolve("code.c"), code);
        List<String> command =
                new ArrayList<>(List.of("cc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O"));
        command.addAll(Installed.flags("--cflags"));
        command.addAll(List.of("-c", "-o", "/dev/null", source.toString()));
        Installed.output(command);
    }

    /** The sources of section 3. */
    private static List<Path> manualSources() throws IOException {
        try (Stream<Path> files = Files.list(Installed.source("packaging/man"))) {
            List<Path> sources = files.filter(file -> file.toString().endsWith(".3.scd"))
                    .sorted()
                    .toList();
            assertTrue(sources.size() >= 9, sources.toString());
            return sources;
        }
    }

    private static String section(Path manualSource, String name) throws IOException {
        String text = Files.readString(manualSource);
        int begin = text.indexOf("# " + name + "\n");
        int end = text.indexOf("\n# ", begin + 1);
        assertTrue(begin >= 0 && end > begin, manualSource + " has no " + name);
        return text.substring(begin, end);
    }

    /** The blocks of code, scdoc(5). */
    private static List<String> literals(String text) {
        return Pattern.compile("^```\n(.*?)^```$", Pattern.DOTALL | Pattern.MULTILINE)
                .matcher(text)
                .results()
                .map(block -> block.group(1).replace("\\\\", "\\"))
                .toList();
    }

    // ------------------------------------------------------------------------------------------------------- roff

    /** The page of a function, wherever it stands; empty if there is none. */
    private static String page(String function) throws IOException {
        Path file = MANUALS.resolve("man3/" + function + ".3");
        if (!Files.exists(file)) {
            return "";
        }
        String page = Files.readString(file);
        String whole = page.startsWith(".so ")
                ? Files.readString(MANUALS.resolve(page.substring(4).strip()))
                : page;
        // What keeps a full stop from being the end of a sentence.
        return whole.replace("\\&", "");
    }

    /** All pages of a section that do not only refer to another one. */
    private static List<Path> pages(int section) throws IOException {
        List<Path> pages = new ArrayList<>();
        try (Stream<Path> files = Files.list(MANUALS.resolve("man" + section))) {
            for (Path file : files.sorted().toList()) {
                if (!Files.readString(file).startsWith(".so ")) {
                    pages.add(file);
                }
            }
        }
        assertTrue(!pages.isEmpty(), "no page in section " + section);
        return pages;
    }

    private static String section(String page, String name) {
        int begin = page.indexOf(".SH " + name + "\n");
        int end = page.indexOf("\n.SH ", begin + 1);
        assertTrue(begin >= 0, "no section " + name + " in " + page);
        return page.substring(begin, end < 0 ? page.length() : end);
    }

    /** Without requests of roff, among them headings, and changes of font. */
    private static String text(String page) {
        return page.replaceAll("(?m)^\\..*$", "").replaceAll("\\\\f[BIR]", " ");
    }

    private static Set<String> errnos(String text) {
        return ERRNO.matcher(text.replaceAll("\\\\f[BIR]", " "))
                .results()
                .map(word -> word.group())
                .collect(Collectors.toCollection(TreeSet::new));
    }
}
