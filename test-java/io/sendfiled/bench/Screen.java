package io.sendfiled.bench;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

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

    private static final int STEP_TITLE_WIDTH = 24;

    private final PrintStream out;
    private final boolean terminal;
    private final boolean colours;
    private boolean hasTransientLine;

    private Screen(PrintStream out, boolean terminal) {
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

    void warn(String what, String detail) {
        mark(Tone.WARN, "!", what, detail);
    }

    void failure(String what, String detail) {
        mark(Tone.BAD, "✗", what, detail);
    }

    private void mark(Tone tone, String mark, String what, String detail) {
        line("  " + paint(tone, mark) + " " + pad(what, STEP_TITLE_WIDTH, false) + " " + detail);
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
        List<Cell> titles = new ArrayList<>();
        int width = 0;
        for (Column column : columns) {
            titles.add(Cell.faint(column.title()));
            width += column.width() + 2;
        }
        row(columns, titles);
        line("  " + paint(Tone.FAINT, "─".repeat(width - 2)));
    }

    void row(List<Column> columns, List<Cell> cells) {
        StringBuilder line = new StringBuilder("  ");
        for (int i = 0; i < columns.size(); i++) {
            Column column = columns.get(i);
            Cell cell = cells.get(i);
            boolean last = i == columns.size() - 1 && !column.right();
            String text = last ? cell.text() : pad(cell.text(), column.width(), column.right());
            line.append(paint(cell.tone(), text)).append(last ? "" : "  ");
        }
        line(line.toString().stripTrailing());
    }

    static String pad(String text, int width, boolean right) {
        String spaces = " ".repeat(Math.max(0, width - text.codePointCount(0, text.length())));
        return right ? spaces + text : text + spaces;
    }
}
