package io.sendfiled.system.faults;

import static io.sendfiled.support.ScriptedDaemon.complete;
import static io.sendfiled.support.ScriptedDaemon.fileInfo;
import static io.sendfiled.support.ScriptedDaemon.join;
import static io.sendfiled.support.ScriptedDaemon.progress;
import static io.sendfiled.support.ScriptedDaemon.refusal;
import static io.sendfiled.support.ScriptedDaemon.result;

import io.sendfiled.Sendfiled;
import io.sendfiled.client.Destination;
import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.ReadTransfer;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransferOptions;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.Faults;
import io.sendfiled.support.Faults.Pattern;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.ScriptedDaemon;
import io.sendfiled.support.ScriptedDaemon.Request;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.technique.TechniqueSelector;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A JVM that has too little of everything, with the Java client and an engine in it: no thread can be started, there is neither
 * heap nor direct memory, and the logger throws. Every future ends all the same, and all works again afterwards. A program of
 * its own, for {@link ShortageIT}, because the fault shim has to be there from its beginning.
 *
 * <p>Arguments: a directory, and by how many bytes of heap the cases differ. Says on standard output what was wrong, a line each.
 */
final class Shortage {
    private static final String NAME = "short";
    private static final String THREADS = "pthread_create";
    private static final long ID = 77;

    /** More than the kernel queues for one daemon. */
    private static final int MANY = 40;

    /** More than direct memory has buffers for. */
    private static final int COPIES = 40;

    /** Of heap, in bytes: more than a client needs for the requests below. */
    private static final int MOST_LEFT = 24 << 10;

    private static final int CHUNK = 256;

    /** Of this process, from the first case on that needs it. */
    private static final int DESCRIPTORS = 400;

    /** By a read with options at most: two pipes. */
    private static final int NEEDED = 4;

    private static final FileRequest WITH_OPTIONS = FileRequest.of("a").with(TransferOptions.DEFAULT.withDetails(true));

    private final Path directory;
    private final Faults faults;
    private final Pipe pipe = Pipe.open();
    private final byte[][] chunks = new byte[MOST_LEFT / CHUNK][];
    private final List<Object> hoard = new ArrayList<>(1 << 20);

    private Shortage(Path directory) throws IOException {
        this.directory = directory;
        faults = Faults.ofThisProcess();
    }

    /** The program. */
    public static void main(String[] arguments) throws Exception {
        Shortage program = new Shortage(Path.of(arguments[0]));
        program.attempt("an engine without threads", program::launchWithoutThreads);
        program.attempt("an engine that an interrupted thread closes", program::closeInterrupted);
        program.attempt("an engine whose logger throws", program::launchWithBadLogger);
        program.attempt("a client without threads", program::connectWithoutThreads);
        program.attempt("requests that wait without a thread", program::queueWithoutThreads);
        program.attempt("a copy without a thread", program::copyWithoutThreads);
        program.attempt("an action that waits without a spare thread", program::waitWithoutThreads);
        program.attempt("an action that reads without a spare thread", program::readWithoutThreads);
        program.attempt("reads without descriptors", program::readWithoutDescriptors);
        program.attempt("copies without direct memory", program::copyWithoutMemory);
        program.attempt("ends without heap", program::endWithoutHeap);
        for (int left = 0; left < MOST_LEFT; left += Integer.parseInt(arguments[1])) {
            int bytes = left;
            program.attempt("a client with a heap of " + left, () -> program.serveWithLittleHeap(bytes));
            program.attempt("an embedded client with a heap of " + left, () -> program.embedWithLittleHeap(bytes));
            program.attempt("an engine with a heap of " + left, () -> program.launchWithLittleHeap(bytes));
        }
        System.out.println("done");
        System.exit(0);
    }

    private interface Case {
        void run() throws Exception;
    }

    private void attempt(String what, Case body) {
        try {
            body.run();
        } catch (Throwable t) {
            faults.clear();
            System.out.println(what + ": " + t);
        }
    }

    // ---- threads ----

    /** At each of an engine's threads: it says so, has left nothing, and the name is free. */
    private void launchWithoutThreads() throws Exception {
        SendfiledConfig config = config();
        Sendfiled.launch(config).close();
        int before = OpenDescriptors.settledCount(ProcessHandle.current().pid());
        int failures = 0;
        boolean failed = true;
        for (int n = 1; failed; n++) {
            faults.give(THREADS, Errno.EAGAIN, Pattern.from(n));
            try {
                Sendfiled.launch(config).close();
                failed = false;
            } catch (NativeIoException e) {
                failures++;
                demand(e.errno() == Errno.EAGAIN, e.toString());
            } finally {
                faults.clear();
            }
            Sendfiled.launch(config).close();
            OpenDescriptors.awaitCount(before);
        }
        demand(failures >= 4, "two loops, housekeeping and service failed " + failures + " times");
    }

    private void closeInterrupted() throws Exception {
        int before = OpenDescriptors.settledCount(ProcessHandle.current().pid());
        Sendfiled server = Sendfiled.launch(config());
        Thread.currentThread().interrupt();
        server.close();
        demand(Thread.interrupted(), "the interrupt is remembered");
        demand(OpenDescriptors.count() <= before, "the engine is left");
    }

    /** Neither the housekeeping nor a loop ends with what it logs. */
    private void launchWithBadLogger() throws Exception {
        Path socket = config().socketPath();
        Files.writeString(config().root().resolve("file"), "hello");
        TechniqueSelector selector = (size, type, blocking) -> {
            throw new AssertionError("the selector's fault");
        };
        try (Sendfiled server = Sendfiled.launch(config(), selector);
                SendfiledClient client = SendfiledClient.connect(directory, "engine")) {
            for (int i = 0; i < 2; i++) {
                Files.delete(socket);
                Await.until("the socket to come back", () -> Files.exists(socket));
            }
            demand(
                    client.send("file", Destination.of(pipe.sink()))
                                    .await(Await.LONG)
                                    .bytesMoved()
                            == 5,
                    "a transfer whose selector fails");
            demand(server.failure() == null, "a loop has ended");
        }
    }

    private void connectWithoutThreads() throws Exception {
        try (ScriptedDaemon daemon = new ScriptedDaemon(directory, NAME)) {
            SendfiledClient.connect(directory, NAME).close();
            int before = OpenDescriptors.settledCount(ProcessHandle.current().pid());
            faults.give(THREADS, Errno.EAGAIN, Pattern.ALWAYS);
            try {
                SendfiledClient.connect(directory, NAME).close();
                throw new AssertionError("connected without a thread");
            } catch (NativeIoException e) {
                demand(e.errno() == Errno.EAGAIN, e.toString());
            } finally {
                faults.clear();
            }
            OpenDescriptors.awaitCount(before);
            try (SendfiledClient client = SendfiledClient.connect(directory, NAME)) {
                serve(daemon, send(client));
            }
        }
    }

    private void queueWithoutThreads() throws Exception {
        try (ScriptedDaemon daemon = new ScriptedDaemon(directory, NAME);
                SendfiledClient client = SendfiledClient.connect(directory, NAME)) {
            for (boolean threads : new boolean[] {false, true, false}) {
                Transfer running = send(client);
                Request request = daemon.receive();
                daemon.status(request, fileInfo(100, ID));
                running.info().get(20, TimeUnit.SECONDS);
                if (!threads) {
                    faults.give(THREADS, Errno.EAGAIN, Pattern.ALWAYS);
                }
                List<Transfer> waiting = new ArrayList<>();
                for (int i = 0; i < MANY; i++) {
                    waiting.add(send(client));
                }
                running.cancel(); // waits like the requests
                for (Transfer transfer : waiting) {
                    serve(daemon, transfer);
                }
                demand(daemon.receive().command() == Wire.CANCEL, "the cancel came last");
                daemon.end(request);
                demand(failure(running).errno() == Errno.ECANCELED, "the cancel");
                faults.clear();
            }
        }
    }

    private void copyWithoutThreads() throws Exception {
        try (ScriptedDaemon daemon = new ScriptedDaemon(directory, NAME);
                SendfiledClient client = SendfiledClient.connect(directory, NAME)) {
            serve(daemon, send(client)); // there is a spare thread
            faults.give(THREADS, Errno.EAGAIN, Pattern.ALWAYS);
            Transfer copy = client.readTo("a", target(() -> {}));
            daemon.status(daemon.receive(), join(fileInfo(5, ID), new byte[5]));
            TransferException e = failure(copy);
            faults.clear();
            demand(e.errno() == Errno.EAGAIN, e.toString());
            demand(daemon.receive().command() == Wire.CANCEL, "the daemon is told");
            copy = client.readTo("a", target(() -> {}));
            daemon.status(daemon.receive(), join(fileInfo(5, ID), new byte[5]));
            demand(copy.await(Await.LONG).bytesMoved() == 5, "the next copy");
        }
    }

    /** Others wait then, too; nothing is lost, and a spare thread comes when it can. */
    private void waitWithoutThreads() throws Exception {
        try (ScriptedDaemon daemon = new ScriptedDaemon(directory, NAME);
                SendfiledClient client = SendfiledClient.connect(directory, NAME)) {
            faults.give(THREADS, Errno.EAGAIN, Pattern.ALWAYS);
            CountDownLatch goOn = new CountDownLatch(1);
            CountDownLatch waits = new CountDownLatch(1);
            Transfer first = send(client);
            var unused = first.info().thenRun(() -> {
                waits.countDown();
                await(goOn);
            });
            Request request = daemon.receive();
            daemon.status(request, fileInfo(9, ID));
            await(waits);
            Transfer second = send(client);
            daemon.status(daemon.receive(), join(fileInfo(5, ID), complete()));
            goOn.countDown();
            demand(second.await(Await.LONG).bytesMoved() == 5, "the second transfer");
            daemon.status(request, complete());
            demand(first.await(Await.LONG).bytesMoved() == 9, "the first transfer");
            faults.clear();
        }
    }

    /** Nobody else can receive the reason of the failure: it is not waited for. */
    private void readWithoutThreads() throws Exception {
        try (ScriptedDaemon daemon = new ScriptedDaemon(directory, NAME);
                SendfiledClient client = SendfiledClient.connect(directory, NAME)) {
            faults.give(THREADS, Errno.EAGAIN, Pattern.ALWAYS);
            ReadTransfer read = client.read(WITH_OPTIONS);
            CompletableFuture<Void> ended = read.content().thenAccept(Shortage::readInVain);
            Request request = daemon.receive();
            daemon.close(request, 1);
            daemon.status(request, fileInfo(9, ID));
            int errno = failure(read).errno();
            faults.clear();
            demand(errno == Errno.ECONNABORTED, Errno.name(errno));
            Await.until("the action to end", ended::isDone);
        }
    }

    /** Reads a content that has no bytes, although it should. */
    private static void readInVain(FileContent content) {
        try (content) {
            throw new AssertionError("there was no failure, but " + content.read(ByteBuffer.allocate(1)));
        } catch (IOException e) {
            demand(e instanceof TransferException, e);
        }
    }

    // ---- descriptors ----

    /** At each of a request's descriptors, the data channel's, too: it says so, and has left none. */
    private void readWithoutDescriptors() throws Exception {
        HelperProgram.output("prlimit", "--pid=" + ProcessHandle.current().pid(), "--nofile=" + DESCRIPTORS + ":");
        try (ScriptedDaemon daemon = new ScriptedDaemon(directory, NAME);
                SendfiledClient client = SendfiledClient.connect(directory, NAME)) {
            serve(daemon, send(client));
            WritableByteChannel target = target(() -> {}); // its class is loaded from a file
            int before = OpenDescriptors.settledCount(ProcessHandle.current().pid());
            int again = 3;
            for (int i = 0; i < 2; i++) {
                for (int free = 0; free < NEEDED; free++) {
                    List<OwnedFd> all = takeDescriptors();
                    for (int j = 0; j < free; j++) {
                        all.remove(0).close();
                    }
                    Transfer read = i == 0 ? client.read(WITH_OPTIONS) : client.readTo(WITH_OPTIONS, target);
                    boolean refused = read.result().isDone(); // at once
                    for (OwnedFd one : all) {
                        one.close();
                    }
                    if (!refused && again-- > 0) { // somebody has closed a descriptor of an earlier case just then
                        read.cancel();
                        free--;
                        continue;
                    }
                    TransferException e = failure(read);
                    demand(e.errno() == Errno.EMFILE && e.isRefusal(), free + " free: " + e);
                    OpenDescriptors.awaitCount(before);
                }
            }
            serve(daemon, send(client));
        }
    }

    private List<OwnedFd> takeDescriptors() throws IOException {
        List<OwnedFd> all = new ArrayList<>();
        try {
            while (all.size() < DESCRIPTORS) {
                all.add(Descriptors.duplicate(pipe.sink()));
            }
            throw new AssertionError("there is no limit");
        } catch (NativeIoException e) {
            demand(e.errno() == Errno.EMFILE, e);
        }
        return all;
    }

    // ---- memory ----

    private void copyWithoutMemory() throws Exception {
        try (ScriptedDaemon daemon = new ScriptedDaemon(directory, NAME);
                SendfiledClient client = SendfiledClient.connect(directory, NAME)) {
            CountDownLatch goOn = new CountDownLatch(1);
            AtomicInteger begun = new AtomicInteger();
            List<Transfer> copies = new ArrayList<>();
            for (int i = 0; i < COPIES; i++) {
                copies.add(client.readTo("a", target(() -> {
                    begun.incrementAndGet();
                    await(goOn);
                })));
                daemon.status(nextRequest(daemon), join(fileInfo(5, ID), new byte[5]));
            }
            Await.until(
                    "every copy to begin or to fail",
                    () -> begun.get()
                                    + copies.stream()
                                            .filter(copy -> copy.result().isDone())
                                            .count()
                            == COPIES);
            goOn.countDown();
            int failures = 0;
            for (Transfer copy : copies) {
                try {
                    demand(copy.await(Await.LONG).bytesMoved() == 5, "a copy");
                } catch (TransferException e) {
                    failures++;
                    demand(e.errno() == Errno.ENOMEM, e.toString());
                }
            }
            demand(failures > 0, "there was memory for all");
        }
    }

    /** Transfers end while not one object can be allocated: some with a result, others with a failure. */
    private void endWithoutHeap() throws Exception {
        try (ScriptedDaemon daemon = new ScriptedDaemon(directory, NAME);
                SendfiledClient client = SendfiledClient.connect(directory, NAME)) {
            CountDownLatch goOn = new CountDownLatch(1);
            AtomicInteger waiting = new AtomicInteger();
            List<Transfer> transfers = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                Transfer transfer = send(client);
                transfer.onProgress((moved, total) -> {
                    if (moved == 1) {
                        waiting.incrementAndGet();
                        await(goOn);
                    }
                });
                Request request = daemon.receive();
                daemon.status(
                        request, join(fileInfo(9, ID), progress(1), i % 2 == 0 ? complete() : refusal(Errno.EIO)));
                transfers.add(transfer);
                int expected = i + 1;
                Await.until("the listener to wait", () -> waiting.get() == expected);
            }
            List<ReadTransfer> reads = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                ReadTransfer read = client.read(WITH_OPTIONS);
                var unused = read.info().thenRun(() -> {
                    waiting.incrementAndGet();
                    await(goOn);
                });
                Request request = daemon.receive();
                daemon.close(request, 1);
                daemon.status(request, join(fileInfo(9, ID), result(Errno.ENODATA, 0, 1, 0, 1)));
                reads.add(read);
                int expected = transfers.size() + i + 1;
                Await.until("the action to wait", () -> waiting.get() == expected);
            }
            fillHeap();
            goOn.countDown();
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(200)); // the time in which there is no heap
            hoard.clear();
            for (int i = 0; i < transfers.size(); i++) {
                Transfer transfer = transfers.get(i);
                Await.until("the result", () -> transfer.result().isDone());
            }
            for (ReadTransfer read : reads) {
                Await.until("the content", () -> read.content().isDone());
                if (!read.content().isCompletedExceptionally()) {
                    readInVain(read.content().join());
                }
                Await.until("the result of a read", () -> read.result().isDone());
            }
            serve(daemon, send(client));
        }
    }

    /** At each allocation of the client's: what has a future ends. A pipe that the JDK had no memory for may be left. */
    private void serveWithLittleHeap(int left) throws Exception {
        CompletableFuture<?>[] futures = new CompletableFuture<?>[7];
        ScriptedDaemon daemon = new ScriptedDaemon(directory, NAME);
        try (SendfiledClient client = SendfiledClient.connect(directory, NAME)) {
            WritableByteChannel target = target(() -> {});
            fillHeap(left);
            for (int i = 0; i < futures.length; i++) {
                try {
                    futures[i] = submit(client, i, target);
                } catch (VirtualMachineError e) { // then there is no transfer
                    futures[i] = null;
                }
            }
            emptyHeap();
            Transfer last = client.send("last", Destination.of(pipe.sink()));
            Request request = nextRequest(daemon);
            while (!new String(request.bytes().array(), StandardCharsets.US_ASCII).contains("last")) {
                request = nextRequest(daemon); // of those before, as many as could be sent
            }
            daemon.status(request, join(fileInfo(5, ID), complete()));
            demand(last.await(Await.LONG).bytesMoved() == 5, "the client works again");
            daemon.close();
            for (int i = 0; i < futures.length; i++) {
                CompletableFuture<?> future = futures[i];
                Await.until("the future of request " + i, () -> future == null || future.isDone());
            }
        } finally {
            daemon.close();
        }
    }

    private void embedWithLittleHeap(int left) throws Exception {
        int[] requests = {0, 2, 3, 5, 6}; // without those whose content somebody would have to read
        CompletableFuture<?>[] futures = new CompletableFuture<?>[requests.length];
        SendfiledConfig config = config();
        Files.write(config.root().resolve("a"), new byte[5]);
        try (SendfiledClient client = Sendfiled.embedded(config)) {
            WritableByteChannel target = target(() -> {});
            demand(client.warm("a").await(Await.LONG).bytesMoved() == 5, "the client works");
            fillHeap(left);
            for (int i = 0; i < futures.length; i++) {
                try {
                    futures[i] = submit(client, requests[i], target);
                } catch (VirtualMachineError e) { // then there is no transfer
                    futures[i] = null;
                }
            }
            emptyHeap();
            demand(client.warm("a").await(Await.LONG).bytesMoved() == 5, "the client works again");
        }
        for (int i = 0; i < futures.length; i++) {
            CompletableFuture<?> future = futures[i];
            Await.until("the future of request " + requests[i], () -> future == null || future.isDone());
        }
    }

    private CompletableFuture<?> submit(SendfiledClient client, int which, WritableByteChannel target) {
        return switch (which) {
            case 0 -> client.send("a", Destination.of(pipe.sink())).result();
            case 1 -> client.read("a").result();
            case 2 -> client.readTo("a", target).result();
            case 3 -> client.readBuffer("a").result();
            case 4 -> client.read(WITH_OPTIONS).result();
            case 5 -> client.readTo(WITH_OPTIONS, target).result();
            default -> client.open("a");
        };
    }

    private void launchWithLittleHeap(int left) throws Exception {
        int before = OpenDescriptors.settledCount(ProcessHandle.current().pid());
        SendfiledConfig config = config();
        fillHeap(left);
        try {
            Sendfiled.launch(config).close();
        } catch (OutOfMemoryError | NativeIoException e) {
            demand(!(e instanceof NativeIoException n) || n.errno() == Errno.EAGAIN, e);
        } finally {
            emptyHeap();
        }
        Sendfiled.launch(config).close();
        OpenDescriptors.awaitCount(before);
    }

    private SendfiledConfig config() throws IOException {
        return SendfiledConfig.builder()
                .name("engine")
                .root(Files.createDirectories(directory.resolve("root")))
                .socketDirectory(directory)
                .loops(2)
                .build();
    }

    private void fillHeap(int left) {
        for (int i = 0; i < left / CHUNK; i++) {
            chunks[i] = new byte[CHUNK];
        }
        fillHeap();
        emptyChunks();
    }

    private void emptyChunks() {
        java.util.Arrays.fill(chunks, null);
    }

    private void emptyHeap() {
        hoard.clear();
    }

    private void fillHeap() {
        for (int size = 1 << 16; size >= 16; size /= 4) {
            boolean room = true;
            while (room) {
                room = hoard(size);
            }
        }
    }

    private boolean hoard(int size) {
        try {
            hoard.add(new byte[size]);
            return true;
        } catch (OutOfMemoryError e) {
            return false;
        }
    }

    // ---- helpers ----

    private Transfer send(SendfiledClient client) {
        Transfer transfer = client.send("a", Destination.of(pipe.sink()));
        transfer.onProgress((moved, total) -> {
            throw new AssertionError("a listener's fault, which the logger does not take");
        });
        return transfer;
    }

    private static void serve(ScriptedDaemon daemon, Transfer transfer) throws Exception {
        daemon.status(nextRequest(daemon), join(fileInfo(5, ID), complete()));
        demand(transfer.await(Await.LONG).bytesMoved() == 5, "a transfer");
    }

    private static Request nextRequest(ScriptedDaemon daemon) throws IOException {
        Request request = daemon.receive();
        while (request.command() == Wire.CANCEL) {
            request = daemon.receive();
        }
        return request;
    }

    private static TransferException failure(Transfer transfer) throws Exception {
        try {
            transfer.await(Await.LONG);
        } catch (TransferException e) {
            return e;
        }
        throw new AssertionError("the transfer has succeeded");
    }

    private static WritableByteChannel target(Runnable before) {
        return new WritableByteChannel() {
            @Override
            public int write(ByteBuffer bytes) {
                before.run();
                int count = bytes.remaining();
                bytes.position(bytes.limit());
                return count;
            }

            @Override
            public boolean isOpen() {
                return true;
            }

            @Override
            public void close() {}
        };
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static void demand(boolean condition, Object what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    /** A logger that throws, and cannot even be found at times. */
    public static final class Loggers extends System.LoggerFinder {
        private final AtomicInteger calls = new AtomicInteger();

        @Override
        public System.Logger getLogger(String name, Module module) {
            if (name.startsWith("io.sendfiled") && calls.incrementAndGet() % 2 == 0) {
                throw new AssertionError("no logger");
            }
            return new Thrower(name);
        }
    }

    private record Thrower(String name) implements System.Logger {
        @Override
        public String getName() {
            return name;
        }

        @Override
        public boolean isLoggable(Level level) {
            return name.startsWith("io.sendfiled");
        }

        @Override
        public void log(
                Level level,
                java.util.@Nullable ResourceBundle bundle,
                @Nullable String message,
                @Nullable Throwable t) {
            throw new AssertionError("the logger's fault");
        }

        @Override
        public void log(
                Level level,
                java.util.@Nullable ResourceBundle bundle,
                @Nullable String format,
                Object @Nullable ... all) {
            throw new AssertionError("the logger's fault");
        }
    }
}
