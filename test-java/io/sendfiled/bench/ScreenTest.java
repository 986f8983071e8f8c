package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What the demo and the benchmarks print fits a terminal of 80 columns. */
final class ScreenTest {
    private static final int TERMINAL = 80;

    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    private final Screen screen = new Screen(new PrintStream(printed, true, StandardCharsets.UTF_8), false);

    private List<String> lines() {
        return printed.toString(StandardCharsets.UTF_8).lines().toList();
    }

    private void expectToFit() {
        for (String line : lines()) {
            assertTrue(line.codePointCount(0, line.length()) <= TERMINAL, line);
        }
    }

    /** Each table of this package, by the name of its field. */
    private static Map<String, List<Column>> tables() throws Exception {
        Map<String, List<Column>> tables = new TreeMap<>();
        Path classes = Path.of(Objects.requireNonNull(Demo.class.getResource("Demo.class"))
                        .toURI())
                .getParent();
        List<Path> files;
        try (var all = Files.list(classes)) {
            files = all.filter(file -> file.toString().endsWith(".class")).toList();
        }
        for (Path file : files) {
            String name = file.getFileName().toString().replace(".class", "");
            for (Field field : Class.forName("io.sendfiled.bench." + name).getDeclaredFields()) {
                if (Modifier.isStatic(field.getModifiers()) && field.getType() == List.class) {
                    field.setAccessible(true);
                    List<Column> columns = new ArrayList<>();
                    for (Object element : (List<?>) Objects.requireNonNull(field.get(null))) {
                        if (element instanceof Column column) {
                            columns.add(column);
                        }
                    }
                    tables.put(name + "." + field.getName(), columns);
                }
            }
        }
        tables.values().removeIf(List::isEmpty);
        return tables;
    }

    @Test
    void shouldFitEveryTable() throws Exception {
        Map<String, List<Column>> tables = tables();
        assertTrue(tables.size() > 20 && tables.containsKey("Buffers.HAND_OVERS"), tables::toString);
        tables.forEach((name, columns) -> {
            assertTrue(Screen.widthOf(columns) <= TERMINAL, () -> name + " has " + Screen.widthOf(columns));
            for (Column column : columns) {
                assertTrue(column.title().length() <= column.width(), () -> name + ": " + column.title());
            }
            screen.blank();
            printed.reset();
            screen.header(columns);
            screen.row(
                    columns,
                    columns.stream()
                            .map(column -> Cell.of("x".repeat(column.width())))
                            .toList());
            assertEquals(3, lines().size());
            expectToFit();
        });
    }

    /** What is not in a field would be in no test. */
    @Test
    void shouldRefuseATableThatDoesNotFit() {
        List<Column> columns = List.of(Column.left("long", 40), Column.right("longer", 37));

        assertThrows(IllegalArgumentException.class, () -> screen.header(columns));
    }

    @Test
    void shouldWrapTheDetailsOfAStepAndTheLinesOfAText() {
        screen.step("files made", "many words ".repeat(30));
        screen.paragraph("more words ".repeat(20));
        screen.title("title", "other words ".repeat(20));
        screen.warn("what does not fit", "x".repeat(TERMINAL));
        assertTrue(lines().size() > 6, lines()::toString);
        for (String line : lines().subList(0, lines().size() - 2)) {
            assertTrue(line.codePointCount(0, line.length()) <= TERMINAL, line);
        }
    }
}
