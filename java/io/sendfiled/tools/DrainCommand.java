package io.sendfiled.tools;

import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** {@code sfd drain}: has the daemon take nothing new and end with its last transfer, and watches it until the process is gone. */
final class DrainCommand {
    private static final long TELL_NS = TimeUnit.SECONDS.toNanos(1);
    private static final String LEFT = "left ";

    private DrainCommand() {}

    static void run(Arguments arguments, Report report) throws SfdException, IOException, InterruptedException {
        Duration limit = arguments.timeout();
        SfdException cutOff = null;
        try (ControlConnection daemon = ControlConnection.open(arguments)) {
            daemon.send(limit == null ? "drain" : "drain " + limit.toMillis());
            try {
                watch(daemon, arguments.instance(), report);
            } catch (SfdException e) {
                if (e.errno() != Errno.ETIMEDOUT || e.exitCode() != ExitCode.TIMEOUT) {
                    throw e;
                }
                cutOff = e;
            }
            var unused = daemon.line(); // nothing comes any more, but the end of the process
        }
        if (cutOff != null) {
            throw cutOff;
        }
        report.done("'" + SfdException.printable(arguments.instance()) + "' has ended", Map.of("drained", true));
    }

    private static void watch(ControlConnection daemon, String instance, Report report) throws SfdException {
        long toldNs = 0;
        String told = "";
        for (@Nullable String line = daemon.line(); line != null; line = daemon.line()) {
            if (ControlConnection.isOk(line)) {
                return;
            }
            boolean due = told.isEmpty() || System.nanoTime() - toldNs >= TELL_NS;
            if (due && line.startsWith(LEFT) && !line.equals(told)) {
                told = line;
                toldNs = System.nanoTime();
                String count = line.substring(LEFT.length());
                report.progress(count + (count.equals("1") ? " transfer is left" : " transfers are left"));
            }
        }
        throw ControlConnection.ended(instance);
    }
}
