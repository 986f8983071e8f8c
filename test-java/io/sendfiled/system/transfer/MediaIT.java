package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Files on all kinds of media arrive whole: each medium has its own way through the engine. */
@Timeout(120)
final class MediaIT {
    private static final int[] SIZES = {0, 1, 4_097, 65_536, 65_537, 131_073, 3_000_001};

    /** Where files are, and in what state. */
    enum Medium {
        MEMORY,
        DISK,
        DISK_NOT_CACHED,
        REMOTE,
        REMOTE_NEVER_CACHED
    }

    @TempDir
    private Path directory;

    @ParameterizedTest
    @EnumSource(Medium.class)
    void shouldDeliverEveryByteToEveryDestination(Medium medium) throws Exception {
        Path memory = Path.of("/dev/shm");
        assumeTrue(medium != Medium.MEMORY || Files.isWritable(memory), "/dev/shm is not there or not writable");
        boolean remote = medium == Medium.REMOTE || medium == Medium.REMOTE_NEVER_CACHED;
        assumeTrue(!remote || HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path root = Files.createDirectory(directory.resolve("root"));
        Path files = medium == Medium.MEMORY ? Files.createTempDirectory(memory, "sendfiled-") : directory;
        if (medium == Medium.MEMORY) {
            Files.delete(root);
            Files.createSymbolicLink(root, files);
        }
        List<Content> contents = new ArrayList<>();
        for (int size : SIZES) {
            contents.add(Content.write((remote ? directory : root).resolve("file" + size), size));
        }

        try (HeldDisk disk = remote ? mount(root, medium) : null;
                TestDaemon daemon =
                        TestDaemon.start(TestDaemon.Kind.EMBEDDED, directory, TestDaemon.Options.STANDARD)) {
            for (int i = 0; i < SIZES.length; i++) {
                String path = (disk == null ? "file" : "disk/file") + SIZES[i];
                for (TestDestination.Type type : TestDestination.Type.values()) {
                    prepare(medium, root.resolve(path));
                    assertEquals(contents.get(i), send(daemon, path, type), path + " to " + type);
                }
                prepare(medium, root.resolve(path));
                assertEquals(contents.get(i), read(daemon, path), path);
            }
            daemon.expectNoLeak();
        } finally {
            if (medium == Medium.MEMORY) {
                Files.delete(root);
                try (var leftovers = Files.newDirectoryStream(files)) {
                    for (Path file : leftovers) {
                        Files.delete(file);
                    }
                }
                Files.delete(files);
            }
        }
    }

    private HeldDisk mount(Path root, Medium medium) throws IOException {
        return medium == Medium.REMOTE_NEVER_CACHED
                ? HeldDisk.mount(root.resolve("disk"), directory, "none", "--direct-io")
                : HeldDisk.mount(root.resolve("disk"), directory, "none");
    }

    /** Takes a file out of the page cache: only what the disk has can go. */
    private static void prepare(Medium medium, Path file) throws Exception {
        if (medium == Medium.DISK_NOT_CACHED) {
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                channel.force(true);
            }
            assertEquals(
                    0,
                    new ProcessBuilder("dd", "if=" + file, "iflag=nocache", "count=0", "status=none")
                            .inheritIO()
                            .start()
                            .waitFor());
        }
    }

    private Content send(TestDaemon daemon, String path, TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory)) {
            CompletableFuture<Content> received = destination.receive();
            daemon.client()
                    .send(FileRequest.of(path), destination.destination())
                    .await(Await.LONG);
            destination.finishSending();
            return received.get(20, TimeUnit.SECONDS);
        }
    }

    private static Content read(TestDaemon daemon, String path) throws Exception {
        try (FileContent content = daemon.client().read(path).content().get(20, TimeUnit.SECONDS)) {
            return Content.drain(content);
        }
    }
}
