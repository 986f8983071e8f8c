package io.sendfiled.tools;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A terminal as a screen that is written again and again, with keys: plain escape sequences, and stty(1) for the keys.
 * What it changes it changes back, also when the program is interrupted. One thread.
 */
final class Screen implements AutoCloseable {
    private static final String BEGIN = "\033[?1049h\033[?25l"; // the other screen, no cursor
    private static final String END = "\033[?25h\033[?1049l";
    private static final String HOME = "\033[H";
    private static final String REST_OF_LINE = "\033[K";
    private static final String REST = "\033[J";
    private static final int LINES = 24;
    private static final long KEY_LOOK_MS = 50;
    private static final long STTY_SECONDS = 2;

    private final StandardOutput out;
    private final @Nullable String settings; // of the terminal before; null: standard input is none
    private final Thread hook;
    private boolean open = true;

    private Screen(StandardOutput out, @Nullable String settings) {
        this.out = out;
        this.settings = settings;
        hook = new Thread(this::restore, "sfd-terminal");
    }

    static Screen open(StandardOutput out) throws SfdException {
        Screen screen = new Screen(out, stty("-g"));
        Runtime.getRuntime().addShutdownHook(screen.hook);
        if (screen.settings != null) {
            stty("-icanon", "-echo", "min", "0", "time", "0");
        }
        out.print(BEGIN);
        return screen;
    }

    /** How many lines it has. */
    int lines() {
        String size = settings == null ? null : stty("size");
        try {
            return size == null ? LINES : Integer.parseInt(size.substring(0, size.indexOf(' ')));
        } catch (NumberFormatException | StringIndexOutOfBoundsException e) {
            return LINES;
        }
    }

    /** Shows a text instead of the one before, without flicker. */
    void show(String text) throws SfdException {
        out.print(HOME + text.replace("\n", REST_OF_LINE + "\r\n") + REST);
    }

    /** Waits for a key; 0 when none came in this time. */
    char key(long timeoutMs) throws InterruptedException {
        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
        InputStream keys = System.in;
        while (System.nanoTime() - until < 0) {
            try {
                if (settings != null && keys.available() > 0) {
                    return (char) keys.read();
                }
            } catch (IOException e) {
                return 'q'; // the terminal is gone
            }
            Thread.sleep(Math.min(KEY_LOOK_MS, timeoutMs));
        }
        return 0;
    }

    private synchronized void restore() {
        if (!open) {
            return;
        }
        open = false;
        try {
            out.print(END);
        } catch (SfdException e) {
            // It is gone.
        }
        if (settings != null) {
            stty(settings);
        }
    }

    @Override
    public void close() {
        restore();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // It runs.
        }
    }

    /** What stty(1) says of standard input; null if that is no terminal, or there is no stty. */
    private static @Nullable String stty(String... arguments) {
        String[] command = new String[arguments.length + 1];
        command[0] = "stty";
        System.arraycopy(arguments, 0, command, 1, arguments.length);
        try {
            Process stty = new ProcessBuilder(command)
                    .redirectInput(ProcessBuilder.Redirect.INHERIT)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            String said = new String(stty.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            return stty.waitFor(STTY_SECONDS, TimeUnit.SECONDS) && stty.exitValue() == 0 ? said : null;
        } catch (IOException e) {
            return null;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        }
    }
}
