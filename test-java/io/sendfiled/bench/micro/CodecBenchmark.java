package io.sendfiled.bench.micro;

import io.sendfiled.protocol.RequestDecoder;
import io.sendfiled.protocol.RequestEncoder;
import io.sendfiled.protocol.RequestOptions;
import io.sendfiled.protocol.Wire;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** Requests to bytes and back. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class CodecBenchmark {
    private static final byte[] PATH = "static/images/of/a/usual/depth.jpg".getBytes(StandardCharsets.UTF_8);

    private final ByteBuffer target = ByteBuffer.allocateDirect(Wire.MAX_REQUEST_SIZE);
    private final ByteBuffer plain = ByteBuffer.allocateDirect(Wire.MAX_REQUEST_SIZE);
    private final ByteBuffer extended = ByteBuffer.allocateDirect(Wire.MAX_REQUEST_SIZE);
    private final RequestDecoder decoder = new RequestDecoder();

    @Setup
    public void encode() {
        plain.order(ByteOrder.nativeOrder());
        extended.order(ByteOrder.nativeOrder());
        RequestEncoder.putFileRequest(plain, Wire.READ_FILE, PATH, 0, 4096);
        RequestEncoder.putFileRequest(extended, Wire.READ_FILE_EXT, PATH, 0, 4096, RequestOptions.NONE);
        expectAccepted(plain);
        expectAccepted(extended);
    }

    private void expectAccepted(ByteBuffer request) {
        if (decoder.decode(request, 0, request.position()) != 0) {
            throw new IllegalStateException("the request is refused");
        }
    }

    @Benchmark
    public ByteBuffer encodeReadFile() {
        target.clear();
        RequestEncoder.putFileRequest(target, Wire.READ_FILE, PATH, 0, 4096);
        return target;
    }

    @Benchmark
    public int decodeReadFile() {
        return decoder.decode(plain, 0, plain.position());
    }

    @Benchmark
    public int decodeExtendedReadFile() {
        return decoder.decode(extended, 0, extended.position());
    }
}
