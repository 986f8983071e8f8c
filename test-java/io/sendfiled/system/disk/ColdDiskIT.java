package io.sendfiled.system.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.ReadTransfer;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A disk that does not answer beside one that does: the product. The slow disk's files are held until the test lets them
 * go, so what has ended before did not wait for it.
 */
@ParameterizedClass
@EachKind
@Timeout(60)
final class ColdDiskIT {
    private static final int COLD_FILES = 16; // twice the disk pool's threads
    private static final int COLD_SIZE = 1_500_000;
    private static final int WARM_REQUESTS = 200;
    private static final List<TestDestination.Type> TYPES = List.of(TestDestination.Type.values());

    @TempDir
    private Path directory;

    @Daemon("loops=1")
    private TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    private @Nullable HeldDisk mounted;
    private final List<Content> cold = new ArrayList<>();
    private Content warm = new Content(0, "");

    @BeforeEach
    void makeFiles() throws Exception {
        String reason = HeldDisk.unavailableBecause();
        assumeTrue(reason.isEmpty(), reason);
        Path behind = Files.createDirectory(directory.resolve("behind"));
        for (int i = 0; i < COLD_FILES; i++) {
            cold.add(Content.write(behind.resolve("held" + i), COLD_SIZE));
        }
        warm = Content.write(daemon.root().resolve("warm"), 4096);
    }

    private HeldDisk mount(String... options) throws Exception {
        HeldDisk disk = HeldDisk.mount(daemon.root().resolve("disk"), directory.resolve("behind"), "held", options);
        mounted = disk;
        daemon.rememberDescriptors(); // an embedded engine shares them with the disk's process
        return disk;
    }

    @AfterEach
    void unmount() {
        if (mounted != null) {
            mounted.close();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"read", "open", "getattr", "flush"})
    void shouldServeWarmFilesWhileColdOnesWaitForTheirDisk(String call) throws Exception {
        HeldDisk disk = mount("--hold-calls", call);
        List<TestDestination> destinations = new ArrayList<>();
        List<CompletableFuture<Content>> received = new ArrayList<>();
        List<Transfer> transfers = new ArrayList<>();
        for (int i = 0; i < COLD_FILES; i++) {
            TestDestination destination = TestDestination.open(TYPES.get(i % TYPES.size()), directory);
            destinations.add(destination);
            received.add(destination.receive());
            transfers.add(daemon.client().send(FileRequest.of("disk/held" + i), destination.destination()));
        }
        disk.awaitHeld();

        for (int i = 0; i < WARM_REQUESTS; i++) {
            expectWarm(TYPES.get(i % TYPES.size()));
        }
        // Not in the kernel's caches either, but on a disk that answers: its threads are its own.
        ReadTransfer missing = daemon.client().read("missing-" + call);
        TransferException refused = assertThrows(TransferException.class, () -> missing.await(Await.LONG));
        assertEquals(Errno.ENOENT, refused.errno());
        for (Transfer transfer : transfers) {
            assertTrue(call.equals("flush") || !transfer.result().isDone(), transfer.toString());
        }

        disk.release();
        for (int i = 0; i < COLD_FILES; i++) {
            try (TestDestination destination = destinations.get(i)) {
                transfers.get(i).await(Await.LONG);
                destination.finishSending();
                assertEquals(cold.get(i), received.get(i).get(20, TimeUnit.SECONDS));
            }
        }
    }

    @Test
    void shouldReadColdFiles() throws Exception {
        HeldDisk disk = mount();
        List<ReadTransfer> transfers = new ArrayList<>();
        for (int i = 0; i < COLD_FILES; i++) {
            transfers.add(daemon.client().read("disk/held" + i));
        }
        disk.awaitHeld();
        expectWarm(TestDestination.Type.TCP);
        disk.release();
        for (int i = 0; i < COLD_FILES; i++) {
            try (FileContent content = transfers.get(i).content().get(20, TimeUnit.SECONDS)) {
                assertEquals(cold.get(i), Content.drain(content));
            }
        }
    }

    @Test
    void shouldObeyACancelOnceTheDiskGivesTheTransferBack() throws Exception {
        HeldDisk disk = mount();
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            Transfer transfer = daemon.client().send(FileRequest.of("disk/held0"), destination.destination());
            disk.awaitHeld();
            transfer.cancel();
            expectWarm(TestDestination.Type.PIPE);

            disk.release();

            CompletionException failure = assertThrows(
                    CompletionException.class,
                    () -> transfer.result().orTimeout(20, TimeUnit.SECONDS).join());
            assertEquals(
                    "ECANCELED",
                    assertInstanceOf(TransferException.class, failure.getCause())
                            .errnoName());
            destination.finishSending();
            assertTrue(Content.drain(destination.receivingEnd()).size() < COLD_SIZE);
        }
    }

    private void expectWarm(TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory)) {
            daemon.client()
                    .send(FileRequest.of("warm"), destination.destination())
                    .await(Await.LONG);
            destination.finishSending();
            assertEquals(warm, Content.drain(destination.receivingEnd()));
        }
    }
}
