package io.sendfiled.system.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.Faults;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** R22: a daemon that cannot receive says so once, does not spin meanwhile, and goes on when it can. */
@Timeout(120)
final class ReceiveFaultIT {
    private static final Faults.Pattern EVERY_TIME = new Faults.Pattern(1, 1, 0);

    @TempDir
    private Path directory;

    @Test
    void shouldSayOnceThatItCannotReceiveAndServeWhenItCan() throws Exception {
        assumeTrue(Files.exists(Faults.shim()), "the fault shim was not built");
        Content content =
                Content.write(Files.createDirectory(directory.resolve("root")).resolve("file"), 100_000);
        Faults faults = Faults.of(directory, Faults.ENGINE);
        Map<String, String> environment = new TreeMap<>(faults.environment());
        environment.put("SENDFILED_ALLOW_ROOT", Program.ROOT ? "1" : "0");
        List<String> command =
                List.of(Program.LAUNCHER.toString(), "-S", directory.toString(), "-s", "a", "-r", directory + "/root");
        try (Program daemon = Program.start(directory, command, environment)) {
            daemon.awaitServing(directory.resolve("sendfiled.a.socket"));
            try (SendfiledClient client = SendfiledClient.connect(directory, "a")) {
                faults.give("recvmmsg", Errno.EPERM, EVERY_TIME);
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                Transfer transfer = client.readTo("file", Channels.newChannel(out));
                Await.until("its complaint", () -> complaints(daemon) > 0);
                long tries = faults.failed();
                long begin = System.nanoTime();
                Await.until("200 further tries", () -> faults.failed() >= tries + 200);
                long elapsedMs = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin);
                assertTrue(elapsedMs >= 1000, "200 tries within " + elapsedMs + " ms");
                assertEquals(1, complaints(daemon), daemon.errors());

                faults.clear();
                transfer.result().get(20, TimeUnit.SECONDS);
                assertEquals(content, Content.of(out.toByteArray()));
            }
            daemon.signal("TERM");
            assertEquals(0, daemon.awaitExit(), daemon.errors());
        }
    }

    private static long complaints(Program daemon) {
        String message = "requests cannot be received: operation not permitted (EPERM)";
        try {
            return daemon.errors()
                    .lines()
                    .filter(line -> line.contains(message))
                    .count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
