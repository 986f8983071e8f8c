package io.sendfiled.daemon;

import io.sendfiled.control.ControlCall;
import io.sendfiled.control.ControlCommand;
import io.sendfiled.engine.Engine;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * {@code dump}: what the daemon does at this moment, for whoever looks for the reason why it does not go on: its counters, its
 * disk queues, what each thread waits for in the kernel, and where it is in Java.
 *
 * <p>From inside the sandbox, which lets no other program look. On a thread of its own; stops the JVM's threads for a moment,
 * as a thread dump does.
 */
final class Dump implements ControlCommand {
    private static final Path TASKS = Path.of("/proc/self/task");

    /** Of a list in one line, as a rule; it keeps an answer bounded. */
    private static final int THREADS = 1_000;

    private final Engine engine;

    Dump(Engine engine) {
        this.engine = engine;
    }

    @Override
    public String run(ControlCall call) throws IOException {
        for (String line : engine.describe()) {
            call.line(line);
        }
        call.line("");
        call.line("threads in the kernel: id, name, state, where it waits");
        for (String line : tasks()) {
            call.line(line);
        }
        List<Map.Entry<Thread, StackTraceElement[]>> threads =
                new ArrayList<>(Thread.getAllStackTraces().entrySet());
        threads.sort(Comparator.comparing(entry -> entry.getKey().getName()));
        for (Map.Entry<Thread, StackTraceElement[]> entry : threads.subList(0, Math.min(THREADS, threads.size()))) {
            Thread thread = entry.getKey();
            call.line("");
            call.line("\"" + thread.getName() + "\" " + thread.getState());
            for (StackTraceElement frame : entry.getValue()) {
                call.line("    at " + frame.getClassName() + "." + place(frame));
            }
        }
        return threads.size() + " threads";
    }

    /** Without its module and its class loader, which are the same in most lines. */
    private static String place(StackTraceElement frame) {
        String file = frame.isNativeMethod() ? "Native Method" : frame.getFileName() + ":" + frame.getLineNumber();
        return frame.getMethodName() + "(" + file + ")";
    }

    private static List<String> tasks() throws IOException {
        List<String> lines = new ArrayList<>();
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(TASKS)) {
            for (Path task : tasks) {
                if (lines.size() < THREADS) {
                    lines.add("  " + task.getFileName() + " " + name(task) + " " + state(task) + " "
                            + text(task.resolve("wchan")));
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        return lines;
    }

    private static String name(Path task) {
        return text(task.resolve("comm"));
    }

    /** The letter behind the name, which is in brackets and may have any characters. */
    private static String state(Path task) {
        String stat = text(task.resolve("stat"));
        int end = stat.lastIndexOf(") ");
        return end < 0 || end + 2 >= stat.length() ? "?" : stat.substring(end + 2, end + 3);
    }

    /** {@code -}: the thread has ended, or the kernel does not tell. */
    private static String text(Path file) {
        try {
            String text = new String(Files.readAllBytes(file), StandardCharsets.UTF_8).strip();
            return text.isEmpty() ? "-" : text;
        } catch (IOException e) {
            return "-";
        }
    }
}
