package io.sendfiled.tools;

import io.sendfiled.units.TransferId;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/** {@code sfd cancel}: ends transfers of a daemon by the ids that {@code sfd top} shows, one after the other. */
final class CancelCommand {
    private CancelCommand() {}

    static void run(Arguments arguments, Report report) throws SfdException, IOException, InterruptedException {
        List<String> ids = arguments.words();
        for (String id : ids) {
            check(id);
        }
        SfdException first = null;
        int count = 0;
        for (String id : ids) {
            try (ControlConnection daemon = ControlConnection.open(arguments)) {
                daemon.send("cancel " + id);
                var unused = daemon.answer();
                count++;
            } catch (SfdException e) {
                if (e.exitCode() == ExitCode.UNREACHABLE || e.exitCode() == ExitCode.PERMISSION) {
                    throw e;
                }
                first = first == null ? e : first;
            }
        }
        if (first != null) {
            throw first; // the others are ended all the same
        }
        report.done(count == 1 ? "1 transfer ended" : count + " transfers ended", Map.of("ended", count));
    }

    private static void check(String id) throws SfdException {
        try {
            var unused = TransferId.parse(id);
        } catch (NumberFormatException e) {
            throw SfdException.usage(
                    "'" + SfdException.printable(id) + "' is no id of a transfer, such as 1-2034; sfd top shows them");
        }
    }
}
