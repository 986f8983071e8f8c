package io.sendfiled.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.TestDestination;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A disk that never answers again: the program ends all the same, and its clients with it. */
@Timeout(60)
final class DeadDiskIT {
    @TempDir
    private Path directory;

    @Test
    void shouldEndInBoundedTime() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectory(directory.resolve("behind"));
        Content.write(behind.resolve("held"), 100_000);
        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, TestDaemon.Options.STANDARD);
                HeldDisk disk = HeldDisk.mount(daemon.root().resolve("disk"), behind, "held");
                TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            Transfer transfer = daemon.client().send(FileRequest.of("disk/held"), destination.destination());
            disk.awaitHeld();

            daemon.stop(); // demands a clean end within 20 seconds

            assertThrows(TransferException.class, () -> transfer.await(Await.LONG));
            destination.finishSending();
            assertEquals(0, Content.drain(destination.receivingEnd()).size());
        }
    }
}
