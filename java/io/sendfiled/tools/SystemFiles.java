package io.sendfiled.tools;

import java.io.FileInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What the kernel tells in /proc and /sys. A file that is not there, or may not be read, tells nothing. Stateless. */
final class SystemFiles {
    private static final int MOST = 1 << 20;

    private SystemFiles() {}

    /** The first line; empty if there is none. */
    static String line(String path) {
        List<String> lines = lines(path);
        return lines.isEmpty() ? "" : lines.get(0).strip();
    }

    static List<String> lines(String path) {
        byte[] bytes = new byte[MOST];
        try (FileInputStream file = new FileInputStream(path)) {
            // In one read: of what is in /proc/sys, a second one gives nothing.
            int count = Math.max(0, file.read(bytes));
            count += file.readNBytes(bytes, count, MOST - count);
            return new String(bytes, 0, count, StandardCharsets.ISO_8859_1)
                    .lines()
                    .toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    /** The number in a file; a default if there is none. */
    static long number(String path, long none) {
        return number(line(path), 0, none);
    }

    /** A word of a line as a number. */
    static long number(String line, int word, long none) {
        String[] words = line.strip().split("\\s+");
        try {
            return word < words.length ? Long.parseLong(words[word]) : none;
        } catch (NumberFormatException e) {
            return none;
        }
    }

    /** The rest of the first line that begins so; null if none does. */
    static @Nullable String after(String path, String begin) {
        for (String line : lines(path)) {
            if (line.startsWith(begin)) {
                return line.substring(begin.length()).strip();
            }
        }
        return null;
    }
}
