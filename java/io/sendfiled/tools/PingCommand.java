package io.sendfiled.tools;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Source;
import io.sendfiled.client.TransferException;
import io.sendfiled.jni.BufferNative;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.units.Numbers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * {@code sfd ping}: whether a daemon serves this user, by a request as any client makes it: an empty file of this process's is
 * sent to {@code /dev/null}. It goes all the way through the daemon, and needs no disk and no file of the root.
 */
final class PingCommand {
    /** So that all of it, with the start of this program, takes less than a second. */
    private static final Duration PATIENCE = Duration.ofMillis(500);

    private static final byte[] FILE = "ping\0".getBytes(StandardCharsets.US_ASCII);

    private PingCommand() {}

    /**
     * An answer.
     *
     * @param elapsedNs since the request
     * @param refuses why it has no room for a transfer now; null: it serves
     */
    record Pong(long elapsedNs, @Nullable String refuses) {
        String text() {
            return Numbers.fixed(elapsedNs / 1e6, 2) + " ms";
        }
    }

    static void run(Arguments arguments, Report report) throws SfdException, IOException, InterruptedException {
        Pong pong = ping(arguments);
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("elapsedMs", TimeUnit.NANOSECONDS.toMicros(pong.elapsedNs) / 1e3);
        if (pong.refuses != null) {
            values.put("refuses", pong.refuses);
        }
        report.done(
                "pong from '" + SfdException.printable(arguments.instance()) + "': " + pong.text()
                        + (pong.refuses == null ? "" : ", but it takes no transfer now: " + pong.refuses),
                values);
    }

    /** Asks twice if there is time: the first answer takes as long as the start of this program. */
    static Pong ping(Arguments arguments) throws SfdException, IOException, InterruptedException {
        Duration given = arguments.timeout();
        long limitNs = (given == null ? PATIENCE : given).toNanos();
        long begin = System.nanoTime();
        try (SendfiledClient client = arguments.connect();
                OwnedFd file = OwnedFd.take(Errno.check(BufferNative.openFile(FILE), "make a memory file"))) {
            FileRequest request = FileRequest.of(Source.of(file));
            String refuses = ask(client, request, limitNs, arguments);
            long elapsedNs = System.nanoTime() - begin;
            if (elapsedNs > limitNs / 2) {
                return new Pong(elapsedNs, refuses); // a busy machine: there is no time for another one
            }
            long again = System.nanoTime();
            refuses = ask(client, request, limitNs - elapsedNs, arguments);
            return new Pong(System.nanoTime() - again, refuses);
        }
    }

    /** Null when it serves; why not, when it only has no room: it is well all the same. */
    private static @Nullable String ask(SendfiledClient client, FileRequest request, long limitNs, Arguments arguments)
            throws SfdException, IOException, InterruptedException {
        try {
            var unused = client.warm(request).await(Duration.ofNanos(limitNs));
            return null;
        } catch (TransferException e) {
            return switch (e.isRefusal() ? e.errno() : 0) {
                case Errno.EPROTONOSUPPORT -> null; // of a version that knows no options: an answer
                case Errno.EMFILE, Errno.ENFILE, Errno.EDQUOT, Errno.ENOMEM, Errno.ENOBUFS ->
                    e.reason() + " (" + e.errnoName() + ")";
                default -> throw Failure.of(arguments, e);
            };
        } catch (TimeoutException e) {
            throw new SfdException(
                    "the daemon '" + SfdException.printable(arguments.instance()) + "' does not answer within "
                            + TimeUnit.NANOSECONDS.toMillis(limitNs) + " ms",
                    ExitCode.TIMEOUT,
                    Errno.ETIMEDOUT,
                    0,
                    e);
        }
    }
}
