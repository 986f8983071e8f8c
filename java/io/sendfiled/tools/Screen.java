package io.sendfiled.tools;

import io.sendfiled.jni.DescriptorsNative;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A terminal as a screen that is written again and again, with keys: plain escape sequences, and stty(1) for the keys.
 * What it changes it changes back, also when the program is interrupted, or suspended by Ctrl-Z. One thread, and the
 * shutdown hook.
 */
final class Screen implements AutoCloseable {
    /** The other screen, no cursor; and no line goes on in the next one: some characters are two columns wide. */
    private static final String BEGIN = "\033[?1049h\033[?25l\033[?7l";

    private static final String END = "\033[?7h\033[?25h\033[?1049l";
    private static final String HOME = "\033[H";
    private static final String REST_OF_LINE = "\033[K";
    private static final String REST = "\033[J";
    private static final int LINES = 24;
    private static final long KEY_LOOK_MS = 50;
    private static final long PROGRAM_SECONDS = 2;
    private static final char CTRL_Z = '\032';

    /** Who has not run for so long may have been stopped, and others may have had the terminal. */
    private static final long STOPPED_NS = TimeUnit.MILLISECONDS.toNanos(500);

    private final StandardOutput out;
    private final @Nullable String settings; // of the terminal before; null: standard input is none
    private final Thread hook;
    private boolean open;
    private boolean over;
    private long lookedNs = System.nanoTime();

    private Screen(StandardOutput out, @Nullable String settings) {
        this.out = out;
        this.settings = settings;
        hook = new Thread(this::end, "sfd-terminal");
    }

    /** Whether it can be one. */
    static boolean isPossible(StandardOutput out) {
        return out.isTerminal() && !"dumb".equals(System.getenv("TERM"));
    }

    static Screen open(StandardOutput out) throws SfdException {
        Screen screen = new Screen(out, stty("-g"));
        Runtime.getRuntime().addShutdownHook(screen.hook);
        screen.take();
        return screen;
    }

    private synchronized void take() throws SfdException {
        if (over) {
            return;
        }
        open = true;
        if (settings != null) {
            stty("-icanon", "-echo", "susp", "undef", "min", "0", "time", "0"); // Ctrl-Z is a key: see suspend()
        }
        out.print(BEGIN);
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
    synchronized void show(String text) throws SfdException {
        if (open) {
            out.print(HOME + text.replace("\n", REST_OF_LINE + "\r\n") + REST);
        }
    }

    /** Waits for a key; 0 when none came in this time, or the picture is to be shown again before. */
    char key(long timeoutMs) throws InterruptedException, SfdException {
        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
        int width = DescriptorsNative.terminalWidth(DataDescriptor.number());
        InputStream keys = System.in;
        while (System.nanoTime() - until < 0) {
            if (System.nanoTime() - lookedNs > STOPPED_NS) {
                lookedNs = System.nanoTime();
                take();
                return 0;
            }
            lookedNs = System.nanoTime();
            try {
                if (settings != null && keys.available() > 0) {
                    int key = keys.read();
                    if (key != CTRL_Z) {
                        return key < 0 ? 'q' : (char) key;
                    }
                    suspend();
                    return 0;
                }
            } catch (IOException e) {
                return 'q'; // the terminal is gone
            }
            if (DescriptorsNative.terminalWidth(DataDescriptor.number()) != width) {
                return 0;
            }
            Thread.sleep(Math.min(KEY_LOOK_MS, timeoutMs));
        }
        return 0;
    }

    /** As Ctrl-Z does, all of the job; with the terminal as it was before, until it goes on. */
    private void suspend() throws SfdException {
        restore();
        run("sh", "-c", "trap '' TSTP; kill -TSTP 0");
        take();
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

    private synchronized void end() {
        over = true;
        restore();
    }

    @Override
    public void close() {
        end();
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
        return run(command);
    }

    /** What a program says on standard output; null if it fails. */
    private static @Nullable String run(String... command) {
        try {
            Process program = new ProcessBuilder(command)
                    .redirectInput(ProcessBuilder.Redirect.INHERIT)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            String said = new String(program.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            return program.waitFor(PROGRAM_SECONDS, TimeUnit.SECONDS) && program.exitValue() == 0 ? said : null;
        } catch (IOException e) {
            return null;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        }
    }
}
