package io.sendfiled.bench.micro;

import io.sendfiled.jni.DescriptorsNative;
import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.channels.Pipe;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** What it costs to cross from Java to C and back, without a system call and with a short one. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class NativeCallBenchmark {
    private static final int CODE = 1;

    static {
        NativeLibrary.ensureAvailable();
    }

    private final long fdField = DescriptorsNative.fieldId(FileDescriptor.class, "fd", "I");

    private Pipe pipe;
    private OwnedFd fd;

    @Setup
    public void open() throws IOException {
        pipe = Pipe.open();
        fd = Descriptors.duplicate(pipe.source());
    }

    @TearDown
    public void close() throws IOException {
        fd.close();
        pipe.source().close();
        pipe.sink().close();
    }

    /** No crossing at all: what the loop around it costs. */
    @Benchmark
    public int nothing() {
        return CODE;
    }

    /** No system call. */
    @Benchmark
    public int intField() {
        return DescriptorsNative.intField(FileDescriptor.in, fdField);
    }

    @Benchmark
    public int fcntl() {
        return DescriptorsNative.isNonBlocking(fd.fd());
    }
}
