package io.sendfiled.system;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.Adler32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The examples that hand memory over, each as the processes that it is about. */
@Timeout(120)
final class BufferExampleIT {
    /** What becomes of each way to write to a sealed buffer. */
    private static final String REFUSED = """
            a store: Bad address
            write(2): Operation not permitted
            mmap(2): Operation not permitted
            ftruncate(2): Operation not permitted
            """;

    @TempDir
    private Path directory;

    /** An example, run by a shell, which has its standard input and output. */
    private Program run(String redirections, String name, Object... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", "exec \"$@\" " + redirections, "sh"));
        command.addAll(HelperProgram.command(name, arguments));
        return Program.start(directory, command, Map.of());
    }

    private static String adler32(byte[] bytes) {
        Adler32 checksum = new Adler32();
        checksum.update(bytes);
        return String.format("%08x", checksum.getValue());
    }

    /** Both say the same, and it is this. */
    private void expectHandedOver(Program sender, Path socket, String expected) throws Exception {
        Await.until("the sender to wait", () -> Files.exists(socket) || !sender.isAlive());
        try (Program receiver = run("", "buffer_receive", socket)) {
            assertEquals(expected, receiver.output(), receiver.errors());
            assertEquals(0, receiver.awaitExit());
        }
        assertEquals(expected, sender.output(), sender.errors());
        assertEquals(0, sender.awaitExit());
        assertTrue(Files.notExists(socket), "the socket is still there");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4096, 1_000_003, 50_000_000})
    void shouldHandOverAPatternThatNobodyCanChangeAnyMore(int size) throws Exception {
        byte[] pattern = new byte[size];
        for (int i = 0; i < size; i++) {
            pattern[i] = (byte) (i % 251);
        }
        Path socket = directory.resolve("socket");
        try (Program sender = run("", "buffer_send", socket, size)) {
            expectHandedOver(sender, socket, size + " bytes, adler32 " + adler32(pattern) + "\n" + REFUSED);
        }
    }

    @Test
    void shouldHandOverAFile() throws Exception {
        Path file = directory.resolve("file");
        Content.write(file, 3_000_001);
        Path socket = directory.resolve("socket");
        try (Program sender = run("<file", "buffer_send", socket)) {
            String checksum = adler32(Files.readAllBytes(file));
            expectHandedOver(sender, socket, "3000001 bytes, adler32 " + checksum + "\n" + REFUSED);
        }
    }

    @Test
    void shouldHandOverNothing() throws Exception {
        Path socket = directory.resolve("socket");
        try (Program sender = run("</dev/null", "buffer_send", socket)) {
            expectHandedOver(sender, socket, "0 bytes, adler32 00000001\nftruncate(2): Operation not permitted\n");
        }
    }

    @Test
    void shouldTellTheReceiverThatNothingWasSent() throws Exception {
        Path socket = directory.resolve("socket");
        try (ServerSocketChannel listener =
                        ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
                Program receiver = run("", "buffer_receive", socket)) {
            listener.accept().close();
            assertEquals(1, receiver.awaitExit());
            assertTrue(receiver.errors().contains("has hung up"), receiver.errors());
        }
    }

    @Test
    void shouldRefuseWhatIsNoBuffer() throws Exception {
        Path socket = directory.resolve("socket");
        try (ServerSocketChannel listener =
                        ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
                Program receiver = run("", "buffer_receive", socket);
                var connection = listener.accept()) {
            connection.write(ByteBuffer.wrap(new byte[100]));
            assertEquals(1, receiver.awaitExit());
            assertTrue(receiver.errors().contains("Bad message"), receiver.errors());
        }
    }

    @Test
    void shouldReadAFileIntoMemoryAndSendItFromThere() throws Exception {
        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, TestDaemon.Options.STANDARD)) {
            for (int size : List.of(0, 1, 4097, 20_000_000)) {
                Content content = Content.write(daemon.root().resolve("file"), size);
                try (Program own = run("", "read_buffer", directory, TestDaemon.NAME, "file");
                        Program sent = run("", "read_buffer", "--send", directory, TestDaemon.NAME, "file")) {
                    assertEquals(content, Content.of(own.report()));
                    assertEquals(0, own.awaitExit(), own.errors());
                    assertEquals(content, Content.of(sent.report()));
                    assertEquals(0, sent.awaitExit(), sent.errors());
                }
            }
            try (Program missing = run("", "read_buffer", directory, TestDaemon.NAME, "missing")) {
                assertArrayEquals(new byte[0], missing.report());
                assertEquals(1, missing.awaitExit());
                assertTrue(missing.errors().contains("missing: No such file or directory"), missing.errors());
            }
            daemon.expectNoLeak();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"buffer_send", "buffer_receive", "read_buffer"})
    void shouldTellItsUsage(String name) throws Exception {
        for (Object[] arguments : List.of(new Object[] {}, new Object[] {"--help"})) {
            try (Program program = run("", name, arguments)) {
                assertEquals(2, program.awaitExit());
                assertTrue(program.errors().startsWith("usage: "), program.errors());
            }
        }
    }
}
