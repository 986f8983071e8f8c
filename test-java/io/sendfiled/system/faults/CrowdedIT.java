package io.sendfiled.system.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.FileContent;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.RawClient;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * D3, R2: a daemon that may have only so many descriptors, from fewer than it has to more than it needs. Each request ends,
 * most with an answer; afterwards it is as well as before.
 */
@Timeout(120)
final class CrowdedIT {
    private static final int FEWEST = 10;
    private static final int MOST = 120;
    private static final int EMFILE = 24;

    @TempDir
    private Path directory;

    @Test
    void shouldLiveWithAnyLimitOfDescriptors() throws Exception { // D3, R2
        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, TestDaemon.Options.STANDARD);
                RawClient client = daemon.rawClient()) {
            Content small = Content.write(daemon.root().resolve("small"), 1_000);
            long pid = daemon.pid();
            Map<String, Integer> outcomes = new TreeMap<>();
            for (int limit = FEWEST; limit <= MOST; limit++) {
                limit(pid, limit);
                for (int surplus = 0; surplus <= 2; surplus++) {
                    outcomes.merge(read(client, surplus), 1, Integer::sum);
                }
            }
            limit(pid, 1_024);

            for (int i = 0; i < 10; i++) {
                try (FileContent content =
                        daemon.client().read("small").content().get(20, TimeUnit.SECONDS)) {
                    assertEquals(small, Content.drain(content));
                }
            }
            assertTrue(daemon.isAlive());
            daemon.expectNoLeak();
            assertEquals(pid, daemon.pid());
            assertTrue(outcomes.containsKey("complete"), outcomes.toString());
            assertTrue(outcomes.containsKey("lost") || outcomes.containsKey("EMFILE"), outcomes.toString());
            assertTrue(outcomes.containsKey("EMFILE"), "somewhere there is room for the first alone: " + outcomes);
        }
    }

    /** What the client sees; waits for the end of the status channel, which must come. */
    private static String read(RawClient client, int surplus) throws IOException {
        try (RawClient.Status status = new RawClient.Status()) {
            int fd = Descriptors.numberOf(status.sink());
            client.send(RawClient.fileRequest(2, "small"), fd, surplus >= 1 ? fd : -1, surplus >= 2 ? fd : -1);
            status.sink().close();
            byte[] bytes = status.rest();
            if (bytes.length == 0) {
                return "lost";
            }
            if (bytes[1] == 0) {
                assertEquals(48 + 1_000, bytes.length);
                return "complete";
            }
            assertEquals(2, bytes.length);
            return bytes[1] == EMFILE ? "EMFILE" : "errno " + bytes[1];
        }
    }

    private static void limit(long pid, int descriptors) throws IOException, InterruptedException {
        HelperProgram.output("prlimit", "--pid=" + pid, "--nofile=" + descriptors + ":");
    }
}
