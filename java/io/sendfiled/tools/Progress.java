package io.sendfiled.tools;

import io.sendfiled.sys.Descriptors;
import java.io.PrintStream;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/**
 * A progress bar on standard error: only on a terminal, and only once the transfer has taken a second. Its library is
 * loaded only then. One thread.
 */
final class Progress implements AutoCloseable {
    /** The bar is first shown after this time. */
    static final long DELAY_MS = 1_000;
    /** The bar is drawn again after this time. */
    static final long PERIOD_MS = 100;

    private static final int STDERR = 2;
    private static final int WIDTH = 80;
    private static final long MIB = 1L << 20;

    private final String name;
    private final long total;
    private final PrintStream err;
    private final boolean wanted;
    private long nextNs;
    private @Nullable Bar bar;

    Progress(String name, long total, long startedNs, PrintStream err, boolean wanted) {
        this.name = name;
        this.total = total;
        this.err = err;
        this.wanted = wanted;
        nextNs = startedNs + DELAY_MS * 1_000_000;
    }

    /** How far it has come; cheap, to be called often. */
    void update(long moved) {
        if (!wanted) {
            return;
        }
        long now = System.nanoTime();
        if (now - nextNs < 0) {
            return;
        }
        nextNs = now + PERIOD_MS * 1_000_000;
        if (bar == null) {
            if (!Descriptors.isTerminal(STDERR)) {
                nextNs = now + Long.MAX_VALUE / 2;
                return;
            }
            bar = new Bar(name, total, err);
        }
        bar.show(moved);
    }

    /** Shows the end and goes to a new line. */
    void finish(long moved) {
        if (bar != null) {
            bar.show(moved);
        }
        close();
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }

    /** The code that needs the library; a class of its own, so that nothing else loads the library. */
    private static final class Bar {
        private final ProgressBar bar;

        Bar(String name, long total, PrintStream err) {
            boolean plain = System.getenv("NO_COLOR") != null;
            bar = new ProgressBarBuilder()
                    .setTaskName(SfdException.printable(name))
                    .setInitialMax(total)
                    .setUnit(" MiB", MIB)
                    .setStyle(plain ? ProgressBarStyle.ASCII : ProgressBarStyle.COLORFUL_UNICODE_BLOCK)
                    .setConsumer(new ConsoleProgressBarConsumer(err, WIDTH))
                    .setUpdateIntervalMillis((int) PERIOD_MS)
                    .showSpeed()
                    .build();
        }

        void show(long moved) {
            bar.stepTo(moved);
        }

        void close() {
            bar.close();
        }
    }
}
