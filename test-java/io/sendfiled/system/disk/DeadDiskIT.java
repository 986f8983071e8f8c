package io.sendfiled.system.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.DaemonProcess;
import io.sendfiled.system.TestDaemon;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A disk that never answers again: the program ends all the same, and its clients with it (R15). */
@Timeout(90)
final class DeadDiskIT {
    private static final int SIZE = 100_000;

    @TempDir
    private Path directory;

    @BeforeEach
    void assumeFuse() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Content.write(Files.createDirectory(directory.resolve("behind")).resolve("held"), SIZE);
    }

    private HeldDisk mount(Path root, String... options) throws Exception {
        return HeldDisk.mount(root.resolve("disk"), directory.resolve("behind"), "held", options);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 500})
    void shouldEndInBoundedTime(int stopTimeoutMs) throws Exception {
        TestDaemon.Options options = TestDaemon.Options.STANDARD.with("stop-timeout", stopTimeoutMs);
        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, options);
                HeldDisk disk = mount(daemon.root());
                TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            Transfer transfer = daemon.client().send(FileRequest.of("disk/held"), destination.destination());
            disk.awaitHeld();

            daemon.stop(); // demands a clean end within 20 seconds

            assertThrows(TransferException.class, () -> transfer.await(Await.LONG));
            destination.finishSending();
            assertEquals(0, Content.drain(destination.receivingEnd()).size());
        }
    }

    /**
     * A call that a FUSE server has taken and does not answer keeps the process, whatever kills it: so says the kernel. But
     * its clients are told, and its name is free for the next instance.
     */
    @ParameterizedTest
    @ValueSource(strings = {"open", "getattr", "flush"})
    void shouldMakeRoomForTheNextInstanceInBoundedTime(String call) throws Exception {
        Path root = Files.createDirectory(directory.resolve("root"));
        Content file = Content.write(root.resolve("file"), SIZE);
        Path lock = directory.resolve("sendfiled.test.lock");
        try (HeldDisk disk = mount(root, "--hold-calls", call);
                DaemonProcess first = DaemonProcess.start(directory, "test", root, "--stop-timeout=500")) {
            Path socket = directory.resolve("sendfiled.test.socket");
            try (RawClient client = new RawClient(socket);
                    TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory);
                    Status status = client.request(ExtendedRequest.send("disk/held"), destination.fd(), -1)) {
                CompletableFuture<Content> received = destination.receive();
                disk.awaitHeld();

                first.terminate();
                Await.until("its socket and its lock to go", () -> !Files.exists(socket) && !Files.exists(lock));

                Outcome outcome = Outcome.ofSend(status);
                assertEquals(call.equals("flush") ? "" : "ESHUTDOWN", outcome.errnoName(), outcome.toString());
                destination.finishSending();
                assertEquals(outcome.moved(), received.get(20, TimeUnit.SECONDS).size());
            }
            try (DaemonProcess second = DaemonProcess.start(directory, "test", root);
                    RawClient client = new RawClient(socket);
                    Status status = client.request(ExtendedRequest.read("file"), -1, -1)) {
                assertTrue(second.pid() != first.pid());
                assertEquals(SIZE, status.info().size());
                assertEquals(file, Content.drain(status.source(), SIZE));
                assertTrue(Outcome.ofTrailer(status).complete());
            }
            disk.release(); // closing the first demands a clean end of it
        }
    }
}
