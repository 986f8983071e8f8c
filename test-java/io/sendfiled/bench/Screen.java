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
    static final int WIDTH = 80;

    /** Before each column, the first as well. */
    private static final int INDENT = 2;

    private static final int STEP_TITLE_WIDTH = 24;
    private static final Pattern ESCAPES = Pattern.compile("\033\\[[0-9;]*m");

    private final PrintStream out;
    private final boolean terminal;
    private final boolean colours;
    private boolean hasTransientLine;
    private boolean isBelowText;

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
        isBelowText = !text.isEmpty();
    }

    void blank() {
        line("");
    }

    void title(String text, String detail) {
        wrapped(paint(Tone.TITLE, text) + " ", detail, Tone.FAINT, text.length() + 2);
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
        wrapped(
                "  " + paint(tone, mark) + " " + pad(what, STEP_TITLE_WIDTH, false),
                detail,
                Tone.PLAIN,
                STEP_TITLE_WIDTH + 5);
    }

    /** A text in as many lines as it needs. */
    void paragraph(String text) {
        wrapped(" ", text, Tone.PLAIN, 4);
    }

    /** A beginning, and a text that goes on below itself where the line is full. */
    private void wrapped(String beginning, String text, Tone tone, int indent) {
        List<String> pieces = wrap(text, widthOf(beginning) + 1, indent);
        line(beginning + " " + paint(tone, pieces.get(0)));
        for (String piece : pieces.subList(1, pieces.size())) {
            line(" ".repeat(indent) + paint(tone, piece));
        }
    }

    /**
     * A text in as many lines as it needs.
     *
     * @param before columns that are taken before the first line
     * @param indent those before the others
     */
    static List<String> wrap(String text, int before, int indent) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : text.split(" ", -1)) {
            int taken = lines.isEmpty() ? before : indent;
            if (line.length() > 0 && taken + widthOf(line) + 1 + widthOf(word) > WIDTH) {
                lines.add(line.toString());
                line.setLength(0);
            }
            line.append(line.length() == 0 ? "" : " ").append(word);
        }
        lines.add(line.toString());
        return lines;
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

    /** The head of a table, which has to fit ({@link #WIDTH}), with a blank line above it. */
    void header(List<Column> columns) {
        header(columns.get(0).title(), columns);
    }

    /** The same with a title of its own for the first column. */
    void header(String first, List<Column> columns) {
        if (widthOf(columns) > WIDTH) {
            throw new IllegalArgumentException(columns + " takes " + widthOf(columns) + " columns of " + WIDTH);
        }
        if (isBelowText) {
            blank();
        }
        List<Cell> titles = new ArrayList<>(
                columns.stream().map(column -> Cell.faint(column.title())).toList());
        titles.set(0, Cell.faint(first));
        row(columns, titles);
        line("  " + paint(Tone.FAINT, "─".repeat(widthOf(columns) - INDENT)));
    }

    void row(List<Column> columns, List<Cell> cells) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < columns.size(); i++) {
            Column column = columns.get(i);
            Cell cell = cells.get(i);
            boolean last = i == columns.size() - 1 && !column.right();
            String text = last ? cell.text() : pad(cell.text(), column.width(), column.right());
            line.append(" ".repeat(INDENT)).append(paint(cell.tone(), text));
        }
        line(line.toString().stripTrailing());
    }

    /** How many columns of a terminal a table takes. */
    static int widthOf(List<Column> columns) {
        return columns.stream().mapToInt(column -> column.width() + INDENT).sum();
    }

    static String pad(String text, int width, boolean right) {
        String spaces = " ".repeat(Math.max(0, width - text.codePointCount(0, text.length())));
        return right ? spaces + text : text + spaces;
    }
}
