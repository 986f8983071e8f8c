package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Target;
import io.sendfiled.support.Way;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.system.Connected;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Files with holes, sent to files: the holes are kept where there was nothing, and are zeros where there was something. */
@ParameterizedClass
@EachKind
@Timeout(120)
final class SparseFileIT {
    private static final int MEBIBYTE = 1024 * 1024;
    private static final int DATA = 64 * 1024; // at the beginning and in the middle; then a hole up to the end
    private static final int MIDDLE = 12 * MEBIBYTE;
    private static final int SIZE = 24 * MEBIBYTE + 5;
    private static final int SECTOR = 512;

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    private static Path sparse;

    @Connected
    private RawClient client;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        sparse = daemon.root().resolve("sparse");
        byte[] data = new byte[DATA];
        Arrays.fill(data, (byte) 'x');
        try (FileChannel out = FileChannel.open(sparse, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            assertEquals(DATA, out.write(ByteBuffer.wrap(data), 0));
            assertEquals(DATA, out.write(ByteBuffer.wrap(data), MIDDLE));
        }
        assertEquals("", HelperProgram.output("truncate", "-s", Integer.toString(SIZE), sparse.toString()));
    }

    @Test
    void shouldKeepHoles() throws Exception {
        assumeTrue(allocated(sparse) < MEBIBYTE, "this file system has no holes");
        Path copy = directory.resolve("copy");
        Files.deleteIfExists(copy);
        try (FileChannel out = FileChannel.open(copy, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            expectComplete(Way.AUTO, out, 0);
            assertEquals(SIZE, out.position());
        }
        assertEquals(Content.of(sparse), Content.of(copy));
        assertTrue(allocated(copy) < MEBIBYTE, allocated(copy) + " bytes are allocated");
    }

    @ParameterizedTest
    @EnumSource(value = Way.class, names = "SPLICE", mode = EnumSource.Mode.EXCLUDE)
    void shouldWriteZerosWhereSomethingWas(Way way) throws Exception {
        Path copy = directory.resolve("copy");
        byte[] old = new byte[SIZE + 100];
        Arrays.fill(old, (byte) 'o');
        Files.write(copy, old);
        try (FileChannel out = FileChannel.open(copy, StandardOpenOption.WRITE)) {
            assertEquals(50, out.position(50).position());
            expectComplete(way, out, 0);
            assertEquals(50 + SIZE, out.position());
        }
        assertEquals(old.length, Files.size(copy));
        assertEquals(Content.of(Arrays.copyOf(old, 50)), Content.of(copy, 0, 50));
        assertEquals(Content.of(sparse), Content.of(copy, 50, SIZE));
        assertEquals(Content.of(Arrays.copyOf(old, 50)), Content.of(copy, 50 + SIZE, 50));
    }

    @ParameterizedTest
    @EnumSource(value = Way.class, names = "SPLICE", mode = EnumSource.Mode.EXCLUDE)
    void shouldEndInAHole(Way way) throws Exception {
        for (boolean append : new boolean[] {false, true}) {
            if (append && !Target.FILE_FOR_APPENDING.takes(way)) {
                continue;
            }
            Path copy = directory.resolve("copy");
            Files.write(copy, new byte[] {1, 2, 3});
            try (FileChannel out =
                    FileChannel.open(copy, append ? StandardOpenOption.APPEND : StandardOpenOption.WRITE)) {
                out.position(3);
                expectComplete(way, out, MIDDLE);
            }
            assertEquals(3 + SIZE - MIDDLE, Files.size(copy), way + ", append " + append);
            assertEquals(Content.of(sparse, MIDDLE, SIZE - MIDDLE), Content.of(copy, 3, SIZE - MIDDLE));
        }
    }

    @ParameterizedTest
    @EnumSource(value = Way.class, names = "SPLICE", mode = EnumSource.Mode.EXCLUDE)
    void shouldWriteARangeThatIsAllHole(Way way) throws Exception {
        Path copy = directory.resolve("copy");
        Files.write(copy, new byte[] {1, 2, 3});
        try (FileChannel out = FileChannel.open(copy, StandardOpenOption.WRITE).position(3);
                Status status = client.request(
                        ExtendedRequest.send("sparse").by(way.number()).range(DATA + 7, MEBIBYTE),
                        Descriptors.numberOf(out),
                        -1)) {
            Outcome outcome = Outcome.ofSend(status);
            assertTrue(outcome.complete(), outcome.toString());
        }
        assertEquals(Content.of(new byte[MEBIBYTE]), Content.of(copy, 3, MEBIBYTE));
        assertEquals(3 + MEBIBYTE, Files.size(copy));
    }

    private void expectComplete(Way way, FileChannel out, int offset) throws Exception {
        ExtendedRequest request =
                ExtendedRequest.send("sparse").by(way.number()).range(offset, 0);
        try (Status status = client.request(request, Descriptors.numberOf(out), -1)) {
            Outcome outcome = Outcome.ofSend(status);
            assertTrue(outcome.complete(), outcome.toString());
            assertEquals(SIZE - offset, outcome.moved());
        }
    }

    private static long allocated(Path file) throws Exception {
        return SECTOR * Long.parseLong(HelperProgram.output("stat", "-c", "%b", file.toString()));
    }
}
