package io.sendfiled.tools;

import io.sendfiled.sys.Descriptors;
import java.io.PrintStream;
import java.util.Locale;

/**
 * A progress bar on standard error: only on a terminal, and only once the transfer has taken a second; what it shows counts
 * from the start all the same. One thread.
 */
final class Progress implements AutoCloseable {
    /** The bar is drawn again after this time. */
    static final long PERIOD_MS = 100;

    private static final long DELAY_NS = 1_000_000_000;
    private static final int STDERR = 2;
    private static final int USUAL_WIDTH = 80;
    private static final int LEAST_BAR = 10;
    private static final int MOST_BAR = 40;
    private static final int FIRST_WIDE = 0x1100; // Hangul, and what follows: often two columns a character

    private final String name;
    private final PrintStream err;
    private final boolean wanted;
    private final long startedNs = System.nanoTime();
    private long total;
    private long nextNs = startedNs + DELAY_NS;
    private boolean shown;

    Progress(String name, long total, PrintStream err, boolean wanted) {
        this.name = SfdException.printable(name);
        this.total = total;
        this.err = err;
        this.wanted = wanted && Descriptors.isTerminal(STDERR);
    }

    /** What there is to move. */
    void total(long bytes) {
        total = bytes;
    }

    /** How far it has come; cheap, to be called often. */
    void update(long moved) {
        long now = System.nanoTime();
        if (wanted && now - nextNs >= 0) {
            nextNs = now + PERIOD_MS * 1_000_000;
            draw(moved, now);
        }
    }

    private void draw(long moved, long now) {
        int columns = Descriptors.terminalWidth(STDERR); // it may have changed
        err.print("\r" + line(name, moved, total, now - startedNs, columns > 0 ? columns : USUAL_WIDTH));
        err.flush();
        shown = true;
    }

    /** Shows the end. */
    void finish(long moved) {
        if (shown) {
            draw(moved, System.nanoTime());
        }
    }

    /** Goes to a new line. */
    @Override
    public void close() {
        if (shown) {
            err.println();
            shown = false;
        }
    }

    /**
     * A line that fills the terminal but for its last column, where some go to the next line. What does not fit is left out,
     * the bar first, then the end of the name. Pure.
     */
    static String line(String name, long moved, long total, long elapsedNs, int columns) {
        int width = Math.max(columns - 1, 0);
        long percent = total <= 0 ? 100 : (long) (100.0 * moved / total);
        double rate = moved / (Math.max(elapsedNs, 1) / 1e9);
        String numbers =
                String.format(Locale.ROOT, " %3d%% %s, %s/s", percent, Report.human(moved), Report.human((long) rate));
        if (moved > 0 && moved < total) {
            numbers += ", " + time((long) Math.ceil((total - moved) / rate)) + " left";
        }
        int room = width - columns(name) - numbers.length() - 3; // a blank and two brackets
        String bar = "";
        if (room >= LEAST_BAR) {
            int cells = Math.min(room, MOST_BAR);
            int full = (int) (cells * Math.min(percent, 100) / 100);
            bar = " [" + "#".repeat(full) + " ".repeat(cells - full) + "]";
        }
        String text = cut(name, width - numbers.length() - bar.length()) + bar + numbers;
        String fitting = cut(text, width);
        return fitting + " ".repeat(Math.max(0, width - columns(fitting)));
    }

    private static String time(long seconds) {
        return seconds < 3600
                ? String.format(Locale.ROOT, "%d:%02d", seconds / 60, seconds % 60)
                : String.format(Locale.ROOT, "%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }

    private static int columns(int character) {
        return character >= FIRST_WIDE ? 2 : 1;
    }

    private static int columns(String text) {
        return text.codePoints().map(Progress::columns).sum();
    }

    private static String cut(String text, int width) {
        int used = 0;
        for (int i = 0; i < text.length(); i = text.offsetByCodePoints(i, 1)) {
            used += columns(text.codePointAt(i));
            if (used > width) {
                return text.substring(0, i);
            }
        }
        return text;
    }
}
