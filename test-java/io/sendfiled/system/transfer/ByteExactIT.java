package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Scale;
import io.sendfiled.support.Target;
import io.sendfiled.support.TestDestination;
import io.sendfiled.support.Way;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.Sending;
import io.sendfiled.system.Sending.Operation;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;

/**
 * R3: what arrives is the range that was asked for, byte for byte by SHA-256, and there is one last message, which says so:
 * all sizes around the borders of pages, pipes and windows, ranges, kinds of destinations, techniques and operations, 64
 * transfers at once, and receivers that take their time. Both kinds of daemon together move {@code sendfiled.exact.mib}.
 */
@ParameterizedClass
@EachKind
@Timeout(900)
final class ByteExactIT {
    private static final int MIB = 1024 * 1024;
    private static final int[] SIZES = {0, 1, 4095, 4096, 4097, 65535, 65536, 65537, MIB + 1};
    private static final int BIG = 64 * MIB;
    private static final int AT_ONCE = 64;
    private static final int TERMINAL_BYTES = 4097; // it is slow
    private static final List<Operation> OPERATIONS = List.of(Operation.values());
    private static final List<Target> TARGETS =
            List.of(Target.values()).stream().filter(Target::keepsBytes).toList();

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    private static final Map<Range, Content> CONTENTS = new ConcurrentHashMap<>();

    /** A part of a file; length 0: to its end. */
    private record Range(String path, long offset, long length) {}

    /**
     * One transfer.
     *
     * @param target null: Read File
     */
    private record Job(@Nullable Target target, Operation operation, Way way, Range range) {}

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        for (int size : SIZES) {
            Content.write(daemon.root().resolve("file" + size), size);
        }
        Content.write(daemon.root().resolve("file" + BIG), BIG);
    }

    @Test
    void shouldSendEveryRangeToEveryKindOfDestinationByEveryTechnique() throws Exception {
        List<Job> jobs = new ArrayList<>();
        for (int size : SIZES) {
            for (Range range : ranges(size)) {
                jobs.add(new Job(null, Operation.SEND_FILE, Way.AUTO, range));
                for (Target target : TARGETS) {
                    if (target == Target.TERMINAL && size > TERMINAL_BYTES) {
                        continue;
                    }
                    for (Way way : Way.values()) {
                        if (target.takes(way) && !(way == Way.COPY_FILE_RANGE && target.isElsewhere())) {
                            Operation operation = OPERATIONS.get(jobs.size() % OPERATIONS.size());
                            jobs.add(new Job(target, operation, way, range));
                        }
                    }
                }
            }
        }
        Collections.shuffle(jobs, new Random(1));
        run(jobs);
    }

    private static List<Range> ranges(int size) {
        String path = "file" + size;
        List<Range> ranges = new ArrayList<>(List.of(new Range(path, 0, 0)));
        if (size > 1) {
            ranges.add(new Range(path, 1, 0));
            ranges.add(new Range(path, size / 2 - 1, size / 2));
            ranges.add(new Range(path, size - 1, 1));
        }
        ranges.add(new Range(path, size, 0)); // D6, D34: nothing, and that is a success
        return ranges;
    }

    @Test
    void shouldSendGibibytesWith64TransfersAtOnce() throws Exception {
        long wanted = (long) Scale.of("exact.mib", 2048) * MIB / TestDaemon.Kind.values().length;
        Target[] fast = {
            Target.TCP,
            Target.UNIX,
            Target.PIPE,
            Target.TCP_BLOCKING,
            Target.UNIX_BLOCKING,
            Target.PIPE_NON_BLOCKING,
            Target.FILE
        };
        Random random = new Random(2);
        List<Job> jobs = new ArrayList<>();
        long bytes = 0;
        for (int i = 0; bytes < wanted || i < AT_ONCE; i++) {
            boolean whole = i % 4 == 0;
            long offset = whole ? 0 : random.nextInt(BIG);
            long length = whole ? BIG : 1 + random.nextInt((int) (BIG - offset));
            Target target = i % 8 == 7 ? null : fast[i % fast.length];
            Operation operation = OPERATIONS.get(i % OPERATIONS.size());
            jobs.add(new Job(target, operation, Way.AUTO, new Range("file" + BIG, offset, length)));
            bytes += length;
        }
        assertEquals(bytes, run(jobs));
    }

    @Test
    void shouldWaitForReceiversThatTakeTheirTime() throws Exception {
        List<Reader> readers = List.of(Reader.BYTE_BY_BYTE, Reader.SLOW, Reader.BURSTY);
        List<Future<?>> all = new ArrayList<>();
        ExecutorService threads = Executors.newCachedThreadPool();
        try {
            for (Reader reader : readers) {
                for (Target target : TARGETS) {
                    if (target.canBeFull() && target != Target.TERMINAL) {
                        for (Way way : Way.values()) {
                            if (target.takes(way)) {
                                all.add(threads.submit(() -> take(target, way, reader)));
                            }
                        }
                    }
                }
                all.add(threads.submit(() -> read(reader)));
            }
            for (Future<?> one : all) {
                one.get(120, TimeUnit.SECONDS);
            }
        } finally {
            threads.shutdownNow();
        }
    }

    /** How a receiver takes what there is. */
    private enum Reader {
        BYTE_BY_BYTE(65537),
        SLOW(MIB + 1),
        BURSTY(MIB + 1);

        private static final long PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(1);

        private final int size;

        Reader(int size) {
            this.size = size;
        }

        Range range() {
            return new Range("file" + size, 0, 0);
        }

        /** One time to take something; the channel blocks until there is. */
        int read(ReadableByteChannel in, ByteBuffer to, Random random) throws IOException {
            int most = to.remaining();
            int some =
                    switch (this) {
                        case BYTE_BY_BYTE -> 1;
                        case SLOW -> 8192;
                        case BURSTY -> 1 + random.nextInt(random.nextBoolean() ? 16 : 300_000);
                    };
            if (this != BYTE_BY_BYTE) {
                LockSupport.parkNanos(PAUSE_NS);
            }
            return in.read(to.limit(to.position() + Math.min(most, some)));
        }

        Content drain(ReadableByteChannel in, int limit) throws IOException {
            ByteBuffer received = ByteBuffer.allocate(size + 1);
            Random random = new Random(size);
            int n = 0;
            while (n >= 0 && received.position() < limit) {
                n = read(in, received.limit(limit), random);
            }
            return Content.of(Arrays.copyOf(received.array(), received.position()));
        }
    }

    private static @Nullable Void take(Target target, Way way, Reader reader) throws Exception {
        try (RawClient client = daemon.rawClient();
                TestDestination destination = target.open(directory);
                Sending sending = Sending.start(
                        daemon,
                        client,
                        Operation.SEND_FILE,
                        ExtendedRequest.send(reader.range().path()).by(way.number()),
                        destination.fd())) {
            String what = target + " by " + way + ", " + reader;
            destination.finishSending();
            assertEquals(content(reader.range()), reader.drain(destination.receivingEnd(), reader.size + 1), what);
            expectComplete(reader.size, sending.await(), what);
        }
        return null;
    }

    private static @Nullable Void read(Reader reader) throws Exception {
        try (RawClient client = daemon.rawClient();
                Status status =
                        client.request(ExtendedRequest.read(reader.range().path()), -1, -1)) {
            assertEquals(reader.size, status.info().size());
            assertEquals(content(reader.range()), reader.drain(status.source(), reader.size), "read, " + reader);
            expectComplete(reader.size, Outcome.ofTrailer(status), "read, " + reader);
        }
        return null;
    }

    /** All of them, 64 at once. How many bytes they were. */
    private static long run(List<Job> jobs) throws Exception {
        ConcurrentLinkedQueue<Job> queue = new ConcurrentLinkedQueue<>(jobs);
        AtomicLong bytes = new AtomicLong();
        ExecutorService threads = Executors.newFixedThreadPool(AT_ONCE);
        List<Future<?>> all = new ArrayList<>();
        try {
            for (int i = 0; i < AT_ONCE; i++) {
                all.add(threads.submit(() -> {
                    try (RawClient client = daemon.rawClient()) {
                        for (Job job = queue.poll(); job != null; job = queue.poll()) {
                            bytes.addAndGet(run(client, job));
                        }
                    }
                    return null;
                }));
            }
            for (Future<?> one : all) {
                one.get(800, TimeUnit.SECONDS);
            }
        } finally {
            threads.shutdownNow();
        }
        return bytes.get();
    }

    private static long run(RawClient client, Job job) throws Exception {
        Range range = job.range();
        Content expected = content(range);
        if (job.target() == null) {
            ExtendedRequest request =
                    ExtendedRequest.read(range.path()).by(job.way().number());
            try (Status status = client.request(request.range(range.offset(), range.length()), -1, -1)) {
                assertEquals(expected.size(), status.info().size(), job.toString());
                assertEquals(expected, Content.drain(status.source(), expected.size()), job.toString());
                expectComplete(expected.size(), Outcome.ofTrailer(status), job.toString());
            }
            return expected.size();
        }
        ExtendedRequest request = ExtendedRequest.send(range.path())
                .range(range.offset(), range.length())
                .by(job.way().number());
        try (TestDestination destination = job.target().open(directory)) {
            CompletableFuture<Content> received = destination.receive();
            try (Sending sending = Sending.start(daemon, client, job.operation(), request, destination.fd())) {
                expectComplete(expected.size(), sending.await(), job.toString());
            }
            destination.finishSending();
            assertEquals(expected, received.get(60, TimeUnit.SECONDS), job.toString());
        }
        return expected.size();
    }

    private static void expectComplete(long size, Outcome outcome, String what) {
        assertTrue(outcome.complete(), what + ": " + outcome);
        assertEquals(size, outcome.moved(), what);
    }

    private static Content content(Range range) {
        return CONTENTS.computeIfAbsent(range, wanted -> {
            Path file = daemon.root().resolve(wanted.path());
            try {
                long left = file.toFile().length() - wanted.offset();
                return Content.of(file, wanted.offset(), wanted.length() == 0 ? left : wanted.length());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }
}
