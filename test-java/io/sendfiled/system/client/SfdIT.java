package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The program {@code sfd} of the built tree against the program {@code sendfiled}. */
@Timeout(120)
final class SfdIT {
    private static final String SFD = Path.of(System.getProperty("sendfiled.test.dist", "target/dist"), "bin", "sfd")
            .toAbsolutePath()
            .toString();
    private static final long BIG = 50_000_000;

    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    private static Content small;
    private static Content big;

    @BeforeAll
    static void makeFiles() throws Exception {
        small = Content.write(daemon.root().resolve("small"), 4096);
        big = Content.write(daemon.root().resolve("big"), BIG);
        Content.write(daemon.root().resolve("empty"), 0);
    }

    private static Program sfd(Map<String, String> environment, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(SFD));
        command.addAll(Arrays.asList(arguments));
        command.addAll(List.of("-S", directory.toString(), "-s", TestDaemon.NAME));
        return Program.start(directory, command, environment);
    }

    private static Program sfd(String... arguments) throws IOException {
        return sfd(Map.of(), arguments);
    }

    private static void expectOk(Program sfd) throws Exception {
        int status = sfd.awaitExit();
        assertEquals("", sfd.errors());
        assertEquals(0, status);
    }

    @Test
    void shouldReadToStandardOutput() throws Exception {
        for (String file : List.of("small", "/big", "empty")) {
            try (Program sfd = sfd("read", file)) {
                assertEquals(Content.of(daemon.root().resolve(file.replace("/", ""))), Content.of(sfd.report()));
                expectOk(sfd);
            }
        }
    }

    @Test
    void shouldReadARangeToAFile() throws Exception {
        Path file = directory.resolve("range");
        try (Program sfd = sfd("read", "big", "--offset", "1M", "--length", "123457", "-o", file.toString())) {
            expectOk(sfd);
        }
        assertEquals(Content.of(daemon.root().resolve("big"), 1 << 20, 123_457), Content.of(file));
    }

    @Test
    void shouldReadAnEmptyRange() throws Exception {
        Path file = directory.resolve("nothing");
        try (Program sfd = sfd("read", "big", "--offset", "1M", "--length", "0", "-o", file.toString())) {
            expectOk(sfd);
        }
        assertEquals(0, Files.size(file));
    }

    @Test
    void shouldSayThatAReadHasTimedOutAndNotThatTheDaemonHasStopped() throws Exception {
        try (Program sfd = sfd("read", "big", "--rate", "1M", "--deadline", "0.2", "-o", "/dev/null")) {
            assertEquals(6, sfd.awaitExit());
            assertTrue(
                    sfd.errors().startsWith("sfd: big: not done within --deadline 0.2 (ETIMEDOUT) after "),
                    sfd.errors());
        }
    }

    @Test
    void shouldTellOfAFileWhatStatTells() throws Exception {
        Path file = daemon.root().resolve("small");
        try (Program sfd = sfd("stat", "small")) {
            String text = sfd.output();
            expectOk(sfd);
            assertTrue(text.contains("inode     " + Files.getAttribute(file, "unix:ino") + "\n"), text);
            int mode = (Integer) Files.getAttribute(file, "unix:mode") & 07777;
            assertTrue(text.contains(String.format("mode      %04o\n", mode)), text);
            assertTrue(
                    text.contains("modified  " + Files.getLastModifiedTime(file).toInstant() + "\n"), text);
        }
    }

    @Test
    void shouldReadAFileWhoseNameIsNotAsciiWithoutALocale() throws Exception {
        Content content = Content.write(daemon.root().resolve("größe"), 10);
        try (Program sfd = sfd(Map.of("LC_ALL", "C"), "read", "größe")) {
            assertEquals(content, Content.of(sfd.report()));
            expectOk(sfd);
        }
    }

    @Test
    void shouldSendToSockets() throws Exception {
        Path socket = directory.resolve("receiver");
        for (SocketAddress address : List.of(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), UnixDomainSocketAddress.of(socket))) {
            try (ServerSocketChannel listener = listen(address);
                    Program sfd = sfd("send", "big", "--to", uri(listener));
                    SocketChannel receiver = listener.accept()) {
                assertEquals(big, Content.drain(receiver));
                expectOk(sfd);
            }
        }
    }

    @Test
    void shouldSendToAFile() throws Exception {
        Path file = Files.writeString(directory.resolve("sent"), "what was there before".repeat(1000));
        try (Program sfd = sfd("send", "small", "--to", file.toString())) {
            expectOk(sfd);
        }
        assertEquals(small, Content.of(file));
    }

    @Test
    void shouldSendToStandardOutput() throws Exception {
        try (Program sfd = sfd("send", "big", "--to", "-")) {
            assertEquals(big, Content.of(sfd.report()));
            expectOk(sfd);
        }
        assertFalse(Files.exists(directory.resolve("-")), "and nowhere else");
    }

    @Test
    void shouldKeepTheOldFileWhenTheDaemonRefusesTheNewOne() throws Exception {
        Path old = Files.writeString(directory.resolve("old"), "what was there before");
        try (Program sfd = sfd("send", "--open", directory.toString(), "--to", old.toString())) {
            assertEquals(1, sfd.awaitExit());
        }
        assertEquals("what was there before", Files.readString(old));
    }

    @Test
    void shouldSendAFileThatItOpensItself() throws Exception {
        Path outside = directory.resolve("outside");
        Content content = Content.write(outside, 100_000);
        Path target = Files.writeString(directory.resolve("sent from outside"), "longer than that".repeat(10_000));
        try (Program sfd = sfd("send", "--open", outside.toString(), "--to", target.toString())) {
            expectOk(sfd);
        }
        assertEquals(content, Content.of(target));
    }

    @Test
    void shouldTellByWhichTechniqueItWas() throws Exception {
        Path target = directory.resolve("by technique");
        try (Program sfd =
                sfd("send", "small", "--to", target.toString(), "--technique", "mmap", "--drop-behind", "--json")) {
            JsonObject object = JsonParser.parseString(sfd.output()).getAsJsonObject();
            expectOk(sfd);
            assertEquals("mmap", object.get("technique").getAsString());
            assertTrue(object.get("daemonElapsedMs").getAsDouble() > 0);
        }
        assertEquals(small, Content.of(target));
    }

    @Test
    void shouldNameTheTechniquesThatWouldFit() throws Exception {
        try (Program sfd = sfd("read", "small", "--technique", "copy-file-range")) {
            assertEquals(1, sfd.awaitExit());
            assertTrue(
                    sfd.errors().startsWith("sfd: small: copy-file-range does not fit here; ask for splice, "),
                    sfd.errors());
        }
    }

    @Test
    void shouldGiveUpAtTheDeadline() throws Exception {
        try (Program sfd = sfd("send", "big", "--to", "/dev/null", "--rate", "1M", "--deadline", "0.2")) {
            assertEquals(6, sfd.awaitExit());
            assertTrue(
                    sfd.errors()
                            .matches(
                                    "sfd: big: not done within --deadline 0.2 \\(ETIMEDOUT\\) after \\d+ of \\d+ bytes\n"),
                    sfd.errors());
        }
    }

    @Test
    void shouldTellSizeAndTimes() throws Exception {
        try (Program sfd = sfd("stat", "big", "--json")) {
            JsonObject object = JsonParser.parseString(sfd.output()).getAsJsonObject();
            expectOk(sfd);
            assertEquals(BIG, object.get("size").getAsLong());
            long seconds = Files.getLastModifiedTime(daemon.root().resolve("big"))
                    .toInstant()
                    .getEpochSecond();
            assertEquals(
                    seconds, Instant.parse(object.get("modified").getAsString()).getEpochSecond());
        }
    }

    @Test
    void shouldSayThatThereIsNoSuchFile() throws Exception {
        for (String path : List.of("../../etc/shadow", "nothing")) {
            try (Program sfd = sfd("read", path)) {
                assertEquals(1, sfd.awaitExit());
                assertEquals("sfd: " + path + ": no such file or directory (ENOENT)\n", sfd.errors());
                assertEquals("", sfd.output());
            }
        }
    }

    @Test
    void shouldSayThatThereIsNoDaemon() throws Exception {
        try (Program sfd = sfd("read", "small", "-s", "nobody")) {
            assertEquals(0, sfd.awaitExit(), "the last -s counts");
        }
        try (Program sfd = Program.start(
                directory, List.of(SFD, "stat", "small", "-S", directory.toString(), "-s", "nobody"), Map.of())) {
            assertEquals(3, sfd.awaitExit());
            assertTrue(sfd.errors().startsWith("sfd: no daemon listens at "), sfd.errors());
        }
    }

    @Test
    void shouldEndWithPartialWhenTheReceiverGoesAway() throws Exception {
        try (ServerSocketChannel listener = listen(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                Program sfd = sfd("send", "big", "--to", uri(listener))) {
            try (SocketChannel receiver = listener.accept()) {
                receiver.read(ByteBuffer.allocate(100_000));
            }
            assertEquals(5, sfd.awaitExit());
            assertTrue(
                    sfd.errors()
                            .matches(
                                    "sfd: tcp:[0-9.:]+: (connection reset by peer \\(ECONNRESET\\)|broken pipe \\(EPIPE\\))"
                                            + " after \\d+ of " + BIG + " bytes\n"),
                    sfd.errors());
        }
    }

    @Test
    void shouldEndWithPartialWhenNobodyReadsItsOutput() throws Exception {
        try (Program sfd = Program.start(
                directory,
                List.of(
                        "/bin/sh",
                        "-c",
                        "{ \"$@\"; echo $? >&2; } | head -c 10 >/dev/null",
                        "sh",
                        SFD,
                        "read",
                        "big",
                        "-S",
                        directory.toString(),
                        "-s",
                        TestDaemon.NAME),
                Map.of())) {
            sfd.awaitExit();
            assertTrue(
                    sfd.errors().matches("sfd: standard output: broken pipe \\(EPIPE\\)( after \\d+ bytes\n5|\n1)\n"),
                    sfd.errors());
        }
    }

    @Test
    void shouldGiveUpOnAReceiverThatDoesNotRead() throws Exception {
        try (ServerSocketChannel listener = listen(UnixDomainSocketAddress.of(directory.resolve("stuck")));
                Program sfd = sfd("send", "big", "--to", uri(listener), "--timeout", "1");
                SocketChannel receiver = listener.accept()) {
            assertEquals(6, sfd.awaitExit());
            assertTrue(sfd.errors().startsWith("sfd: big: not done within --timeout 1 (ETIMEDOUT)"), sfd.errors());
            Content.drain(receiver); // ends: the daemon has let go of it
        }
    }

    @Test
    void shouldCancelWhenItIsInterrupted() throws Exception {
        try (ServerSocketChannel listener = listen(UnixDomainSocketAddress.of(directory.resolve("interrupted")));
                Program sfd = sfd("send", "big", "--to", uri(listener));
                SocketChannel receiver = listener.accept()) {
            receiver.read(ByteBuffer.allocate(1)); // it is under way
            sfd.signal("INT");
            assertEquals(130, sfd.awaitExit());
            assertEquals("sfd: interrupted\n", sfd.errors());
            Content.drain(receiver);
        }
    }

    @Test
    void shouldLeaveTheOldFileWhenItIsInterrupted() throws Exception {
        for (String partial : List.of("-q", "--partial")) {
            Path folder = Files.createDirectory(directory.resolve("interrupted" + partial));
            Path old = Files.writeString(folder.resolve("old"), "what was there before");
            try (Program sfd = sfd("read", "big", "-o", old.toString(), "--rate", "1M", partial)) {
                Await.until("a part", () -> sizeOfPart(folder) > 0);
                sfd.signal("INT");
                assertEquals(130, sfd.awaitExit());
                assertEquals("what was there before", Files.readString(old));
                if (partial.equals("-q")) {
                    assertEquals("sfd: interrupted\n", sfd.errors());
                    assertEquals(0, sizeOfPart(folder));
                } else {
                    assertTrue(
                            sfd.errors().startsWith("sfd: interrupted; what arrived is in " + old + "."), sfd.errors());
                    assertTrue(sizeOfPart(folder) > 0);
                }
            }
        }
    }

    private static long sizeOfPart(Path folder) {
        File[] parts = folder.toFile().listFiles((directory, name) -> name.endsWith(".part"));
        return parts == null || parts.length == 0 ? 0 : parts[0].length();
    }

    @Test
    void shouldNotWriteAFileToItself() throws Exception {
        Path file = daemon.root().resolve("itself");
        Content content = Content.write(file, 100_000);
        for (String[] how : new String[][] {{"send", "--to"}, {"read", "-o"}}) {
            for (String inPlace : List.of("-q", "--inplace")) {
                try (Program sfd = sfd(how[0], "itself", how[1], file.toString(), inPlace)) {
                    assertEquals(1, sfd.awaitExit());
                    assertEquals(
                            "sfd: " + file + ": it is the file that is sent, and would be written to itself\n",
                            sfd.errors());
                }
                assertEquals(content, Content.of(file), how[0] + " " + inPlace);
            }
        }
    }

    @Test
    void shouldSendToTcpBySendfile() throws Exception {
        try (ServerSocketChannel listener = listen(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                Program sfd = sfd("send", "big", "--to", uri(listener), "--json");
                SocketChannel receiver = listener.accept()) {
            assertEquals(big, Content.drain(receiver));
            JsonObject object = JsonParser.parseString(sfd.output()).getAsJsonObject();
            expectOk(sfd);
            assertEquals("sendfile", object.get("technique").getAsString());
        }
    }

    /** At 2 MiB a second: with a clock that starts late, the bar would show far more. */
    @Test
    void shouldTellATerminalTheTruth() throws Exception {
        Process terminal = HelperProgram.start("terminal");
        try (BufferedReader shown = terminal.inputReader(StandardCharsets.UTF_8)) {
            String path = shown.readLine();
            String line = "exec 3>" + path + "; \"$@\" --to /dev/null --rate 2M --length 3M 2>&3"
                    + " && \"$1\" read small -S \"$4\" -s \"$6\" >&3"; // the terminal ends when nobody has it
            List<String> command = List.of(
                    "/bin/sh", "-c", line, "sh", SFD, "send", "-S", directory.toString(), "-s", TestDaemon.NAME, "big");
            try (Program sfd = Program.start(directory, command, Map.of())) {
                assertEquals(1, sfd.awaitExit());
                assertTrue(
                        sfd.errors().startsWith("sfd: small: it is no text, and a terminal would obey"), sfd.errors());
            }
            String all = shown.lines().collect(Collectors.joining("\n"));
            Matcher last = Pattern.compile("big \\[#{8,}] 100% 3.0 MiB, ([0-9.]+) MiB/s *\n")
                    .matcher(all);
            assertTrue(last.find(), all);
            double rate = Double.parseDouble(last.group(1));
            assertTrue(rate <= 2.5, all);
            assertTrue(all.contains("big: 3.0 MiB in "), all);
        } finally {
            terminal.destroyForcibly();
        }
    }

    @Test
    void shouldReadBesideOtherPrograms() throws Exception {
        List<Program> all = new ArrayList<>();
        try {
            for (int i = 0; i < 6; i++) {
                all.add(sfd("read", "big", "-o", directory.resolve("beside" + i).toString()));
            }
            for (int i = 0; i < 6; i++) {
                expectOk(all.get(i));
                assertEquals(big, Content.of(directory.resolve("beside" + i)));
            }
        } finally {
            all.forEach(Program::close);
        }
    }

    private static ServerSocketChannel listen(SocketAddress address) throws IOException {
        if (address instanceof UnixDomainSocketAddress unix) {
            Files.deleteIfExists(unix.getPath());
            return ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(unix);
        }
        return ServerSocketChannel.open().bind(address);
    }

    private static String uri(ServerSocketChannel listener) throws IOException {
        SocketAddress address = listener.getLocalAddress();
        return address instanceof InetSocketAddress inet ? "tcp:127.0.0.1:" + inet.getPort() : "unix:" + address;
    }
}
