package io.sendfiled.tools;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.SendfiledClient;
import java.io.IOException;

/** {@code sfd stat}: opens the file, prints what the daemon reports, and closes it. */
final class StatCommand {
    private StatCommand() {}

    static void run(Arguments arguments, SendfiledClient client, Report report)
            throws SfdException, IOException, InterruptedException {
        FileRequest plain = arguments.request();
        Waiting.extended(plain, plain.with(plain.options().withDetails(true)), request -> {
            try (OpenFile file = Waiting.forOpen(request, arguments, client)) {
                report.info(file.info());
            }
        });
    }
}
