package io.sendfiled.tools;

import io.sendfiled.client.OpenFile;
import io.sendfiled.client.SendfiledClient;
import java.io.IOException;

/** {@code sfd stat}: opens the file, prints what the daemon reports, and closes it. */
final class StatCommand {
    private StatCommand() {}

    static void run(Arguments arguments, SendfiledClient client, Report report)
            throws SfdException, IOException, InterruptedException {
        Waiting.withDetails(arguments.request(), request -> {
            try (OpenFile file = Waiting.forOpen(request, arguments, client)) {
                report.info(file.info());
            }
        });
    }
}
