package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.client.OpenFile;
import io.sendfiled.counters.Counter;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.TestDaemon;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** R19: a client is gone when its process is, also if nobody hangs up for it. */
@ParameterizedClass
@EnumSource(TestDaemon.Kind.class)
@Timeout(60)
final class GoneClientIT {
    private static final int TRANSFERS = 4;

    @TempDir
    private static Path directory;

    @Daemon("max-transfers=" + TRANSFERS)
    private static TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        Content.write(daemon.root().resolve("small"), 1_000);
        Content.write(daemon.root().resolve("big"), 1_000_000);
    }

    /** Its status channels and its destination lie in the queue of a socket that another process holds. */
    @Test
    void shouldEndTheTransfersOfAProcessThatIsGone() throws Exception { // R19
        try (Tenant gone = new Tenant(daemon.socket());
                Tenant next = new Tenant(daemon.socket())) {
            assertEquals("hidden", gone.ask("hide big"));
            gone.awaitEnd();

            // All that there is: the two that are hidden are in the way until they have ended.
            for (int i = 0; i < TRANSFERS; i++) {
                Await.until("a free transfer", next::opens);
            }
            assertEquals("EMFILE", next.ask("open"));
        }
        daemon.expectCounted(Counter.TRANSFERS, 0);
        daemon.expectNoLeak();
    }

    /** An engine's host may be its own client, and waits for its own end. */
    @Test
    void shouldKeepTheTransfersOfAProcessThatIsThere() throws Exception {
        try (OpenFile file = daemon.client().open("small").get(20, TimeUnit.SECONDS);
                Tenant other = new Tenant(daemon.socket());
                Tenant gone = new Tenant(daemon.socket())) {
            assertTrue(other.opens());
            assertEquals("hidden", gone.ask("hide big"));
            gone.awaitEnd();

            Await.until("the end of the one that is gone", other::opens);
            try (TestDestination destination = TestDestination.open(TestDestination.Type.PIPE, directory)) {
                file.send(destination.destination()).await(Await.LONG);
            }
        }
        daemon.expectNoLeak();
    }
}
