package io.sendfiled.bench.micro;

import io.sendfiled.bench.Bench;
import io.sendfiled.hot.HotCache;
import io.sendfiled.hot.HotFile;
import io.sendfiled.hot.HotRoot;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** A warm file of 4 KiB, opened, read into a direct buffer and closed: by the hot path, and by the JDK, which may wait. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class HotPathBenchmark {
    private static final int SIZE = 4096;
    private static final String NAME = "small";

    private final ByteBuffer buffer = ByteBuffer.allocateDirect(SIZE);
    private Path directory;
    private HotRoot root;
    private HotRoot cachedRoot;
    private HotFile kept;

    @Setup
    public void open() throws IOException {
        directory = Files.createTempDirectory("sfd-jmh");
        Files.write(directory.resolve(NAME), new byte[SIZE]);
        root = HotRoot.open(directory);
        cachedRoot = HotRoot.open(directory, new HotCache(16, Duration.ofSeconds(1)));
        kept = warm(root);
    }

    /** The file, which has just been written. */
    private static HotFile warm(HotRoot root) throws IOException {
        HotFile file = root.open(NAME);
        if (file == null) {
            throw new IOException("the temporary directory is on no disk of this machine: nothing is ever hot there");
        }
        return file;
    }

    @TearDown
    public void close() throws IOException {
        kept.close();
        root.close();
        cachedRoot.close();
        Bench.deleteTree(directory);
    }

    @Benchmark
    public int openReadClose() throws IOException {
        return read(root);
    }

    @Benchmark
    public int openReadCloseWithCache() throws IOException {
        return read(cachedRoot);
    }

    private int read(HotRoot from) throws IOException {
        buffer.clear();
        try (HotFile file = warm(from)) {
            return file.read(buffer, 0);
        }
    }

    @Benchmark
    public int readOfAnOpenFile() throws IOException {
        buffer.clear();
        return kept.read(buffer, 0);
    }

    @Benchmark
    public int openReadCloseByFileChannel() throws IOException {
        buffer.clear();
        try (FileChannel file = FileChannel.open(directory.resolve(NAME), StandardOpenOption.READ)) {
            return file.read(buffer, 0);
        }
    }
}
