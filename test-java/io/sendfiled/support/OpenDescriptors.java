package io.sendfiled.support;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The open descriptors of a process, for proving that none leaked. */
public final class OpenDescriptors {
    /** So many equal counts, some milliseconds apart. */
    private static final int SETTLED = 25;

    /** What this process had open when its number settled last; for messages only. */
    private static volatile Map<Integer, String> settled = Map.of();

    private OpenDescriptors() {}

    /** How many descriptors this process has open. */
    public static int count() {
        return count("self");
    }

    /** How many descriptors a process has open. */
    public static int count(long pid) {
        return count(Long.toString(pid));
    }

    /** How many descriptors a process has open once the number does not change any more: it has started, or has ended something. */
    public static int settledCount(long pid) {
        int[] last = {0, 0}; // the number, and how often in a row
        Await.until("the number of descriptors to settle", () -> {
            int now = count(pid);
            last[1] = now == last[0] ? last[1] + 1 : 0;
            last[0] = now;
            return last[1] == SETTLED;
        });
        if (pid == ProcessHandle.current().pid()) {
            settled = list("self");
        }
        return last[0];
    }

    private static int count(String process) {
        String[] names = new File("/proc/" + process + "/fd").list();
        if (names == null) {
            throw new IllegalStateException("no process " + process);
        }
        return names.length;
    }

    /** Waits until this process has as many descriptors as it had; says which it has, if not. */
    public static void awaitCount(int expected) {
        try {
            Await.until("the descriptors to be " + expected, () -> count() <= expected);
        } catch (AssertionError e) {
            Map<Integer, String> open = list("self");
            Map<Integer, String> more = new TreeMap<>(open);
            more.entrySet().removeAll(settled.entrySet());
            more.replaceAll((descriptor, file) -> file.startsWith("socket:[") ? file + socket(file) : file);
            throw new AssertionError(e.getMessage() + "; not among those counted last: " + more + "; all: " + open, e);
        }
    }

    /** The kernel's line of a socket: its kind, addresses and state. */
    private static String socket(String link) {
        String inode = ' ' + link.substring(8, link.length() - 1) + ' ';
        for (String kind : List.of("tcp", "tcp6", "unix")) {
            try {
                for (String line : Files.readAllLines(Path.of("/proc/self/net", kind))) {
                    if ((line + ' ').contains(inode)) {
                        return ' ' + kind + ' ' + line.strip();
                    }
                }
            } catch (IOException e) {
                return " " + e;
            }
        }
        return " (not connected)";
    }

    /** What the descriptors of a process are of, as the kernel names it. */
    public static Map<Integer, String> list(long pid) {
        return list(Long.toString(pid));
    }

    private static Map<Integer, String> list(String process) {
        Map<Integer, String> all = new TreeMap<>();
        Path directory = Path.of("/proc", process, "fd");
        for (String name : directory.toFile().list()) {
            try {
                all.put(
                        Integer.valueOf(name),
                        Files.readSymbolicLink(directory.resolve(name)).toString());
            } catch (IOException e) {
                all.put(Integer.valueOf(name), "?"); // the directory's own, most likely
            }
        }
        return all;
    }
}
