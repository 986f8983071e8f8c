package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What this machine allows, and what a process uses of it: files of /proc. */
final class Machine {
    private static final Pattern TCP_PAGES = Pattern.compile("^TCP: .* mem (\\d+)$", Pattern.MULTILINE);

    private Machine() {}

    /** Bytes that can be had without swapping. */
    static long availableMemory() throws IOException {
        return kibibytes(Path.of("/proc/meminfo"), "MemAvailable:") * 1024;
    }

    /** Bytes, but for what the kernel's image takes. */
    static long totalMemory() throws IOException {
        return kibibytes(Path.of("/proc/meminfo"), "MemTotal:") * 1024;
    }

    /** Of the default size. */
    static long hugePageBytes() throws IOException {
        return kibibytes(Path.of("/proc/meminfo"), "Hugepagesize:") * 1024;
    }

    /** Huge pages of the default size that nobody has, and nobody has been promised. */
    static long freeHugePages() throws IOException {
        Path file = Path.of("/proc/meminfo");
        return number(file, "HugePages_Free:") - number(file, "HugePages_Rsvd:");
    }

    /** Resident bytes of a process, shared pages included; exact, unlike those of its status file. */
    static long residentBytes(long pid) throws IOException {
        return kibibytes(rollup(pid), "Rss:") * 1024;
    }

    /** Resident bytes of a process, each page divided by those who share it. */
    static long proportionalBytes(long pid) throws IOException {
        return kibibytes(rollup(pid), "Pss:") * 1024;
    }

    /** Resident bytes of a process that it shares with none and that no file has: without the rings of sessions. */
    static long anonymousBytes(long pid) throws IOException {
        return kibibytes(rollup(pid), "Anonymous:") * 1024;
    }

    /** What the threads of a process that are alive have used of processors. */
    static long cpuNs(long pid) throws IOException {
        return sumOfThreads(pid, thread -> {
            String text = Files.readString(thread.resolve("schedstat"));
            return Long.parseLong(text.substring(0, text.indexOf(' ')));
        });
    }

    /** How often the threads of a process that are alive gave a processor away, whether they wanted to or not. */
    static long contextSwitches(long pid) throws IOException {
        return sumOfThreads(pid, thread -> {
            Path status = thread.resolve("status");
            return number(status, "voluntary_ctxt_switches:") + number(status, "nonvoluntary_ctxt_switches:");
        });
    }

    /** What is read of one thread, in its directory of /proc. */
    private interface OfThread {
        long read(Path thread) throws IOException;
    }

    private static long sumOfThreads(long pid, OfThread value) throws IOException {
        long sum = 0;
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc/" + pid + "/task"))) {
            for (Path thread : threads) {
                try {
                    sum += value.read(thread);
                } catch (NoSuchFileException e) {
                    // It has ended since.
                }
            }
        }
        return sum;
    }

    /** The hard limit of open files, for this process and those it starts. */
    static long openFilesLimit() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/limits"))) {
            if (line.startsWith("Max open files")) {
                String hard = line.strip().split("\\s{2,}")[2];
                return hard.equals("unlimited") ? Long.MAX_VALUE : Long.parseLong(hard);
            }
        }
        throw new IOException("/proc/self/limits tells no limit of open files");
    }

    /** Whether the buffers of others take so much of what the kernel has for TCP that connections might stall. */
    static boolean isShortOfTcpMemory() throws IOException {
        Matcher used = TCP_PAGES.matcher(Files.readString(Path.of("/proc/net/sockstat")));
        // By lines: of a sysctl file all has to be read at once, and readString() begins with one byte.
        String limits =
                Files.readAllLines(Path.of("/proc/sys/net/ipv4/tcp_mem")).get(0);
        long fewest = Long.parseLong(limits.substring(0, limits.indexOf('\t')));
        return used.find() && Long.parseLong(used.group(1)) > fewest / 2;
    }

    private static Path rollup(long pid) {
        return Path.of("/proc/" + pid + "/smaps_rollup");
    }

    private static long kibibytes(Path file, String key) throws IOException {
        return number(file, key);
    }

    /** What follows a key, without its unit. */
    private static long number(Path file, String key) throws IOException {
        for (String line : Files.readAllLines(file)) {
            if (line.startsWith(key)) {
                return Long.parseLong(
                        line.substring(key.length()).replace("kB", "").strip());
            }
        }
        throw new IOException(file + " has no " + key);
    }
}
