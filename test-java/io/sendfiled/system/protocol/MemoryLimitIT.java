package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.client.BufferTransfer;
import io.sendfiled.client.Destination;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.MemoryCgroup;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.DaemonProcess;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** R18: memory that clients make the daemon fill is bounded, for each and in all; the daemon outlives who asks for more. */
@Timeout(120)
final class MemoryLimitIT {
    private static final long MIB = 1 << 20;
    private static final String NAME = "memory";

    @TempDir
    private static Path directory;

    private @Nullable MemoryCgroup cgroup;
    private @Nullable DaemonProcess daemon;

    @BeforeAll
    static void makeFiles() throws Exception {
        Files.createDirectories(root());
        Content.write(root().resolve("huge"), 600 * MIB);
        Content.write(root().resolve("some"), 40 * MIB);
    }

    @AfterEach
    void stop() throws Exception {
        if (daemon != null) {
            daemon.close();
        }
        if (cgroup != null) {
            assertEquals(0, cgroup.kills());
            cgroup.close();
        }
    }

    private static Path root() {
        return directory.resolve("root");
    }

    private SendfiledClient serveIn(long cgroupBytes) throws Exception {
        cgroup = MemoryCgroup.make(cgroupBytes);
        assumeTrue(cgroup != null, "no cgroup with a limit of memory can be made here");
        daemon = DaemonProcess.start(cgroup.starter(), Map.of(), directory, NAME, root());
        return SendfiledClient.connect(directory, NAME);
    }

    private static void expectRefusal(int errno, BufferTransfer transfer) {
        ExecutionException e =
                assertThrows(ExecutionException.class, () -> transfer.buffer().get(60, TimeUnit.SECONDS));
        assertEquals(
                errno, assertInstanceOf(TransferException.class, e.getCause()).errno());
    }

    @Test
    void shouldRefuseWhatItsCgroupCannotHoldAndLive() throws Exception {
        try (SendfiledClient client = serveIn(300 * MIB)) {
            expectRefusal(Errno.EDQUOT, client.readBuffer("huge"));
            try (SharedBuffer buffer = client.readBuffer("some").buffer().get(60, TimeUnit.SECONDS)) {
                assertEquals(40 * MIB, buffer.size());
            }
            assertTrue(daemon != null && daemon.isAlive());
        }
    }

    @Test
    void shouldRefuseWhenItsClientsKeepWhatWasFilled() throws Exception {
        List<SharedBuffer> kept = new ArrayList<>();
        try (SendfiledClient client = serveIn(300 * MIB)) {
            TransferException refusal = null;
            while (refusal == null && kept.size() < 20) {
                try {
                    kept.add(client.readBuffer("some").buffer().get(60, TimeUnit.SECONDS));
                } catch (ExecutionException e) {
                    refusal = assertInstanceOf(TransferException.class, e.getCause());
                }
            }
            assertEquals(Errno.ENOBUFS, refusal == null ? 0 : refusal.errno());
            assertTrue(kept.size() >= 3, () -> kept.size() + " buffers");
            kept.forEach(SharedBuffer::close);
            Await.until("memory that was freed to be granted again", () -> isRead(client));
        } finally {
            kept.forEach(SharedBuffer::close);
        }
    }

    private static boolean isRead(SendfiledClient client) {
        try (SharedBuffer buffer = client.readBuffer("some").buffer().get(60, TimeUnit.SECONDS)) {
            return buffer.size() == 40 * MIB;
        } catch (Exception e) {
            return false;
        }
    }

    @Test
    void shouldFillWhatItsClientHasAllocated() throws Exception {
        Path file = Files.createTempFile(Path.of("/dev/shm"), "sendfiled", null);
        try (SendfiledClient client = serveIn(300 * MIB);
                FileChannel out = FileChannel.open(file, StandardOpenOption.WRITE)) {
            Process fallocate =
                    new ProcessBuilder("fallocate", "-l", Long.toString(600 * MIB), file.toString()).start();
            assumeTrue(fallocate.waitFor() == 0, "no fallocate(1), or no memory");
            assertEquals(
                    600 * MIB,
                    client.send("huge", Destination.of(out))
                            .result()
                            .get(60, TimeUnit.SECONDS)
                            .bytesMoved());
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void shouldObeyItsSettings() throws Exception {
        daemon = DaemonProcess.start(directory, NAME, root(), "--memory=30M", "--client-memory=1G");
        try (SendfiledClient client = SendfiledClient.connect(directory, NAME)) {
            expectRefusal(Errno.ENOBUFS, client.readBuffer("some"));
        }
        daemon.close();
        daemon = DaemonProcess.start(directory, NAME, root(), "--memory=1G", "--client-memory=30M");
        try (SendfiledClient client = SendfiledClient.connect(directory, NAME)) {
            expectRefusal(Errno.EDQUOT, client.readBuffer("some"));
        }
    }
}
