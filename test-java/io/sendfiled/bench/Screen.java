package io.sendfiled.bench;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What the programs here print: steps, tables and their colours.
 *
 * <p>Colours only on a terminal, and never when {@code NO_COLOR} is set (no-color.org). One thread at a time.
 */
final class Screen {
    /** Meanings, so that no caller deals with escape sequences. */
    enum Tone {
        PLAIN(""),
        TITLE("1"),
        FAINT("2"),
        GOOD("32"),
        WARN("33"),
        BAD("31"),
        ACCENT("36");

        private final String code;

        Tone(String code) {
            this.code = code;
        }
    }

    /** A piece of text in one tone. */
    record Cell(String text, Tone tone) {
        static Cell of(String text) {
            return new Cell(text, Tone.PLAIN);
        }

        static Cell faint(String text) {
            return new Cell(text, Tone.FAINT);
        }
    }

    /** A column: its title, its width, and whether its cells keep to the right. */
    record Column(String title, int width, boolean right) {
        static Column left(String title, int width) {
            return new Column(title, width, false);
        }

        static Column right(String title, int width) {
            return new Column(title, width, true);
        }
    }

    /** What a terminal has if nobody has changed it. */
    private static final int WIDTH = 80;

    private static final int STEP_TITLE_WIDTH = 24;
    private static final Pattern ESCAPES = Pattern.compile("\033\\[[0-9;]*m");

    private final PrintStream out;
    private final boolean terminal;
    private final boolean colours;
    private boolean hasTransientLine;

    Screen(PrintStream out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
        String noColor = System.getenv("NO_COLOR");
        this.colours = terminal && (noColor == null || noColor.isEmpty());
    }

    static Screen onStandardOutput() {
        // Not System.out: its encoding follows the locale, and the C locale would turn every arrow into "?".
        PrintStream out = new PrintStream(
                new java.io.FileOutputStream(java.io.FileDescriptor.out),
                true,
                java.nio.charset.StandardCharsets.UTF_8);
        return new Screen(out, isTerminal());
    }

    /** System.console() no longer tells since JDK 22; test(1) does. */
    private static boolean isTerminal() {
        if ("dumb".equals(System.getenv("TERM"))) {
            return false;
        }
        try {
            return new ProcessBuilder("test", "-t", "1").inheritIO().start().waitFor() == 0;
        } catch (java.io.IOException e) {
            return false; // No test(1): plain output is right everywhere.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    String paint(Tone tone, String text) {
        return !colours || tone == Tone.PLAIN ? text : "\033[" + tone.code + "m" + text + "\033[0m";
    }

    void line(String text) {
        clearTransient();
        out.println(text);
    }

    void blank() {
        line("");
    }

    void title(String text, String detail) {
        line(paint(Tone.TITLE, text) + "  " + paint(Tone.FAINT, detail));
    }

    /** A step that ended well: a mark, what was done, what came of it. */
    void step(String what, String detail) {
        mark(Tone.GOOD, "✓", what, detail);
    }

    void noisy(String what, String detail) {
        mark(Tone.WARN, "~", what, detail);
    }

    void warn(String what, String detail) {
        mark(Tone.WARN, "!", what, detail);
    }

    void failure(String what, String detail) {
        mark(Tone.BAD, "✗", what, detail);
    }

    private void mark(Tone tone, String mark, String what, String detail) {
        wrapped("  " + paint(tone, mark) + " " + pad(what, STEP_TITLE_WIDTH, false), detail, STEP_TITLE_WIDTH + 5);
    }

    /** A beginning, and a text that goes on below itself where the line is full. */
    private void wrapped(String beginning, String text, int indent) {
        StringBuilder line = new StringBuilder(beginning);
        int empty = widthOf(beginning);
        for (String word : text.split(" ", -1)) {
            if (widthOf(line) + 1 + widthOf(word) > WIDTH && widthOf(line) > empty) {
                line(line.toString());
                line = new StringBuilder(" ".repeat(indent - 1));
                empty = indent - 1;
            }
            line.append(' ').append(word);
        }
        line(line.toString().stripTrailing());
    }

    private static int widthOf(CharSequence text) {
        return (int) ESCAPES.matcher(text).replaceAll("").codePoints().count();
    }

    /** What goes on now: on a terminal a line that the next one replaces, elsewhere nothing. */
    void working(String what) {
        if (!terminal) {
            return;
        }
        clearTransient();
        out.print("  " + paint(Tone.ACCENT, "·") + " " + paint(Tone.FAINT, what + " …"));
        out.flush();
        hasTransientLine = true;
    }

    private void clearTransient() {
        if (hasTransientLine) {
            out.print("\r\033[K");
            hasTransientLine = false;
        }
    }

    void header(List<Column> columns) {
        List<Cell> titles =
                columns.stream().map(column -> Cell.faint(column.title())).toList();
        row(columns, titles);
        int width = fold(columns).stream().mapToInt(Screen::widthOf).max().orElse(0);
        line("  " + paint(Tone.FAINT, "─".repeat(width - 2)));
    }

    /** A line of the table, or as many as its columns need. */
    void row(List<Column> columns, List<Cell> cells) {
        int i = 0;
        for (List<Column> part : fold(columns)) {
            StringBuilder line = new StringBuilder(i == 0 ? "" : "  ");
            for (Column column : part) {
                Cell cell = cells.get(i);
                boolean last = i == columns.size() - 1 && !column.right();
                String text = last ? cell.text() : pad(cell.text(), column.width(), column.right());
                line.append("  ").append(paint(cell.tone(), text));
                i++;
            }
            line(line.toString().stripTrailing());
        }
    }

    /** As many columns as fit beside each other, and those that do not, a little to the right, below. */
    private static List<List<Column>> fold(List<Column> columns) {
        List<List<Column>> lines = new ArrayList<>(List.of(new ArrayList<>()));
        for (Column column : columns) {
            List<Column> line = lines.get(lines.size() - 1);
            line.add(column);
            if (widthOf(line) + (lines.size() > 1 ? 2 : 0) > WIDTH && line.size() > 1) {
                line.remove(line.size() - 1);
                lines.add(new ArrayList<>(List.of(column)));
            }
        }
        return lines;
    }

    private static int widthOf(List<Column> columns) {
        return columns.stream().mapToInt(column -> column.width() + 2).sum();
    }

    static String pad(String text, int width, boolean right) {
        String spaces = " ".repeat(Math.max(0, width - text.codePointCount(0, text.length())));
        return right ? spaces + text : text + spaces;
    }
}
