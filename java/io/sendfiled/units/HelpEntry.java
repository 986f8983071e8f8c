package io.sendfiled.units;

/** An entry of a {@code --help} text in two columns, for a terminal of 80. Pure. */
public final class HelpEntry {
    /** The widest line. */
    public static final int WIDTH = 80;

    private static final int TEXT_COLUMN = 28;

    private HelpEntry() {}

    /** Appends an option, or a command, and what it does. */
    public static void append(StringBuilder out, String left, String text) {
        out.append(left);
        int column = left.length();
        if (column >= TEXT_COLUMN) {
            out.append('\n');
            column = 0;
        }
        out.append(" ".repeat(TEXT_COLUMN - column));
        column = TEXT_COLUMN;
        String gap = "";
        for (String word : text.split(" ", -1)) {
            if (!gap.isEmpty() && column + 1 + word.length() > WIDTH) {
                out.append('\n').append(" ".repeat(TEXT_COLUMN));
                column = TEXT_COLUMN;
                gap = "";
            }
            out.append(gap).append(word);
            column += gap.length() + word.length();
            gap = " ";
        }
        out.append('\n');
    }
}
