package io.sendfiled.bench;

import com.google.gson.Gson;
import io.sendfiled.buffer.BufferOptions;
import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.RegisteredBuffer;
import io.sendfiled.client.RegisteredFile;
import io.sendfiled.client.RegisteredRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransportKind;
import io.sendfiled.support.TestDestination;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A program: what {@code session_load} is, through the Java client. So many requests are under way at a time, each with a
 * destination of its own, or a place in one buffer; when one is complete, what came is read and compared, and it is submitted
 * again, all by the client's own thread.
 *
 * <p>Answers each line of its standard input, how many requests first and for how many seconds then, by the {@link
 * LoadClient.Result} of the latter, as one line of JSON: it lasts, so that what is measured is compiled. Ends with its standard
 * input, or at the first failure.
 */
final class SessionLoad {
    /** Latencies that are kept of one measurement. */
    private static final int SAMPLES = 4_000_000;

    private static final double US = 1e3;

    private final SendfiledClient client;
    private final ByteBuffer reference;
    private final Slot[] slots;
    private volatile @Nullable Throwable failure;

    private SessionLoad(SendfiledClient client, ByteBuffer reference, int depth) {
        this.client = client;
        this.reference = reference;
        slots = new Slot[depth];
    }

    /** Arguments: the sockets' directory, the daemon's name and pid, what is asked for, the file, a copy of it, the depth. */
    public static void main(String[] args) throws IOException, InterruptedException, ExecutionException {
        SendfiledClient client = SendfiledClient.builder()
                .socketDirectory(Path.of(args[0]))
                .name(args[1])
                .connect();
        long server = Long.parseLong(args[2]);
        byte[] content = Files.readAllBytes(Path.of(args[5]));
        ByteBuffer reference =
                ByteBuffer.allocateDirect(content.length).put(content).flip();
        SessionLoad load = new SessionLoad(client, reference, Integer.parseInt(args[6]));
        load.open(args[3], args[4]);
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Gson gson = new Gson();
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            String[] words = line.split(" ", -1);
            load.run(Long.parseLong(words[0]), Long.MAX_VALUE);
            System.out.println(gson.toJson(load.measure(server, Double.parseDouble(words[1]))));
        }
        System.exit(0);
    }

    /** Registers what is asked for and where it goes. All of it lasts as long as the process. */
    private void open(String operation, String path) throws IOException, InterruptedException, ExecutionException {
        RegisteredFile file = client.registerFile(path).get();
        if (client.transport() != TransportKind.SESSION) {
            throw new IOException("there is no session, but " + client.transport());
        }
        if (file.size() != reference.capacity()) {
            throw new IOException(path + " is no copy of the reference");
        }
        RegisteredBuffer into = operation.equals("read") ? client.register(memory()) : null;
        for (int i = 0; i < slots.length; i++) {
            long at = (long) i * reference.capacity();
            slots[i] = into != null
                    ? new Slot(
                            RegisteredRequest.read(file, into, at),
                            into.buffer().view(at, reference.capacity()),
                            null)
                    : sending(operation, file);
        }
    }

    private SharedBuffer memory() throws IOException {
        return SharedBuffer.allocate(
                (long) slots.length * reference.capacity(), BufferOptions.DEFAULT.withPrefault(true));
    }

    private Slot sending(String operation, RegisteredFile file) throws IOException {
        TestDestination target =
                TestDestination.open(TestDestination.Type.UNIX, Path.of(System.getProperty("java.io.tmpdir")));
        SocketChannel in = (SocketChannel) target.receivingEnd();
        in.configureBlocking(false); // what is sent is there when the request is complete
        var to = client.register(target.destination());
        RegisteredRequest request =
                switch (operation) {
                    case "send" -> RegisteredRequest.send(file, to);
                    case "send-path" ->
                        RegisteredRequest.send(FileRequest.of(file.request().path()), to);
                    default -> throw new IOException("not send, send-path or read: " + operation);
                };
        return new Slot(request, ByteBuffer.allocateDirect(reference.capacity()), in);
    }

    private LoadClient.Result measure(long server, double seconds) throws IOException, InterruptedException {
        Cost before = Cost.soFar(List.of(server));
        long startNs = System.nanoTime();
        run(Long.MAX_VALUE, startNs + (long) (seconds * 1e9));
        double tookNs = System.nanoTime() - startNs;
        Cost after = Cost.soFar(List.of(server));
        long[] latencies = latencies();
        long requests = Arrays.stream(slots).mapToLong(slot -> slot.done).sum();
        Cost cost = after.since(before, (double) requests);
        double rate = requests / (tookNs / 1e9);
        return new LoadClient.Result(
                requests,
                0,
                tookNs / 1e9,
                rate,
                rate * reference.capacity() / 1e6,
                percentile(latencies, 50),
                percentile(latencies, 99),
                percentile(latencies, 100),
                cost.cpuUs(),
                cost.switches(),
                cost.pssMib() * 1024,
                0,
                0,
                "");
    }

    /** So many requests, or as many as begin until then. Blocks. */
    private void run(long count, long untilNs) throws IOException, InterruptedException {
        CountDownLatch ends = new CountDownLatch(slots.length);
        for (Slot slot : slots) {
            slot.begin(count == Long.MAX_VALUE ? count : (count + slots.length - 1) / slots.length, untilNs, ends);
        }
        ends.await();
        if (failure != null) {
            throw new IOException("a request failed", failure);
        }
    }

    private long[] latencies() {
        long[] all = Arrays.stream(slots)
                .flatMapToLong(slot -> Arrays.stream(slot.latencies, 0, slot.kept()))
                .toArray();
        Arrays.sort(all);
        return all;
    }

    private static double percentile(long[] sorted, int percent) {
        return sorted[(int) ((sorted.length - 1L) * percent / 100)] / US;
    }

    /** One request that is submitted again and again. One thread at a time: it has one in flight, or none. */
    private final class Slot implements BiConsumer<@Nullable Long, @Nullable Throwable> {
        private final RegisteredRequest request;
        private final ByteBuffer bytes;
        private final @Nullable SocketChannel in;
        private final long[] latencies = new long[SAMPLES / slots.length];
        private long done;
        private long startedNs;
        private long count;
        private long untilNs;
        private @Nullable CountDownLatch ends;

        /**
         * Begins nothing.
         *
         * @param bytes where they are to be compared
         * @param in from which they are read into there; null: they come there
         */
        Slot(RegisteredRequest request, ByteBuffer bytes, @Nullable SocketChannel in) {
            this.request = request;
            this.bytes = bytes;
            this.in = in;
        }

        void begin(long most, long deadlineNs, CountDownLatch whenOver) {
            done = 0;
            count = most;
            untilNs = deadlineNs;
            ends = whenOver;
            if (most == 0) {
                whenOver.countDown();
            } else {
                submit(System.nanoTime());
            }
        }

        int kept() {
            return (int) Math.min(done, latencies.length);
        }

        private void submit(long nowNs) {
            startedNs = nowNs;
            var unused = client.submit(request).whenComplete(this);
        }

        @Override
        public void accept(@Nullable Long moved, @Nullable Throwable thrown) {
            long nowNs = 0;
            try {
                if (thrown != null) {
                    throw new IOException(thrown);
                }
                check();
                nowNs = System.nanoTime();
                if (done < latencies.length) {
                    latencies[(int) done] = nowNs - startedNs;
                }
                done++;
            } catch (IOException e) {
                failure = e;
            }
            if (failure == null && done < count && nowNs < untilNs) {
                submit(nowNs);
            } else {
                Objects.requireNonNull(ends).countDown();
            }
        }

        private void check() throws IOException {
            if (in != null) {
                bytes.clear();
                while (bytes.hasRemaining()) {
                    if (in.read(bytes) <= 0) {
                        throw new IOException(bytes.remaining() + " bytes did not come");
                    }
                }
                bytes.flip();
            }
            if (!bytes.equals(reference)) {
                throw new IOException("wrong bytes");
            }
        }
    }
}
