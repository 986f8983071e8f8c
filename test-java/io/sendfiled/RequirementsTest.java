package io.sendfiled;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What SECURITY.md promises is tested: each requirement (R) and each defect of the original (D) names test files that are
 * there and that carry its mark.
 */
final class RequirementsTest {
    private static final Path SOURCE = Path.of(System.getProperty("sendfiled.test.source", "."));

    private static final int REQUIREMENTS = 27;

    private static final int DEFECTS = 39;

    /** {@code | D17 | what | test_a, TestB |}. */
    private static final Pattern ROW = Pattern.compile("^\\| ([RD]\\d+) \\|.*\\| ([^|]+) \\|$", Pattern.MULTILINE);

    @Test
    void shouldShowEachPromiseByATestThatCarriesItsMark() {
        Map<String, Path> tests = tests();
        List<String> faults = new ArrayList<>();
        promises().forEach((mark, names) -> {
            for (String name : names) {
                Path file = tests.get(name);
                if (file == null) {
                    faults.add(mark + ": there is no test " + name);
                } else if (!marks(file).contains(mark)) {
                    faults.add(mark + ": " + name + " does not carry the mark");
                }
            }
        });
        assertEquals(List.of(), faults);
    }

    @Test
    void shouldMarkNothingThatIsNotPromised() {
        Set<String> promised = promises().keySet();
        Set<String> unknown = tests().values().stream()
                .flatMap(file -> marks(file).stream())
                .filter(mark -> !promised.contains(mark))
                .collect(Collectors.toCollection(TreeSet::new));
        assertEquals(Set.of(), unknown);
    }

    @Test
    void shouldForgetNone() {
        Set<String> promised = promises().keySet();
        assertEquals(
                REQUIREMENTS,
                promised.stream().filter(mark -> mark.startsWith("R")).count());
        for (int i = 1; i <= DEFECTS; i++) {
            assertTrue(promised.contains("D" + i), "D" + i);
        }
    }

    private static Map<String, List<String>> promises() {
        Map<String, List<String>> promises = new LinkedHashMap<>();
        for (Matcher row = ROW.matcher(read(SOURCE.resolve("SECURITY.md"))); row.find(); ) {
            promises.put(row.group(1), List.of(row.group(2).split(", ")));
        }
        return promises;
    }

    /** Test files by their names without the ending. */
    private static Map<String, Path> tests() {
        return Stream.of("test-native", "test-java")
                .flatMap(directory -> files(SOURCE.resolve(directory)))
                .filter(file -> file.toString().matches(".*\\.(java|cc|c)"))
                .filter(file -> !file.endsWith("RequirementsTest.java"))
                .collect(Collectors.toMap(
                        file -> file.getFileName().toString().replaceFirst("\\.[a-z]+$", ""),
                        file -> file,
                        (one, other) -> one.toString().endsWith(".cc") ? one : other));
    }

    /** In a comment, as {@code // D17: ...} or {@code R5 and R6}; an id in code is no mark. */
    private static Set<String> marks(Path file) {
        Set<String> marks = new TreeSet<>();
        Pattern mark = Pattern.compile("\\b[RD]\\d{1,2}\\b");
        for (String line : read(file).split("\n")) {
            Matcher comment = Pattern.compile("//.*|/\\*.*|^\\s*\\*.*").matcher(line);
            if (comment.find()) {
                for (Matcher m = mark.matcher(comment.group()); m.find(); ) {
                    marks.add(m.group());
                }
            }
        }
        return marks;
    }

    private static Stream<Path> files(Path directory) {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.filter(Files::isRegularFile).toList().stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
