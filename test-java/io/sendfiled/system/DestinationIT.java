package io.sendfiled.system;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Content;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Target;
import io.sendfiled.support.TestDestination;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Every kind of destination, by every operation and every technique: each byte where the technique fits, a refusal that
 * tells what would fit where it does not. {@link Target} is the table.
 */
@ParameterizedClass
@EnumSource(TestDaemon.Kind.class)
@Timeout(120)
final class DestinationIT {
    private static final int BIG = 8 * 1024 * 1024;
    private static final int[] SIZES = {0, 1, 4_096, 32 * 1024 + 1, 1024 * 1024 + 1, BIG};

    @TempDir
    private static Path directory;

    private static TestDaemon daemon;
    private static Map<Integer, Content> contents;

    private RawClient client;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void startDaemon(TestDaemon.Kind kind) throws Exception {
        daemon = TestDaemon.start(kind, directory, TestDaemon.Options.STANDARD);
        contents = new TreeMap<>();
        for (int size : SIZES) {
            contents.put(size, Content.write(daemon.root().resolve("file" + size), size));
        }
    }

    @AfterParameterizedClassInvocation
    static void stopDaemon() {
        daemon.close();
    }

    @BeforeEach
    void connect() throws Exception {
        client = daemon.rawClient();
    }

    @AfterEach
    void shouldLeakNoDescriptor() throws Exception {
        client.close();
        daemon.expectNoLeak();
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void shouldServeVersion1AsBefore(Target target) throws Exception {
        for (int size : new int[] {0, 4_096, 1024 * 1024 + 1}) {
            try (TestDestination destination = target.open(directory)) {
                CompletableFuture<Content> received = destination.receive();
                try (Status status = client.request(Wire.SEND_FILE, "file" + size, 0, 0, destination.fd())) {
                    assertEquals(size, status.info().size());
                    byte[] rest = status.rest();
                    assertEquals(0, rest.length % Wire.TRANSFER_STATUS_SIZE);
                    assertEquals(
                            Wire.COMPLETE,
                            ByteBuffer.wrap(rest).order(ByteOrder.nativeOrder()).getLong(rest.length - Long.BYTES));
                }
                destination.finishSending();
                assertEquals(
                        target.keepsBytes() ? contents.get(size) : Content.NOTHING, received.get(20, TimeUnit.SECONDS));
            }
        }
    }
}
