package io.sendfiled.serve;

import io.sendfiled.base.SystemLog;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The access log, a line for each answer, in the combined log format. Event loops hand lines over, and wait for no disk: a
 * thread writes them. Of lines that come faster than the disk takes them, those above a number are lost, which is logged.
 *
 * <p>Thread-safe. Owns the thread and the file.
 */
final class AnswerLog implements AutoCloseable {
    private static final int MOST_WAITING = 65_536;
    private static final int CLOSE_MS = 2_000;

    private final Path path;
    private final Thread writer = new Thread(this::write, "sfd-access-log");
    private List<String> waiting = new ArrayList<>(); // guarded by this, as the following
    private long lost;
    private boolean reopens;
    private boolean closed;
    private OutputStream out; // the writer's

    private AnswerLog(Path path, OutputStream out) {
        this.path = path;
        this.out = out;
        writer.setDaemon(true);
    }

    /** Opens the file to append to it, and starts the thread. Blocks. */
    static AnswerLog open(Path path) throws IOException {
        AnswerLog log = new AnswerLog(path, append(path));
        log.writer.start();
        return log;
    }

    private static OutputStream append(Path path) throws IOException {
        return Files.newOutputStream(path, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    /** Hands over a line, without its end. Never waits for the disk. */
    synchronized void add(String line) {
        if (waiting.size() == MOST_WAITING) {
            lost++;
            return;
        }
        waiting.add(line);
        notifyAll();
    }

    /** Has the file opened anew, after it was renamed. Does not wait for that. */
    synchronized void reopen() {
        reopens = true;
        notifyAll();
    }

    /** Writes what is waiting, and closes the file. Waits for that, for {@value #CLOSE_MS} ms at most. Idempotent. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        try {
            writer.join(CLOSE_MS);
            if (writer.isAlive()) {
                warn("the last lines are lost: " + path + " takes nothing", null);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void write() {
        boolean goesOn = true;
        while (goesOn) {
            List<String> batch;
            boolean opens;
            long missing;
            synchronized (this) {
                while (waiting.isEmpty() && lost == 0 && !reopens && !closed) {
                    try {
                        wait();
                    } catch (InterruptedException e) {
                        return; // nobody does that
                    }
                }
                batch = waiting;
                waiting = new ArrayList<>();
                opens = reopens;
                reopens = false;
                missing = lost;
                lost = 0;
                goesOn = !closed;
            }
            if (missing > 0) {
                warn(missing + " lines were lost: the disk is too slow", null);
            }
            write(batch, opens);
        }
        try {
            out.close();
        } catch (IOException e) {
            warn("cannot close " + path, e);
        }
    }

    private void write(List<String> batch, boolean opens) {
        try {
            if (opens) {
                OutputStream next = append(path);
                out.close();
                out = next;
            }
            if (!batch.isEmpty()) {
                out.write((String.join("\n", batch) + "\n").getBytes(StandardCharsets.US_ASCII));
            }
        } catch (IOException e) {
            warn("cannot write to " + path, e);
        }
    }

    private static void warn(String what, @Nullable Throwable cause) {
        SystemLog.log("io.sendfiled.serve", System.Logger.Level.WARNING, "access log: " + what, cause);
    }
}
