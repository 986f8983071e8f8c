package io.sendfiled.system.faults;

import io.sendfiled.buffer.BufferAccess;
import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.jni.BufferNative;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.TestDestination;
import io.sendfiled.support.Way;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * One request of each kind, all at once, for a daemon whose system calls fail; and the judgement on each answer.
 *
 * <p>An answer is wrong if anything but a beginning of the file arrived, if all of it was not there and it was called
 * complete, if there was more than one last word, or none and no end. The rest is a matter of policy: see {@link Result}.
 *
 * <p>Owns its files, its clients and its threads. One load at a time.
 */
final class FaultLoad implements AutoCloseable {
    /** The operation that is none. */
    static final String NO_REQUEST = "be refused a request";

    private static final int SMALL = 4_000;
    private static final int MEDIUM = 100_000;
    private static final int BIG = 300_000;
    private static final int DATA = 50_000; // of the sparse file, before and after its hole
    private static final long RATE = 2_000_000;

    private final Path directory;
    private final byte[] small;
    private final byte[] medium;
    private final byte[] big;
    private final byte[] sparse;
    private final List<Operation> operations = new ArrayList<>();
    private final List<RawClient> clients = new ArrayList<>();
    private final ExecutorService threads = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task, "fault-load");
        thread.setDaemon(true);
        return thread;
    });

    /**
     * Makes the files.
     *
     * @param root of the daemon
     * @param slow a directory below it whose files no cache knows, or null if there is none
     */
    FaultLoad(Path directory, Path root, Path socket, @Nullable String slow) throws IOException {
        this.directory = directory;
        small = write(root.resolve("small"), SMALL);
        medium = write(root.resolve("medium"), MEDIUM);
        big = write(root.resolve("big"), BIG);
        sparse = writeSparse(root.resolve("sparse"));
        addOperations(root);
        if (slow != null) {
            add("read a cold file", c -> read(c, ExtendedRequest.read(slow + "/big"), big));
            add("send a cold file", c -> send(c, slow + "/medium", TestDestination.Type.UNIX, medium));
            add("copy a cold file", c -> send(c, slow + "/medium", TestDestination.Type.FILE, medium));
            add(
                    "drop a cold file",
                    c -> read(c, ExtendedRequest.read(slow + "/big").withFlags(ExtendedRequest.DROP_BEHIND), big));
        }
        for (int i = 0; i < operations.size(); i++) {
            clients.add(new RawClient(socket));
        }
    }

    private void addOperations(Path root) {
        add("read a small file", c -> read(c, "small", small));
        add("read a big file", c -> read(c, "big", big));
        add("read with a result", c -> read(c, ExtendedRequest.read("big"), big));
        add("send to TCP", c -> send(c, "medium", TestDestination.Type.TCP, medium));
        add("send to a blocking socket", c -> send(c, "medium", TestDestination.Type.UNIX_BLOCKING, medium));
        add("send to a pipe", c -> send(c, "big", TestDestination.Type.PIPE, big));
        add("copy to a file", c -> send(c, "big", TestDestination.Type.FILE, big));
        add("copy to memory and seal it", c -> fill(c, "big", big));
        add("copy holes", c -> send(c, "sparse", TestDestination.Type.FILE, sparse));
        add(
                "map",
                c -> send(
                        c,
                        ExtendedRequest.send("medium").by(Way.MMAP.number()),
                        TestDestination.Type.UNIX,
                        medium,
                        null));
        add(
                "send slowly",
                c -> send(c, ExtendedRequest.send("medium").withRate(RATE), TestDestination.Type.TCP, medium, null));
        add(
                "send a descriptor",
                c -> send(
                        c,
                        ExtendedRequest.sendDescriptor(),
                        TestDestination.Type.UNIX,
                        medium,
                        root.resolve("medium")));
        add("open and send", c -> openAndSend(c, TestDestination.Type.UNIX));
        add("open and cancel", this::openAndCancel);
        add("be refused a file", c -> judgeRefusal(read(c.request(Wire.READ_FILE, "missing"))));
        add(NO_REQUEST, this::malformed);
    }

    /** What one operation came to. */
    enum End {
        /** As it would have without any fault. */
        AS_EVER,
        /** An error message. */
        ERROR,
        /** The end of the status channel without a last word, which a client takes for failure. */
        SILENCE
    }

    /**
     * What came of one request.
     *
     * @param errno of an error message; else 0
     */
    record Result(String operation, End end, int errno) {
        @Override
        public String toString() {
            return operation + ": " + end + (end == End.ERROR ? " " + io.sendfiled.sys.Errno.name(errno) : "");
        }
    }

    @FunctionalInterface
    private interface Body {
        Answer run(RawClient client) throws Exception;
    }

    private record Operation(String name, Body body) {}

    private record Answer(End end, int errno) {
        static final Answer AS_EVER = new Answer(End.AS_EVER, 0);
        static final Answer SILENCE = new Answer(End.SILENCE, 0);

        static Answer error(int errno) {
            return new Answer(End.ERROR, errno & 0xff);
        }
    }

    private void add(String name, Body body) {
        operations.add(new Operation(name, body));
    }

    /** Asks for everything at once and waits for the end of all; an answer that is wrong, or none, is an AssertionError. */
    List<Result> run() throws InterruptedException {
        List<Future<Answer>> answers = new ArrayList<>();
        for (int i = 0; i < operations.size(); i++) {
            Operation operation = operations.get(i);
            RawClient client = clients.get(i);
            answers.add(threads.submit(() -> operation.body().run(client)));
        }
        List<Result> results = new ArrayList<>();
        List<String> faults = new ArrayList<>();
        long deadline = System.nanoTime() + Await.LONG.toNanos();
        for (int i = 0; i < operations.size(); i++) {
            String name = operations.get(i).name();
            try {
                Answer answer = answers.get(i).get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
                results.add(new Result(name, answer.end(), answer.errno()));
            } catch (ExecutionException e) {
                faults.add(name + ": " + e.getCause());
            } catch (TimeoutException e) {
                faults.add(name + ": has no end");
            }
        }
        if (!faults.isEmpty()) {
            throw new AssertionError(String.join("; ", faults));
        }
        return results;
    }

    @Override
    public void close() throws IOException {
        threads.shutdownNow();
        for (RawClient client : clients) {
            client.close();
        }
    }

    // ---- operations

    private Answer read(RawClient client, String path, byte[] content) throws IOException {
        byte[] all = read(client.request(Wire.READ_FILE, path));
        return judgeRead(all, content, false);
    }

    private Answer read(RawClient client, ExtendedRequest request, byte[] content) throws IOException {
        return judgeRead(read(client.request(request, -1, -1)), content, true);
    }

    private Answer send(RawClient client, String path, TestDestination.Type type, byte[] content) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory);
                Status status = client.request(Wire.SEND_FILE, path, 0, 0, destination.fd())) {
            return judgeSend(status, destination, type, content);
        }
    }

    private Answer send(
            RawClient client, ExtendedRequest request, TestDestination.Type type, byte[] content, @Nullable Path source)
            throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory);
                FileChannel file = source == null ? null : FileChannel.open(source);
                Status status =
                        client.request(request, destination.fd(), file == null ? -1 : Descriptors.numberOf(file))) {
            return judgeSend(status, destination, type, content);
        }
    }

    private Answer judgeSend(Status status, TestDestination destination, TestDestination.Type type, byte[] content)
            throws Exception {
        boolean file = type == TestDestination.Type.FILE;
        ReadableByteChannel in = destination.receivingEnd();
        Future<byte[]> received = file ? null : threads.submit(() -> drain(in));
        if (!file) {
            destination.finishSending(); // the daemon has the only one: its close is the end
        }
        byte[] told = drain(status.source());
        byte[] bytes = received == null ? drain(in) : received.get(20, TimeUnit.SECONDS);
        return judgeStatus(told, bytes, content);
    }

    /** Read File into a buffer. What is called complete is sealed. */
    private Answer fill(RawClient client, String path, byte[] content) throws IOException {
        ExtendedRequest request = ExtendedRequest.send(path).withFlags(ExtendedRequest.SEAL);
        try (OwnedFd memory = OwnedFd.take(BufferNative.openFile(new byte[] {'m', 0}));
                Status status = client.request(request, memory.fd(), -1)) {
            byte[] told = drain(status.source());
            byte[] bytes = Files.readAllBytes(Path.of("/proc/self/fd/" + memory.fd()));
            Answer answer = judgeStatus(told, bytes, content);
            if (answer.end() == End.AS_EVER) {
                try (OwnedFd filled = Descriptors.duplicate(memory)) {
                    SharedBuffer.of(filled, BufferAccess.SEALED).close();
                }
            }
            return answer;
        }
    }

    private Answer openAndSend(RawClient client, TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, directory);
                Status status = client.request(Wire.OPEN_FILE, "medium")) {
            byte[] head = status.read(Wire.FILE_INFO_SIZE);
            if (head.length == Wire.FILE_INFO_SIZE) {
                client.sendOpenFile(info(head, medium).id(), destination.fd());
            }
            ReadableByteChannel in = destination.receivingEnd();
            Future<byte[]> received = threads.submit(() -> drain(in));
            destination.finishSending();
            byte[] rest = drain(status.source());
            byte[] told = Arrays.copyOf(head, head.length + rest.length);
            System.arraycopy(rest, 0, told, head.length, rest.length);
            return judgeStatus(told, received.get(20, TimeUnit.SECONDS), medium);
        }
    }

    private Answer openAndCancel(RawClient client) throws IOException {
        try (Status status = client.request(Wire.OPEN_FILE, "medium")) {
            byte[] head = status.read(Wire.FILE_INFO_SIZE);
            if (head.length < Wire.FILE_INFO_SIZE) {
                return judgeStatus(head, new byte[0], medium);
            }
            client.cancel(info(head, medium).id());
            byte[] rest = drain(status.source());
            demand(
                    rest.length == 0 || isLast(rest, 0, Wire.TRANSFER_STATUS, Wire.ERROR_SIZE),
                    "after a cancel: " + Arrays.toString(rest));
            return rest.length == 0 ? Answer.AS_EVER : Answer.error(rest[1]);
        }
    }

    /** A Read File with a descriptor too many, which has to be closed. */
    private Answer malformed(RawClient client) throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory);
                Status status = client.request(Wire.READ_FILE, "small", 0, 0, destination.fd())) {
            destination.finishSending();
            demand(drain(destination.receivingEnd()).length == 0, "a refused request moves bytes");
            return judgeRefusal(drain(status.source()));
        }
    }

    // ---- judgement

    private static void demand(boolean condition, String otherwise) {
        if (!condition) {
            throw new AssertionError(otherwise);
        }
    }

    /** File Information that tells the truth. */
    private static RawClient.Info info(byte[] bytes, byte[] content) {
        RawClient.Info info = RawClient.info(ByteBuffer.wrap(bytes));
        demand(info.size() == content.length, "a file of " + content.length + " bytes has " + info.size());
        return info;
    }

    private static Answer judgeRefusal(byte[] told) {
        if (told.length == 0) {
            return Answer.SILENCE;
        }
        demand(told.length == Wire.ERROR_SIZE && told[0] == (byte) Wire.FILE_INFO, "told: " + Arrays.toString(told));
        int errno = told[1];
        return errno == io.sendfiled.sys.Errno.ENOENT || errno == io.sendfiled.sys.Errno.EBADMSG
                ? Answer.AS_EVER
                : Answer.error(errno);
    }

    /** A whole status channel of a Send, version 1 or extended. */
    private Answer judgeStatus(byte[] told, byte[] received, byte[] content) {
        demand(received.length <= content.length, "received " + received.length + " of " + content.length);
        int wrong = Arrays.mismatch(received, 0, received.length, content, 0, received.length);
        demand(wrong < 0, "received a wrong byte at " + wrong);
        if (told.length == 0) {
            return Answer.SILENCE; // the words of a small file follow its bytes, and the channel failed
        }
        if (isLast(told, 0, Wire.FILE_INFO, Wire.ERROR_SIZE) || isLast(told, 0, Wire.REFUSAL, Wire.REFUSAL_SIZE)) {
            demand(told[1] != 0, "refused with no error");
            demand(received.length == 0, "bytes of a refused transfer");
            return Answer.error(told[1]);
        }
        demand(told.length >= Wire.FILE_INFO_SIZE, "told: " + Arrays.toString(told));
        info(told, content);
        return judgeProgress(told, received, content);
    }

    private Answer judgeProgress(byte[] told, byte[] received, byte[] content) {
        ByteBuffer bytes = ByteBuffer.wrap(told).order(ByteOrder.nativeOrder());
        int at = Wire.FILE_INFO_SIZE;
        long moved = 0;
        while (at < told.length) {
            if (isLast(told, at, Wire.TRANSFER_STATUS, Wire.ERROR_SIZE) && told[at + 1] != 0) {
                return Answer.error(told[at + 1]);
            }
            if (isLast(told, at, Wire.RESULT, Wire.RESULT_SIZE)) {
                return judgeResult(bytes, at, received, content);
            }
            demand(
                    told.length - at >= Wire.TRANSFER_STATUS_SIZE
                            && told[at] == (byte) Wire.TRANSFER_STATUS
                            && told[at + 1] == 0,
                    "at " + at + " of " + Arrays.toString(told));
            long size = bytes.getLong(at + 8);
            at += Wire.TRANSFER_STATUS_SIZE;
            if (size == Wire.COMPLETE) {
                demand(at == told.length, "words after complete: " + Arrays.toString(told));
                demand(received.length == content.length, "complete with " + received.length + " bytes");
                return Answer.AS_EVER;
            }
            moved += size;
            demand(moved <= most(received, content), "progress tells " + moved + " bytes of " + received.length);
        }
        return Answer.SILENCE;
    }

    private Answer judgeResult(ByteBuffer bytes, int at, byte[] received, byte[] content) {
        int errno = bytes.get(at + 1);
        long moved = bytes.getLong(at + 8);
        demand(moved <= most(received, content), "a result tells " + moved + " bytes of " + received.length);
        if (errno != 0) {
            return Answer.error(errno);
        }
        demand(moved == content.length && received.length == content.length, "complete with " + received.length);
        return Answer.AS_EVER;
    }

    /** What may have been counted. A hole that is passed over counts, and the file is longer only when something follows. */
    private long most(byte[] received, byte[] content) {
        return content == sparse ? content.length : received.length;
    }

    private static boolean isLast(byte[] told, int at, int command, int size) {
        return told.length - at == size && told[at] == (byte) command;
    }

    /** All of a Read's channel. */
    private Answer judgeRead(byte[] all, byte[] content, boolean extended) {
        if (all.length == 0) {
            return Answer.SILENCE;
        }
        if (isLast(all, 0, Wire.FILE_INFO, Wire.ERROR_SIZE) || isLast(all, 0, Wire.REFUSAL, Wire.REFUSAL_SIZE)) {
            demand(all[1] != 0, "refused with no error");
            return Answer.error(all[1]);
        }
        if (all.length < Wire.FILE_INFO_SIZE) {
            throw new AssertionError("told: " + Arrays.toString(all));
        }
        info(all, content);
        int data = Math.min(all.length - Wire.FILE_INFO_SIZE, content.length);
        int wrong = Arrays.mismatch(all, Wire.FILE_INFO_SIZE, Wire.FILE_INFO_SIZE + data, content, 0, data);
        demand(wrong < 0, "read a wrong byte at " + wrong);
        int rest = all.length - Wire.FILE_INFO_SIZE - data;
        if (data < content.length) {
            return Answer.SILENCE;
        }
        if (!extended) {
            demand(rest == 0, rest + " bytes too many");
            return Answer.AS_EVER;
        }
        if (rest == 0) {
            return Answer.SILENCE;
        }
        int at = Wire.FILE_INFO_SIZE + data;
        demand(isLast(all, at, Wire.RESULT, Wire.RESULT_SIZE), rest + " bytes too many");
        return judgeResult(ByteBuffer.wrap(all).order(ByteOrder.nativeOrder()), at, content, content);
    }

    // ---- bytes

    private static byte[] read(Status status) throws IOException {
        try (status) {
            return drain(status.source());
        }
    }

    private static byte[] drain(ReadableByteChannel in) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteBuffer block = ByteBuffer.allocate(16 * 1024);
        while (in.read(block.clear()) >= 0) {
            out.write(block.array(), 0, block.position());
        }
        return out.toByteArray();
    }

    private static byte[] write(Path file, int size) throws IOException {
        byte[] bytes = new byte[size];
        new SplittableRandom(size).nextBytes(bytes);
        Files.write(file, bytes);
        return bytes;
    }

    /** Data, a hole, data, and a hole up to the end. */
    private static byte[] writeSparse(Path file) throws IOException {
        byte[] bytes = new byte[BIG];
        byte[] data = new byte[DATA];
        new SplittableRandom(BIG).nextBytes(data);
        System.arraycopy(data, 0, bytes, 0, DATA);
        System.arraycopy(data, 0, bytes, 2 * DATA, DATA);
        try (FileChannel out = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            if (out.write(ByteBuffer.wrap(data), 0) + out.write(ByteBuffer.wrap(data), 2 * DATA) != 2 * DATA) {
                throw new IOException("a short write");
            }
        }
        try (java.io.RandomAccessFile whole = new java.io.RandomAccessFile(file.toFile(), "rw")) {
            whole.setLength(BIG);
        }
        return bytes;
    }
}
