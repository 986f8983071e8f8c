package io.sendfiled.daemon;

import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.StringJoiner;
import java.util.concurrent.locks.LockSupport;

/**
 * Signals that whoever started this program has blocked. The threads of a JVM inherit that for good (but for those that it
 * uses itself): neither SIGTERM nor the sandbox nor the watchdog would reach them. The launcher unblocks all; this is for
 * a JVM that was started without it. Main thread, at the start.
 */
final class BlockedSignals {
    private static final String LINE = "SigBlk:";
    private static final int MOST = 64;

    /** SIGTERM and the real-time signals. */
    private static final long NEEDED = 1L << (15 - 1) | -1L << (34 - 1);

    private BlockedSignals() {}

    /**
     * How often it is looked, a millisecond apart, before they count as blocked: the first thread blocks all of them itself
     * while it makes the one that this runs on, and may lose its processor meanwhile (pthread_create of glibc).
     */
    private static final int LOOKS = 1000;

    /** Refuses to start with blocked signals, and names them. */
    static void demandNone() throws StartException {
        long blocked = NEEDED;
        for (int look = 0; look < LOOKS && blocked != 0; look++) {
            if (look > 0) {
                LockSupport.parkNanos(1_000_000);
            }
            blocked = blockedByFirstThread() & NEEDED;
        }
        demandNone(blocked);
    }

    /** Those of the first thread, which the JVM does not use; none if nothing tells. */
    private static long blockedByFirstThread() {
        List<String> status;
        try {
            status = Files.readAllLines(Path.of("/proc/self/status"));
        } catch (IOException e) {
            return 0; // no /proc
        }
        return status.stream()
                .filter(line -> line.startsWith(LINE))
                .mapToLong(line ->
                        Long.parseUnsignedLong(line.substring(LINE.length()).strip(), 16))
                .findFirst()
                .orElse(0);
    }

    private static void demandNone(long blocked) throws StartException {
        if (blocked != 0) {
            throw new StartException(
                    Errno.EINVAL,
                    "the program that started this one blocks the signals " + name(blocked)
                            + ", which the sandbox and the end need: start it by bin/sendfiled, which unblocks them");
        }
    }

    /** Such as {@code 10, 34-64}. */
    static String name(long signals) {
        StringJoiner names = new StringJoiner(", ");
        int first = 0;
        for (int signal = 1; signal <= MOST + 1; signal++) {
            boolean is = signal <= MOST && (signals >>> (signal - 1) & 1) != 0;
            if (is && first == 0) {
                first = signal;
            } else if (!is && first != 0) {
                names.add(first == signal - 1 ? "" + first : first + "-" + (signal - 1));
                first = 0;
            }
        }
        return names.toString();
    }
}
