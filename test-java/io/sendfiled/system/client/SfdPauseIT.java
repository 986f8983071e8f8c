package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.Destination;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Content;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.nio.channels.Pipe;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The program {@code sfd} and a reader of its output that stops for longer than the daemon waits for others. */
@Timeout(120)
final class SfdPauseIT {
    private static final String SFD = Path.of(System.getProperty("sendfiled.test.dist", "target/dist"), "bin", "sfd")
            .toAbsolutePath()
            .toString();
    private static final int BIG = 20_000_000;

    @TempDir
    private static Path directory;

    @Daemon("idle-timeout=300ms")
    private static TestDaemon daemon;

    @Test
    void shouldOutliveAPauseOfItsReader() throws Exception {
        Content big = Content.write(daemon.root().resolve("big"), BIG);
        List<Program> all = new ArrayList<>();
        try (SendfiledClient client = daemon.client()) {
            for (List<String> command : List.of(List.of("read", "big"), List.of("send", "big", "--to", "-"))) {
                List<String> words = new ArrayList<>(List.of(SFD));
                words.addAll(command);
                words.addAll(List.of("-S", directory.toString(), "-s", TestDaemon.NAME));
                all.add(Program.start(directory, words, Map.of()));
            }
            for (Program sfd : all) {
                sfd.awaitOutput();
            }
            awaitIdleTimeout(client);
            for (Program sfd : all) {
                assertEquals(big, Content.of(sfd.report()));
                assertEquals(0, sfd.awaitExit(), sfd.errors());
            }
        } finally {
            all.forEach(Program::close);
        }
    }

    /** Ends when the daemon has given up a transfer that began later, and that nobody reads either. */
    private static void awaitIdleTimeout(SendfiledClient client) throws Exception {
        Pipe pipe = Pipe.open();
        try (Pipe.SourceChannel unread = pipe.source();
                Pipe.SinkChannel sink = pipe.sink()) {
            Transfer transfer = client.send("big", Destination.of(sink));
            TransferException e = assertThrows(TransferException.class, transfer::await);
            assertEquals(Errno.ETIMEDOUT, e.errno());
            assertTrue(unread.isOpen());
        }
    }
}
