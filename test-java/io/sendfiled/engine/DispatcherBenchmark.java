package io.sendfiled.engine;

import io.sendfiled.bench.Bench;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.jni.ClientNative;
import io.sendfiled.jni.EngineNative;
import io.sendfiled.jni.Turn;
import io.sendfiled.names.Names;
import io.sendfiled.protocol.RequestEncoder;
import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What the dispatcher costs for each request of a turn: decoding, authorizing and the verdict. The turn is a real one, of
 * requests that came by a socket, and is dispatched over and over: the verdicts are the same each time.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class DispatcherBenchmark {
    /** As many as a datagram socket keeps by itself (net.unix.max_dgram_qlen is 10 or more). */
    private static final int REQUESTS = 8;

    private static final byte[] PATH = "static/images/of/a/usual/depth.jpg".getBytes(StandardCharsets.UTF_8);
    private static final int STRANGER = 54321;

    private Path directory;
    private long engine;
    private long carrier;
    private Turn turn;
    private Dispatcher dispatcher;

    @Setup
    public void receive() throws IOException {
        directory = Files.createTempDirectory("sfd-jmh");
        SendfiledConfig config = SendfiledConfig.builder()
                .root(directory)
                .socketDirectory(directory)
                .loops(1)
                .build();
        CoreNumbers.check();
        engine = EngineNative.create(
                Names.bytes(directory),
                Names.bytes(config.name()),
                Names.bytes(directory),
                CoreNumbers.of(config),
                new long[0],
                false,
                0600,
                -1,
                new int[0],
                -1,
                null);
        expect(engine > 0, "no engine");
        ask(directory.resolve("sendfiled." + config.name() + ".socket"));
        carrier = EngineNative.carrier(EngineNative.loop(engine, 0));
        turn = new Turn(carrier);
        dispatcher = new Dispatcher(
                turn, new Authorizer(EngineNative.clientUid(), STRANGER, -1, AccessList.resolve(List.of(), List.of())));
        while (turn.requests() == 0) {
            expect(EngineNative.poll(carrier) == 0, "the loop has ended");
        }
        expect(turn.requests() == REQUESTS, turn.requests() + " requests in a turn");
    }

    private static void ask(Path socket) throws IOException {
        ByteBuffer request = ByteBuffer.allocateDirect(Wire.MAX_REQUEST_SIZE);
        RequestEncoder.putFileRequest(request, Wire.READ_FILE, PATH, 0, 4096);
        Pipe pipe = Pipe.open();
        try (OwnedFd status = Descriptors.duplicate(pipe.sink());
                OwnedFd client = OwnedFd.take(ClientNative.openSocket())) {
            expect(ClientNative.connect(client.fd(), Names.bytes(socket)) == 0, "cannot connect");
            for (int i = 0; i < REQUESTS; i++) {
                int result = ClientNative.send(client.fd(), request, request.position(), status.fd(), -1);
                expect(result == 0, "a request: " + Errno.describe(-result));
            }
        }
        pipe.source().close();
        pipe.sink().close();
    }

    private static void expect(boolean holds, String fault) {
        if (!holds) {
            throw new IllegalStateException(fault);
        }
    }

    @TearDown
    public void stop() throws IOException {
        EngineNative.stop(EngineNative.loop(engine, 0));
        int result = 0;
        while (result == 0) {
            result = EngineNative.poll(carrier);
            for (int i = 0; i < turn.offloads(); i++) {
                EngineNative.work(turn.task(i));
            }
        }
        EngineNative.destroy(engine);
        Bench.deleteTree(directory);
    }

    @Benchmark
    @OperationsPerInvocation(REQUESTS)
    public void dispatch() {
        dispatcher.dispatch();
    }
}
