package io.sendfiled.system.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.PageCache;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Target;
import io.sendfiled.support.TestDestination;
import io.sendfiled.support.Way;
import io.sendfiled.system.Connected;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.Program;
import io.sendfiled.system.Sending;
import io.sendfiled.system.Sending.Operation;
import io.sendfiled.system.TestDaemon;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Transfers that wait for a disk: they are counted, they end when they are told to although the disk does not answer, and
 * they keep nobody else waiting, another dead disk's least of all.
 */
@ParameterizedClass
@EachKind
@Timeout(60)
final class ColdTransferIT {
    private static final int SIZE = 1_500_000;
    private static final int SHORT_MS = 150;
    private static final int DISK_THREADS = 2;
    private static final int TRIES = 4;

    @TempDir
    private Path directory;

    @Daemon({"loops=1", "disk-threads=" + DISK_THREADS})
    private TestDaemon daemon;

    @Connected
    private RawClient client;

    @Parameter
    TestDaemon.Kind kind;

    private final List<HeldDisk> disks = new ArrayList<>();

    @AfterEach
    void unmount() {
        disks.forEach(HeldDisk::close);
    }

    // ---- the disk does not answer ----

    @ParameterizedTest
    @ValueSource(strings = {"read", "open"})
    void shouldTellAtOnceThatTheDeadlineHasComeWhileTheDiskIsDead(String call) throws Exception {
        List<Target> targets = List.of(Target.UNIX, Target.TCP_BLOCKING, Target.PIPE, Target.FILE);
        HeldDisk disk = mount("disk", 1, "--hold-calls", call);
        for (Target target : targets) { // from the second on, the kernel's caches know the path
            ExtendedRequest request = ExtendedRequest.send("disk/held0").withDeadlineMs(SHORT_MS);
            try (TestDestination destination = target.open(directory);
                    Sending sending = Sending.start(daemon, client, Operation.SEND_FILE, request, destination.fd())) {
                Outcome outcome = sending.await(); // the disk has not answered, and nobody will let it before

                assertEquals("ETIMEDOUT", outcome.errnoName(), outcome.toString());
                assertEquals(0, outcome.moved());
                expectWarm();
                destination.finishSending();
            }
        }
        disk.release();
    }

    @Test
    void shouldCloseTheStatusChannelOfACancelledTransferWhileTheDiskIsDead() throws Exception {
        HeldDisk disk = mount("disk", 1);
        try (TestDestination destination = Target.UNIX.open(directory);
                Status status = client.request(ExtendedRequest.send("disk/held0"), destination.fd(), -1)) {
            long id = status.info().id();
            disk.awaitHeld();
            client.cancel(id);

            assertEquals(0, status.rest().length);
            destination.finishSending();
        }
        disk.release();
    }

    @Test
    void shouldReadFromADiskWhileAnotherIsDead() throws Exception {
        HeldDisk dead = mount("dead", 4 * DISK_THREADS);
        HeldDisk living = mount("living", 4 * DISK_THREADS);
        living.release();
        List<Status> waiting = new ArrayList<>();
        for (int i = 0; i < 4 * DISK_THREADS; i++) {
            waiting.add(client.request(ExtendedRequest.read("dead/held" + i), -1, -1));
        }
        dead.awaitHeld();

        for (int i = 0; i < 4 * DISK_THREADS; i++) {
            Outcome outcome = read("living/held" + i);
            assertTrue(outcome.coldWindows() > 0, outcome.toString());
        }
        expectWarm();

        dead.release();
        for (int i = 0; i < waiting.size(); i++) {
            try (Status status = waiting.get(i)) {
                expectRead("dead/held" + i, status);
            }
        }
    }

    /** A dead disk's threads are not those that write to a living one's files. */
    @Test
    void shouldCopyToAFileWhileADiskIsDead() throws Exception {
        HeldDisk dead = mount("dead", 4 * DISK_THREADS);
        List<TestDestination> destinations = new ArrayList<>();
        List<Status> waiting = new ArrayList<>();
        for (int i = 0; i < 4 * DISK_THREADS; i++) {
            TestDestination destination = Target.UNIX.open(directory);
            destinations.add(destination);
            waiting.add(client.request(ExtendedRequest.send("dead/held" + i), destination.fd(), -1));
        }
        dead.awaitHeld();

        Content warm = Content.write(daemon.root().resolve("warm"), SIZE);
        try (TestDestination destination = Target.FILE.open(directory);
                Status status = client.request(ExtendedRequest.send("warm"), destination.fd(), -1)) {
            assertTrue(Outcome.ofSend(status).complete());
            assertEquals(warm, Content.drain(destination.receivingEnd()));
        }

        for (int i = 0; i < waiting.size(); i++) {
            try (Status status = waiting.get(i);
                    TestDestination destination = destinations.get(i)) {
                if (i == 0) {
                    dead.release();
                }
                CompletableFuture<Content> received = destination.receive();
                assertTrue(Outcome.ofSend(status).complete());
                destination.finishSending();
                assertEquals(SIZE, received.get(20, TimeUnit.SECONDS).size());
            }
        }
    }

    // ---- what is told of it ----

    @ParameterizedTest
    @EnumSource(Way.class)
    void shouldCountTheWindowsThatTheDiskHadToLoad(Way way) throws Exception {
        for (Target target : Target.values()) {
            if (!target.takes(way) || target.isFile()) {
                continue; // a copy from file to file waits for both disks, in one
            }
            String name = "cold-" + target; // a new one each time: a socket may refer to the pages of an old one
            Content content = evicted(name, SIZE);
            Outcome cold = send(target, ExtendedRequest.send(name).by(way.number()), content);
            // A fast disk may have answered before the loop asks for the next byte: that is no cold window.
            for (int i = 1; i < TRIES && cold.coldWindows() == 0; i++) {
                name = "cold-" + target + i;
                content = evicted(name, SIZE);
                cold = send(target, ExtendedRequest.send(name).by(way.number()), content);
            }
            assertTrue(cold.coldWindows() > 0, target + " by " + way + ": " + cold);
            if (way != Way.AUTO) {
                assertEquals(way, cold.way(), target + ": " + cold);
            }
            Outcome warm = send(target, ExtendedRequest.send(name).by(way.number()), content);
            assertEquals(0, warm.coldWindows(), target + " by " + way + ": " + warm);
        }
    }

    // R22
    @ParameterizedTest
    @ValueSource(ints = {64 << 10, 1 << 20, 16 << 20})
    void shouldAskNoDiskForWarmFilesOfAnotherUser(int size) throws Exception {
        assumeTrue(Program.ROOT && kind == TestDaemon.Kind.FORKED, "the daemon owns its files");
        Content content = Content.write(daemon.root().resolve("warm"), size);
        for (Target target : List.of(Target.TCP, Target.UNIX_BLOCKING, Target.PIPE)) {
            Outcome outcome = send(target, ExtendedRequest.send("warm"), content);
            assertEquals(0, outcome.coldWindows(), target + ": " + outcome);
        }
    }

    // ---- drop-behind ----

    // R22: of another user's file as well
    @Test
    void shouldNotKeepWhatItLoadedWhenToldSo() throws Exception {
        for (Target target : List.of(Target.TCP, Target.PIPE, Target.FILE)) {
            String name = "once-" + target;
            Path file = daemon.root().resolve(name);
            ExtendedRequest request = ExtendedRequest.send(name);
            Content content = evicted(name, 4 * SIZE);
            send(target, request.withFlags(ExtendedRequest.DROP_BEHIND), content);
            long kept = PageCache.resident(file);
            assertTrue(kept < 2 * SIZE, target + ": " + kept + " bytes are still cached");

            send(target, request, content);
            assertTrue(PageCache.resident(file) >= 4 * SIZE, target.toString());
            send(target, request.withFlags(ExtendedRequest.DROP_BEHIND), content);
            assertTrue(PageCache.resident(file) >= 4 * SIZE, target + ": these pages were somebody else's");
        }
    }

    // ---- helpers ----

    /** A new file that is on its disk and nowhere else. */
    private Content evicted(String name, int size) throws Exception {
        Path file = daemon.root().resolve(name);
        Content content = Content.write(file, size);
        assumeTrue(PageCache.evict(file), "this file system does not let go of its pages");
        return content;
    }

    private HeldDisk mount(String name, int files, String... options) throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectory(directory.resolve("behind-" + name));
        for (int i = 0; i < files; i++) {
            Content.write(behind.resolve("held" + i), SIZE);
        }
        HeldDisk disk = HeldDisk.mount(daemon.root().resolve(name), behind, "held", options);
        disks.add(disk);
        daemon.rememberDescriptors(); // an embedded engine shares them with the disk's process
        return disk;
    }

    private void expectWarm() throws Exception {
        Content content = Content.write(daemon.root().resolve("warm"), 4_096);
        try (Status status = client.request(ExtendedRequest.read("warm"), -1, -1)) {
            assertEquals(4_096, status.info().size());
            assertEquals(content, Content.drain(status.source(), 4_096));
            assertTrue(Outcome.ofTrailer(status).complete());
        }
    }

    private Outcome read(String path) throws Exception {
        try (Status status = client.request(ExtendedRequest.read(path), -1, -1)) {
            return expectRead(path, status);
        }
    }

    private Outcome expectRead(String path, Status status) throws Exception {
        assertEquals(SIZE, status.info().size());
        Path behind = directory.resolve("behind-" + path);
        assertEquals(Content.of(behind), Content.drain(status.source(), SIZE));
        Outcome outcome = Outcome.ofTrailer(status);
        assertTrue(outcome.complete(), outcome.toString());
        return outcome;
    }

    private Outcome send(Target target, ExtendedRequest request, Content content) throws Exception {
        try (TestDestination destination = target.open(directory);
                Status status = client.request(request, destination.fd(), -1)) {
            CompletableFuture<Content> received = destination.receive();
            Outcome outcome = Outcome.ofSend(status);
            assertTrue(outcome.complete(), target + ": " + outcome);
            assertFalse(outcome.refused());
            destination.finishSending();
            assertEquals(
                    target.keepsBytes() ? content : Content.NOTHING,
                    received.get(20, TimeUnit.SECONDS),
                    target.toString());
            return outcome;
        }
    }
}
