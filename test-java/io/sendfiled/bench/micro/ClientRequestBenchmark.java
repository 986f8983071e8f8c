package io.sendfiled.bench.micro;

import io.sendfiled.bench.Bench;
import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.client.RegisteredBuffer;
import io.sendfiled.client.RegisteredFile;
import io.sendfiled.client.RegisteredRequest;
import io.sendfiled.system.ClientKind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * A request for a warm file of 4 KiB, from its call to its completion: by a session or a datagram (CONNECTED), and inside the
 * process. The engine is in this JVM too, so what it allocates is counted with it.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class ClientRequestBenchmark {
    private static final int SIZE = 4096;
    private static final int BATCH = 32;
    private static final String NAME = "small";

    @Param({"CONNECTED", "EMBEDDED", "EMBEDDED_COLD"})
    public ClientKind kind;

    private Path directory;
    private ClientKind.Running running;
    private SharedBuffer memory;
    private RegisteredBuffer buffer;
    private RegisteredFile file;
    private RegisteredRequest request;
    private List<RegisteredRequest> batch;

    @Setup
    public void start() throws IOException {
        directory = Files.createTempDirectory("sfd-jmh");
        Path root = Files.createDirectory(directory.resolve("root"));
        Files.write(root.resolve(NAME), new byte[SIZE]);
        running = kind.start(directory, root, Map.of());
        memory = SharedBuffer.allocate(BATCH * SIZE);
        buffer = running.client().register(memory);
        file = running.client().registerFile(NAME).join();
        request = RegisteredRequest.read(file, buffer, 0);
        batch = new ArrayList<>();
        for (int i = 0; i < BATCH; i++) {
            batch.add(RegisteredRequest.read(file, buffer, (long) i * SIZE));
        }
    }

    @TearDown
    public void stop() throws IOException {
        file.close();
        buffer.close();
        memory.close();
        running.close();
        Bench.deleteTree(directory);
    }

    @Benchmark
    public long read() {
        return running.client().submit(request).join();
    }

    @Benchmark
    @OperationsPerInvocation(BATCH)
    public long readsOfABatch() {
        long sum = 0;
        for (CompletableFuture<Long> future : running.client().submitAll(batch)) {
            sum += future.join();
        }
        return sum;
    }

    /** What needs no registering: a datagram where there is a daemon. */
    @Benchmark
    public Object readTo() {
        return running.client().readTo(NAME, new Swallowing()).result().join();
    }

    private static final class Swallowing implements WritableByteChannel {
        @Override
        public int write(ByteBuffer source) {
            int count = source.remaining();
            source.position(source.limit());
            return count;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }
}
