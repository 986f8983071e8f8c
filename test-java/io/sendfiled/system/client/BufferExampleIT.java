package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.JavaProgram;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.zip.Adler32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The examples that hand memory over, each as the processes that it is about: two in C, two in Java, and one of each. */
@Timeout(120)
final class BufferExampleIT {
    /** The examples, in either language. */
    private enum Language {
        C("buffer_send", "buffer_receive", "read_buffer") {
            @Override
            List<String> command(String name) {
                return HelperProgram.command(name);
            }
        },
        JAVA("BufferSend", "BufferReceive", "ReadBuffer") {
            @Override
            List<String> command(String name) {
                try {
                    return JavaProgram.command(Class.forName("io.sendfiled.examples." + name));
                } catch (ClassNotFoundException e) {
                    throw new AssertionError(e);
                }
            }
        };

        final String send;
        final String receive;
        final String read;

        Language(String send, String receive, String read) {
            this.send = send;
            this.receive = receive;
            this.read = read;
        }

        abstract List<String> command(String name);
    }

    /** What becomes of each way to write to a sealed buffer. */
    private static final String REFUSED = """
            a store: Bad address
            write(2): Operation not permitted
            mmap(2): Operation not permitted
            ftruncate(2): Operation not permitted
            """;

    /** Java has nothing that would try: a receiver's views are read-only. */
    private static final String REFUSED_TO_A_RECEIVER_IN_JAVA = REFUSED.replace("Bad address", "read-only");

    @TempDir
    private Path directory;

    /** An example, run by a shell, which has its standard input and output. */
    private Program run(String redirections, Language language, String name, Object... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", "exec \"$@\" " + redirections, "sh"));
        command.addAll(language.command(name));
        for (Object argument : arguments) {
            command.add(argument.toString());
        }
        return Program.start(directory, command, Map.of());
    }

    @Test
    void shouldHandMemoryOverByTheApiOfLibfatipc() throws Exception {
        for (String size : List.of("500", "3000001")) {
            try (Program program = run("", Language.C, "fatipc", size)) {
                assertEquals(size + " of " + size + " bytes as they were sent\n", program.output(), program.errors());
                assertEquals(0, program.awaitExit());
            }
        }
    }

    private static String adler32(byte[] bytes) {
        Adler32 checksum = new Adler32();
        checksum.update(bytes);
        return String.format("%08x", checksum.getValue());
    }

    /** A socket has its name before it listens. */
    private static void awaitListening(Program sender, Path socket) {
        Pattern listening =
                Pattern.compile("(?m)^\\S+ \\S+ \\S+ 00010000 .* " + Pattern.quote(socket.toString()) + "$");
        Await.until("the sender to wait", () -> {
            try {
                return !sender.isAlive()
                        || listening
                                .matcher(Files.readString(Path.of("/proc/net/unix")))
                                .find();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    /** Both say the same: first this, then what became of their attempts. */
    private void expectHandedOver(Program sender, Path socket, Language receives, String summary) throws Exception {
        boolean empty = summary.startsWith("0 ");
        String refused = empty ? "ftruncate(2): Operation not permitted\n" : REFUSED;
        awaitListening(sender, socket);
        try (Program receiver = run("", receives, receives.receive, socket)) {
            boolean readOnly = receives == Language.JAVA && !empty;
            assertEquals(
                    summary + "\n" + (readOnly ? REFUSED_TO_A_RECEIVER_IN_JAVA : refused),
                    receiver.output(),
                    receiver.errors());
            assertEquals(0, receiver.awaitExit());
        }
        assertEquals(summary + "\n" + refused, sender.output(), sender.errors());
        assertEquals(0, sender.awaitExit());
        assertTrue(Files.notExists(socket), "the socket is still there");
    }

    @ParameterizedTest
    @CsvSource({
        "C, C, 1",
        "C, C, 4096",
        "C, C, 1000003",
        "C, C, 50000000",
        "C, JAVA, 1",
        "C, JAVA, 1000003",
        "JAVA, C, 4096",
        "JAVA, C, 50000000",
        "JAVA, JAVA, 1000003"
    })
    void shouldHandOverAPatternThatNobodyCanChangeAnyMore(Language sends, Language receives, int size)
            throws Exception {
        byte[] pattern = new byte[size];
        for (int i = 0; i < size; i++) {
            pattern[i] = (byte) (i % 251);
        }
        Path socket = directory.resolve("socket");
        try (Program sender = run("", sends, sends.send, socket, size)) {
            expectHandedOver(sender, socket, receives, size + " bytes, adler32 " + adler32(pattern));
        }
    }

    @ParameterizedTest
    @CsvSource({"C, C", "C, JAVA", "JAVA, C", "JAVA, JAVA"})
    void shouldHandOverAFile(Language sends, Language receives) throws Exception {
        Path file = directory.resolve("file");
        Content.write(file, 3_000_001);
        Path socket = directory.resolve("socket");
        try (Program sender = run("<file", sends, sends.send, socket)) {
            expectHandedOver(sender, socket, receives, "3000001 bytes, adler32 " + adler32(Files.readAllBytes(file)));
        }
    }

    @ParameterizedTest
    @CsvSource({"C, C", "C, JAVA", "JAVA, C"})
    void shouldHandOverNothing(Language sends, Language receives) throws Exception {
        Path socket = directory.resolve("socket");
        try (Program sender = run("</dev/null", sends, sends.send, socket)) {
            expectHandedOver(sender, socket, receives, "0 bytes, adler32 00000001");
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldTellTheReceiverThatNothingWasSent(Language language) throws Exception {
        Path socket = directory.resolve("socket");
        try (ServerSocketChannel listener =
                        ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
                Program receiver = run("", language, language.receive, socket)) {
            listener.accept().close();
            assertEquals(1, receiver.awaitExit());
            assertTrue(receiver.errors().contains("has hung up"), receiver.errors());
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldRefuseWhatIsNoBuffer(Language language) throws Exception {
        Path socket = directory.resolve("socket");
        try (ServerSocketChannel listener =
                        ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
                Program receiver = run("", language, language.receive, socket);
                var connection = listener.accept()) {
            connection.write(ByteBuffer.wrap(new byte[100]));
            assertEquals(1, receiver.awaitExit());
            assertTrue(receiver.errors().matches("(?is).*bad message.*"), receiver.errors());
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldReadAFileIntoMemoryAndSendItFromThere(Language language) throws Exception {
        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, TestDaemon.Options.STANDARD)) {
            for (int size : List.of(0, 1, 4097, 20_000_000)) {
                Content content = Content.write(daemon.root().resolve("file"), size);
                try (Program own = run("", language, language.read, directory, TestDaemon.NAME, "file");
                        Program sent = run("", language, language.read, "--send", directory, TestDaemon.NAME, "file")) {
                    assertEquals(content, Content.of(own.report()));
                    assertEquals(0, own.awaitExit(), own.errors());
                    assertEquals(content, Content.of(sent.report()));
                    assertEquals(0, sent.awaitExit(), sent.errors());
                }
            }
            try (Program missing = run("", language, language.read, directory, TestDaemon.NAME, "missing")) {
                assertArrayEquals(new byte[0], missing.report());
                assertEquals(1, missing.awaitExit());
                assertTrue(missing.errors().matches("(?is).*missing: no such file or directory.*"), missing.errors());
            }
            daemon.expectNoLeak();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldTellItsUsage(Language language) throws Exception {
        for (String name : List.of(language.send, language.receive, language.read)) {
            for (Object[] arguments : List.of(new Object[] {}, new Object[] {"--help"})) {
                try (Program program = run("", language, name, arguments)) {
                    assertEquals(2, program.awaitExit());
                    assertTrue(program.errors().startsWith("usage: "), program.errors());
                }
            }
        }
    }

    @Test
    void shouldLeaveNoSocketBehindWhenASenderInJavaIsTerminated() throws Exception {
        Path socket = directory.resolve("socket");
        try (Program sender = run("", Language.JAVA, Language.JAVA.send, socket, 1)) {
            awaitListening(sender, socket);
            sender.signal("TERM");
            assertEquals(128 + 15, sender.awaitExit());
            assertTrue(Files.notExists(socket), "the socket is still there");
        }
    }
}
