package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
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

    /** Each {@code COLUMNS} of this package. */
    @SuppressWarnings("unchecked")
    private static List<List<Column>> tables() throws Exception {
        List<List<Column>> tables = new ArrayList<>();
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
                if (field.getName().equals("COLUMNS")) {
                    field.setAccessible(true);
                    tables.add((List<Column>) field.get(null));
                }
            }
        }
        return tables;
    }

    @Test
    void shouldFitEveryTable() throws Exception {
        List<List<Column>> tables = tables();
        assertFalse(tables.isEmpty());
        for (List<Column> columns : tables) {
            printed.reset();
            screen.header(columns);
            screen.row(
                    columns,
                    columns.stream()
                            .map(column -> Cell.of("x".repeat(column.width())))
                            .toList());
            expectToFit();
            for (Column column : columns) {
                assertTrue(lines().stream().anyMatch(line -> line.contains(column.title())), column.title());
            }
        }
    }

    @Test
    void shouldWrapTheDetailsOfAStep() {
        screen.step("files made", "many words ".repeat(30));
        screen.warn("what does not fit", "x".repeat(TERMINAL));
        assertTrue(lines().size() > 3, lines()::toString);
        for (String line : lines().subList(0, lines().size() - 2)) {
            assertTrue(line.codePointCount(0, line.length()) <= TERMINAL, line);
        }
    }
}
