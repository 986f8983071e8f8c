package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.TransferException;
import io.sendfiled.counters.Counter;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.ProcessThreads;
import io.sendfiled.support.RawClient;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.CDriver;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** R10: what one process may have of a daemon, and that another one is served beside it. This process is the greedy one. */
@ParameterizedClass
@EnumSource(TestDaemon.Kind.class)
@Timeout(60)
final class LimitsIT {
    private static final int TRANSFERS = 6;
    private static final int DESCRIPTORS = 15;
    private static final int DISK_TASKS = 3;
    private static final int QUEUE = 9; // fewer datagrams than the request socket holds
    private static final int BIG = 4 << 20; // more than a pipe holds, also one that the daemon has grown
    private static final String DISK = "disk";

    @TempDir
    private static Path directory;

    @Daemon({"client-transfers=" + TRANSFERS, "client-descriptors=" + DESCRIPTORS, "client-disk-tasks=" + DISK_TASKS})
    private static TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        Content.write(daemon.root().resolve("file"), 10_000);
        Content.write(daemon.root().resolve("big"), BIG);
    }

    @Test
    void shouldRefuseTransfersBeyondOneClientsShareAndServeOthers() throws Exception {
        long before = daemon.count(Counter.REFUSED_CLIENT_TRANSFERS);
        List<FileContent> unread = new ArrayList<>();
        for (int i = 0; i < TRANSFERS; i++) {
            unread.add(daemon.client().read("big").content().get(20, TimeUnit.SECONDS));
        }

        expectQuota(daemon.client().read("file").result());
        expectQuota(daemon.client().open("file"));
        expectOthersAreServed("file");

        assertEquals(BIG, Content.drain(unread.get(0)).size(), "what was accepted goes on");
        Await.until("room for another transfer", () -> isServed("file"));
        for (FileContent content : unread) {
            content.close();
        }
        daemon.expectCounted(Counter.REFUSED_CLIENT_TRANSFERS, before + 2);
    }

    @Test
    void shouldRefuseDescriptorsBeyondOneClientsShareAndServeOthers() throws Exception {
        long before = daemon.count(Counter.REFUSED_CLIENT_DESCRIPTORS);
        List<OpenFile> files = new ArrayList<>();
        for (int i = 0; i < DESCRIPTORS / 3; i++) { // of each the file, the status channel and a promised destination
            files.add(daemon.client().open("file").get(20, TimeUnit.SECONDS));
        }

        expectQuota(daemon.client().read("file").result());
        expectOthersAreServed("file");
        daemon.expectCounted(Counter.REFUSED_CLIENT_DESCRIPTORS, before + 1);

        for (OpenFile file : files) {
            file.close();
        }
        Await.until("room for another transfer", () -> isServed("file"));
        daemon.expectCounted(Counter.DESCRIPTORS, 0);
    }

    @Test
    void shouldCountDescriptorsThatCannotBeClosedYet() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectories(directory.resolve("flushed"));
        Content.write(behind.resolve("held"), 1_000);
        Path mountPoint = daemon.root().resolve("dead");
        try (HeldDisk disk = HeldDisk.mount(mountPoint, behind, "held", "--hold-calls", "flush");
                RawClient raw = daemon.rawClient();
                FileChannel file = FileChannel.open(mountPoint.resolve("held"), StandardOpenOption.READ)) {
            try {
                for (int i = 0; i <= DESCRIPTORS; i++) {
                    raw.send(new byte[] {99}, Descriptors.numberOf(file), -1); // no request at all
                }
                Await.until("the descriptors to be counted", () -> !isServed("file"));
                expectQuota(daemon.client().read("file").result());
            } finally {
                disk.release(); // before this process closes its own
            }
            Await.until("the descriptors to be closed", () -> isServed("file"));
        }
    }

    @Test
    void shouldLetNoMoreSocketsLingerThanOneClientMayHaveDescriptors() throws Exception { // R10
        assumeTrue(kind == TestDaemon.Kind.FORKED, "an embedded engine's descriptors are beside this test's own");
        List<SocketChannel> peers = new ArrayList<>();
        try (ServerSocketChannel listener = ServerSocketChannel.open();
                RawClient raw = daemon.rawClient()) {
            listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            for (int sent = 0; sent < 3 * DESCRIPTORS; sent += QUEUE) {
                sendLingering(listener, raw, peers);
                expectOthersAreServed("file"); // behind all of them
            }
            expectQuota(daemon.client().read("file").result());
            assertFalse(daemon.hasMoreDescriptorsThanAtItsStart(DESCRIPTORS + 2));
            expectOthersAreServed("file");
        } finally {
            for (SocketChannel peer : peers) {
                peer.close(); // with unread bytes: nothing is left to wait for
            }
        }
        Await.until("the sockets to be closed", () -> isServed("file"));
    }

    /** Sockets whose last close is the daemon's, and waits: this process closes them before the daemon receives them. */
    private static void sendLingering(ServerSocketChannel listener, RawClient raw, List<SocketChannel> peers)
            throws Exception {
        Program.signal(daemon.pid(), "STOP");
        try {
            Await.until("the daemon to stop", () -> ProcessThreads.areStopped(daemon.pid()));
            for (int i = 0; i < QUEUE; i++) {
                try (SocketChannel passed = SocketChannel.open(listener.getLocalAddress())) {
                    peers.add(listener.accept());
                    fill(passed);
                    raw.send(new byte[] {99}, Descriptors.numberOf(passed), -1); // no request at all
                }
            }
        } finally {
            Program.signal(daemon.pid(), "CONT");
        }
    }

    /** A socket whose close waits until its peer has read all of what it holds. */
    private static void fill(SocketChannel socket) throws IOException {
        socket.setOption(StandardSocketOptions.SO_LINGER, 3600);
        socket.configureBlocking(false);
        ByteBuffer bytes = ByteBuffer.allocate(1 << 20);
        while (socket.write(bytes) > 0) {
            bytes.clear();
        }
    }

    @Test
    void shouldRefuseDiskTasksBeyondOneClientsShareAndServeOthers() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectories(directory.resolve("behind"));
        for (String name : new String[] {"held0", "held1", "held2", "other"}) {
            Content.write(behind.resolve(name), 100_000);
        }
        long before = daemon.count(Counter.REFUSED_CLIENT_DISK_TASKS);
        try (HeldDisk disk = HeldDisk.mount(daemon.root().resolve(DISK), behind, "held")) {
            List<CompletableFuture<FileContent>> held = new ArrayList<>();
            for (int i = 0; i < DISK_TASKS; i++) {
                held.add(daemon.client().read(DISK + "/held" + i).content());
                disk.awaitHeld();
            }

            expectQuota(daemon.client().read(DISK + "/other").result());
            assertTrue(isServed("file"), "it is warm");
            expectOthersAreServed(DISK + "/other");
            daemon.expectCounted(Counter.REFUSED_CLIENT_DISK_TASKS, before + 1);
            daemon.expectCounted(Counter.DISK_TASKS, DISK_TASKS);

            disk.release();
            for (CompletableFuture<FileContent> content : held) {
                try (FileContent bytes = content.get(20, TimeUnit.SECONDS)) {
                    assertEquals(
                            Content.of(behind.resolve("other")).size(),
                            Content.drain(bytes).size());
                }
            }
            Await.until("room for another task", () -> isServed(DISK + "/other"));
        }
    }

    private static boolean isServed(String path) {
        try (FileContent content = daemon.client().read(path).content().get(20, TimeUnit.SECONDS)) {
            Content.drain(content);
            return true;
        } catch (Exception e) {
            return false;
        }
    }

    /** By another process. */
    private static void expectOthersAreServed(String path) throws Exception {
        CDriver.Outcome outcome = new CDriver(directory, TestDaemon.NAME).drive("read", path);
        assertEquals(0, outcome.exit(), outcome.json());
        assertTrue(outcome.number("size") > 0, outcome.json());
    }

    private static void expectQuota(CompletableFuture<?> future) {
        CompletionException failure =
                assertThrows(CompletionException.class, () -> future.orTimeout(20, TimeUnit.SECONDS)
                        .join());
        TransferException refusal = assertInstanceOf(TransferException.class, failure.getCause());
        assertEquals(Errno.name(Errno.EDQUOT), refusal.errnoName(), refusal.toString());
        assertTrue(refusal.isRefusal());
    }
}
