package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.Sendfiled;
import io.sendfiled.client.Destination;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransferOptions;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.counters.Counter;
import io.sendfiled.counters.Counters;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.JavaProgram;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What only a client with an engine of its own has: roots, owners, nothing between the two; and that it is gone when closed. */
@Timeout(120)
final class EmbeddedIT {
    private static final int SMALL = 4096;
    private static final int MANY = 10_000;
    private static final int AT_ONCE = 64;

    @TempDir
    private Path directory;

    private Path root;
    private Content small;
    private int descriptorsBefore;

    @BeforeEach
    void makeFiles() throws Exception {
        root = Files.createDirectory(directory.resolve("root"));
        small = Content.write(root.resolve("small"), SMALL);
        descriptorsBefore = OpenDescriptors.settledCount(ProcessHandle.current().pid());
    }

    @AfterEach
    void shouldLeakNoDescriptor() {
        OpenDescriptors.awaitCount(descriptorsBefore);
    }

    private SendfiledConfig config() {
        return SendfiledConfig.builder().root(root).loops(2).build();
    }

    @Test
    void shouldSendManyFilesAtOnce() throws Exception {
        CountingExecutor executor = new CountingExecutor();
        try (SendfiledClient client = Sendfiled.embedded()
                        .config(config())
                        .completionExecutor(executor)
                        .start();
                FileChannel target = FileChannel.open(Path.of("/dev/null"), StandardOpenOption.WRITE)) {
            Semaphore free = new Semaphore(AT_ONCE);
            AtomicInteger whole = new AtomicInteger();
            for (int i = 0; i < MANY; i++) {
                free.acquire();
                var unused = client.send(FileRequest.of("small").withOwner(i % 7), Destination.of(target))
                        .result()
                        .whenComplete((result, failure) -> {
                            if (failure == null && result.bytesMoved() == SMALL) {
                                whole.incrementAndGet();
                            }
                            free.release();
                        });
            }
            assertTrue(free.tryAcquire(AT_ONCE, Await.LONG.toSeconds(), TimeUnit.SECONDS));
            assertEquals(MANY, whole.get());
            assertTrue(executor.tasks() < MANY, executor.tasks() + " tasks");
            assertEquals(Set.of(), threads("sendfiled-client-"), "it needs no thread beside the engine's");
        } finally {
            executor.close();
        }
    }

    @Test
    void shouldAskTheEngineOnlyForWhatIsNotInMemory() throws Exception {
        Content big = Content.write(root.resolve("big"), 3_000_000);
        CountingExecutor executor = new CountingExecutor();
        try (SendfiledClient client = Sendfiled.embedded(config());
                SendfiledClient without =
                        Sendfiled.embedded().config(config()).hot(false).start()) {
            FileRequest request = FileRequest.of("small").completingOn(executor);
            assertEquals(small, sent(client, request));
            assertEquals(small, sent(without, request));
            assertEquals(0, requests(client), "it was written just now, and is in memory");
            assertEquals(1, requests(without));
            assertEquals(2, executor.tasks(), "both are completed in the same way");

            assertEquals(big, sent(client, FileRequest.of("big"))); // more than one call may send
            assertEquals(1, requests(client));
            assertEquals(
                    Content.of(root.resolve("big"), 7, 4_000),
                    sent(client, FileRequest.of("big").range(7, 4_000)));
            assertEquals(1, requests(client));

            FileRequest limited = FileRequest.of("small").with(TransferOptions.DEFAULT.withRate(1 << 20));
            assertEquals(small, sent(client, limited));
            assertEquals(2, requests(client), "only the engine limits rates");
        } finally {
            executor.close();
        }
    }

    @Test
    void shouldOpenAndSendWhatIsInMemoryWithoutTheEngine() throws Exception {
        Content big = Content.write(root.resolve("big"), 3_000_000);
        CountingExecutor executor = new CountingExecutor();
        try (SendfiledClient client = Sendfiled.embedded(config())) {
            FileRequest request = FileRequest.of("small").completingOn(executor);
            try (OpenFile file = client.open(request).get()) {
                Files.delete(root.resolve("small")); // the open one is sent
                Content.write(root.resolve("small"), 1);
                assertEquals(small, sent(file));
                assertThrows(IllegalStateException.class, () -> sent(file));
            }
            assertEquals(0, requests(client));
            assertEquals(2, executor.tasks(), "both are completed there");

            try (OpenFile file = client.open("big").get()) {
                Files.delete(root.resolve("big"));
                assertEquals(big, sent(file), "the engine goes on in the same file");
            }
            assertEquals(1, requests(client));

            try (OpenFile file = client.open("small").get()) {
                Path absent = directory.resolve("absent");
                TransferException e = assertThrows(
                        TransferException.class, () -> file.send(() -> Descriptors.duplicate(FileChannel.open(absent)))
                                .await(Await.LONG));
                assertEquals(Errno.ENOENT, e.errno());
            }
            var unused = client.open("small").get(); // closed with the client
        } finally {
            executor.close();
        }
    }

    private Content sent(OpenFile file) throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            CompletableFuture<Content> received = destination.receive();
            file.send(destination.destination()).await(Await.LONG);
            destination.finishSending();
            return received.get();
        }
    }

    private static long requests(SendfiledClient client) {
        Counters counters = client.counters();
        return counters == null ? -1 : counters.get(Counter.REQUESTS);
    }

    private static Set<String> threads(String prefix) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.isAlive() && thread.getName().startsWith(prefix))
                .map(Thread::getName)
                .collect(Collectors.toSet());
    }

    @Test
    void shouldGiveTheContentOfASmallFileInPlaceOfAnOpenOne() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectory(directory.resolve("behind"));
        Content content = Content.write(behind.resolve("cold"), SMALL);
        Content.write(behind.resolve("held"), SMALL);
        Content.write(behind.resolve("empty"), 0);
        CompletableFuture<OpenFile> pending;
        try (HeldDisk disk = HeldDisk.mount(root.resolve("disk"), behind, "held");
                SendfiledClient client = Sendfiled.embedded().config(config()).start();
                TestDestination destination = TestDestination.open(TestDestination.Type.PIPE, directory)) {
            FileRequest cold = FileRequest.of("disk/cold").withContent(SMALL);
            int before = OpenDescriptors.count();
            OpenFile whole = client.open(cold).get();
            ByteBuffer bytes = Objects.requireNonNull(whole.content());
            assertEquals(content, contentOf(bytes));
            assertTrue(bytes.isReadOnly());
            assertEquals(SMALL, Objects.requireNonNull(whole.content()).remaining(), "a position of its own");
            assertEquals(
                    Content.of(behind.resolve("cold"), 96, 4_000),
                    contentOf(client.open(cold.range(96, 4_000)).get().content()));
            assertEquals(
                    0,
                    Objects.requireNonNull(
                                    client.open(FileRequest.of("disk/empty").withContent(1))
                                            .get()
                                            .content())
                            .remaining());
            OpenDescriptors.awaitCount(before);
            assertThrows(IllegalStateException.class, () -> whole.send(destination.destination()));
            whole.close();

            try (OpenFile longer = client.open(cold.withContent(SMALL - 1)).get()) {
                assertNull(longer.content());
            }
            try (OpenFile hot =
                    client.open(FileRequest.of("small").withContent(SMALL)).get()) {
                assertNull(hot.content(), "this process has it open");
            }
            Transfer sent = client.send(cold, destination.destination()); // asks for nothing but that
            assertEquals(SMALL, sent.await().bytesMoved());

            CompletableFuture<OpenFile> cancelled =
                    client.open(FileRequest.of("disk/held").withContent(SMALL));
            disk.awaitHeld();
            cancelled.cancel(false);
            pending = client.open(FileRequest.of("disk/held").withContent(SMALL));
        } // the client before the disk, which still holds the file
        assertInstanceOf(
                TransferException.class,
                assertThrows(ExecutionException.class, pending::get).getCause());
        assertThrows(IllegalArgumentException.class, () -> FileRequest.of("small")
                .withContent(FileRequest.MOST_CONTENT + 1));
    }

    private static Content contentOf(@Nullable ByteBuffer buffer) throws Exception {
        byte[] bytes = new byte[Objects.requireNonNull(buffer).remaining()];
        buffer.get(bytes);
        return Content.of(bytes);
    }

    @Test
    void shouldServeSeveralRoots() throws Exception {
        Path other = Files.createDirectory(directory.resolve("other"));
        Content otherSmall = Content.write(other.resolve("small"), 2 * SMALL);
        try (SendfiledClient client = Sendfiled.embedded()
                .config(config())
                .root(root)
                .root("other", other)
                .start()) {
            assertEquals(small, sent(client, FileRequest.of("small")));
            assertEquals(otherSmall, sent(client, FileRequest.of("small").withRoot("other")));
        }
        NativeIoException e = assertThrows(NativeIoException.class, () -> Sendfiled.embedded()
                .root("absent", directory.resolve("absent"))
                .start());
        assertEquals(Errno.ENOENT, e.errno());
        assertTrue(e.toString().contains("absent"), e.toString());
    }

    private Content sent(SendfiledClient client, FileRequest request) throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory)) {
            CompletableFuture<Content> received = destination.receive();
            client.send(request, destination.destination()).await(Await.LONG);
            destination.finishSending();
            return received.get();
        }
    }

    @Test
    void shouldLimitEachOwnerAndNobodyElse() throws Exception {
        SendfiledConfig config = SendfiledConfig.builder()
                .root(root)
                .set(Setting.CLIENT_TRANSFERS, "2")
                .build();
        try (SendfiledClient client =
                Sendfiled.embedded().config(config).hot(false).start()) { // what this process opens is nobody's
            FileRequest first = FileRequest.of("small").withOwner(1);
            List<OpenFile> files = new ArrayList<>();
            files.add(client.open(first).get());
            files.add(client.open(first).get());

            CompletableFuture<OpenFile> third = client.open(first);
            ExecutionException e = assertThrows(ExecutionException.class, third::get);
            assertEquals(
                    Errno.EDQUOT,
                    assertInstanceOf(TransferException.class, e.getCause()).errno());
            files.add(client.open(first.withOwner(2)).get());

            for (OpenFile file : files) {
                file.close();
            }
        }
    }

    @Test
    void shouldLeaveNoThreadBehind() throws Exception {
        try (SendfiledClient client = Sendfiled.embedded(config())) {
            client.warm("small").await(Await.LONG);
        }
        Await.until("all threads to end", () -> threads("sendfiled-").isEmpty());
    }

    @Test
    void shouldNotKeepAProcessThatForgetsToCloseIt() throws Exception {
        List<String> command = new ArrayList<>(JavaProgram.command(Forgetful.class));
        command.add(root.toString());
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        process.getOutputStream().close();
        assertTrue(process.waitFor(Await.LONG.toSeconds(), TimeUnit.SECONDS));
        assertEquals(0, process.exitValue());
    }

    /** Ends while its client is open, and a transfer is under way that nobody will ever read. */
    static final class Forgetful {
        private Forgetful() {}

        public static void main(String[] arguments) throws Exception {
            Path root = Path.of(arguments[0]);
            SendfiledClient client =
                    Sendfiled.embedded(SendfiledConfig.builder().root(root).build());
            client.warm("small").await();
            Transfer open = client.read("small");
            open.info().get();
        }
    }
}
