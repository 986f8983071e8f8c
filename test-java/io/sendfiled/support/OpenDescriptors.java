package io.sendfiled.support;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/** The open descriptors of a process, for proving that none leaked. */
public final class OpenDescriptors {
    /** So many equal counts, some milliseconds apart. */
    private static final int SETTLED = 25;

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
            throw new AssertionError(e.getMessage() + ": " + list(), e);
        }
    }

    private static Map<Integer, String> list() {
        Map<Integer, String> all = new TreeMap<>();
        for (String name : new File("/proc/self/fd").list()) {
            try {
                all.put(
                        Integer.valueOf(name),
                        Files.readSymbolicLink(Path.of("/proc/self/fd", name)).toString());
            } catch (IOException e) {
                all.put(Integer.valueOf(name), "?"); // the directory's own, most likely
            }
        }
        return all;
    }
}
