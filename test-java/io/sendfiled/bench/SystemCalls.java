package io.sendfiled.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Counts the system calls of processes while a program runs, by perf(1), or where it may not, by strace(1). The first
 * costs the processes little; the second slows them, so that an event loop finds more to do in each turn.
 */
enum SystemCalls {
    PERF,
    STRACE,
    NEITHER;

    private static final String EVENT = "raw_syscalls:sys_enter";
    private static final Pattern PERF_COUNT = Pattern.compile("^(\\d+),[^,]*," + EVENT, Pattern.MULTILINE);
    private static final long TIMEOUT_MS = 60_000;

    /** What a program has printed, and the calls of the others meanwhile. */
    record Counted(String output, long calls) {}

    /** What this machine has, and this user may use. Blocks. */
    static SystemCalls find() throws InterruptedException {
        if (works("perf", "stat", "-x,", "-e", EVENT, "true")) {
            return PERF;
        }
        return works("strace", "-c", "-o", "/dev/null", "true") ? STRACE : NEITHER;
    }

    private static boolean works(String... command) throws InterruptedException {
        try {
            return new ProcessBuilder(command)
                            .redirectErrorStream(true)
                            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                            .start()
                            .waitFor()
                    == 0;
        } catch (IOException e) {
            return false; // not installed
        }
    }

    /** Runs a program to its end, and counts what the processes do meanwhile. Blocks. */
    Counted count(List<Long> pids, List<String> command, Path directory) throws IOException, InterruptedException {
        String processes = String.join(",", pids.stream().map(Object::toString).toList());
        Path counts = directory.resolve("system-calls");
        Files.deleteIfExists(counts);
        if (this == PERF) {
            List<String> counting = new ArrayList<>(
                    List.of("perf", "stat", "-x,", "-e", EVENT, "-p", processes, "-o", counts.toString(), "--"));
            counting.addAll(command);
            String output = Programs.run(counting, TIMEOUT_MS);
            return new Counted(output, parsePerf(Files.readString(counts)));
        }
        Path attached = directory.resolve("strace.log");
        Process strace = Programs.startAttached(
                new ProcessBuilder("strace", "-c", "-f", "-p", processes, "-o", counts.toString())
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .redirectError(attached.toFile()));
        try {
            awaitAttached(strace, attached);
            String output = Programs.run(command, TIMEOUT_MS);
            Programs.signal(strace, "INT");
            if (!strace.waitFor(TIMEOUT_MS, TimeUnit.MILLISECONDS)) {
                throw new IOException("strace did not end");
            }
            return new Counted(output, parseStrace(Files.readString(counts)));
        } finally {
            strace.destroyForcibly();
        }
    }

    private static void awaitAttached(Process strace, Path log) throws IOException, InterruptedException {
        long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Programs.START_TIMEOUT_MS);
        while (!Files.readString(log, StandardCharsets.UTF_8).contains("attached")) {
            if (strace.waitFor(1, TimeUnit.MILLISECONDS) || System.nanoTime() > deadlineNs) {
                throw new IOException(
                        "strace cannot attach: " + Files.readString(log).strip());
            }
        }
    }

    static long parsePerf(String text) throws IOException {
        Matcher found = PERF_COUNT.matcher(text);
        if (!found.find()) {
            throw uncounted(text);
        }
        return Long.parseLong(found.group(1));
    }

    /** The total below the column of calls: those beside it are empty where there is nothing to say. */
    static long parseStrace(String text) throws IOException {
        int end = -1;
        for (String line : text.lines().toList()) {
            if (line.startsWith("% time")) {
                end = line.indexOf("calls ") + "calls".length();
            } else if (line.endsWith(" total") && end > 0) {
                String left = line.substring(0, end);
                return Long.parseLong(left.substring(left.lastIndexOf(' ') + 1));
            }
        }
        throw uncounted(text);
    }

    private static IOException uncounted(String text) {
        return new IOException("no count of system calls: " + text.strip());
    }
}
