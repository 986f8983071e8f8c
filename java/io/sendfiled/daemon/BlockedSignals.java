package io.sendfiled.daemon;

import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.StringJoiner;

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

    /** Refuses to start with blocked signals, and names them. */
    static void demandNone() throws StartException {
        List<String> status;
        try {
            status =
                    Files.readAllLines(Path.of("/proc/self/status")); // of the first thread, which the JVM does not use
        } catch (IOException e) {
            return; // no /proc: nothing tells
        }
        for (String line : status) {
            if (line.startsWith(LINE)) {
                demandNone(NEEDED
                        & Long.parseUnsignedLong(line.substring(LINE.length()).strip(), 16));
            }
        }
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
