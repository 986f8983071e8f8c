package io.sendfiled.tools;

import java.io.IOException;
import java.util.Map;

/** {@code sfd dump}: what a daemon does at this moment: its counters, its disk queues, and its threads. */
final class DumpCommand {
    private DumpCommand() {}

    static void run(Arguments arguments, StandardOutput out, Report report)
            throws SfdException, IOException, InterruptedException {
        StringBuilder text = new StringBuilder();
        try (ControlConnection daemon = ControlConnection.open(arguments)) {
            daemon.send("dump");
            for (String line = daemon.line(); line != null; line = daemon.line()) {
                if (ControlConnection.isOk(line)) {
                    if (arguments.isSet(OptionSpec.JSON)) {
                        report.done("", Map.of("dump", text.toString()));
                    } else {
                        out.print(text.toString());
                    }
                    return;
                }
                text.append(SfdException.printable(line)).append('\n');
            }
        }
        throw ControlConnection.ended(arguments.instance());
    }
}
