package io.sendfiled.tools;

import static io.sendfiled.support.ScriptedDaemon.fileDetails;
import static io.sendfiled.support.ScriptedDaemon.fileInfo;
import static io.sendfiled.support.ScriptedDaemon.join;
import static io.sendfiled.support.ScriptedDaemon.progress;
import static io.sendfiled.support.ScriptedDaemon.refusal;
import static io.sendfiled.support.ScriptedDaemon.result;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.client.FileInfo;
import io.sendfiled.client.TransferDetails;
import io.sendfiled.client.TransferResult;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.ScriptedDaemon;
import io.sendfiled.support.ScriptedDaemon.Request;
import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The command line against a daemon that does what each test says. */
@Timeout(60)
final class SfdTest {
    private static final Set<Command> WITHOUT_TIMEOUT =
            Set.of(Command.COUNTERS, Command.TOP, Command.UPGRADE, Command.DUMP, Command.TECHNIQUES, Command.SERVE);

    private static final long ID = 77;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private Path directory;
    private ScriptedDaemon daemon;
    private int descriptorsBefore;

    @BeforeEach
    void startDaemon(@TempDir Path fresh) throws IOException {
        directory = fresh;
        daemon = new ScriptedDaemon(directory, "default");
        run("stat", "a", "-S", directory.resolve("nowhere").toString()); // loads what stays open
        err.reset();
        descriptorsBefore = OpenDescriptors.count();
    }

    @AfterEach
    void shouldLeakNoDescriptor() throws IOException {
        OpenDescriptors.awaitCount(descriptorsBefore);
        daemon.close();
    }

    private int run(String... args) {
        return new Sfd(out, new PrintStream(err, true, StandardCharsets.UTF_8)).run(args);
    }

    /** Runs a command that gets as far as the daemon. */
    private CompletableFuture<Integer> start(String... args) {
        List<String> all = new ArrayList<>(Arrays.asList(args));
        all.add("-S");
        all.add(directory.toString());
        return CompletableFuture.supplyAsync(() -> run(all.toArray(new String[0])));
    }

    private String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String err() {
        return err.toString(StandardCharsets.UTF_8);
    }

    // ---- usage ----

    @Test
    void shouldHelp() {
        assertEquals(0, run("--help"));
        assertTrue(out().contains("sfd COMMAND [PATH]"), out());
        for (Command command : Command.values()) {
            out.reset();
            assertEquals(0, run(command.word(), "--help"));
            assertTrue(out().startsWith("Usage: sfd " + command.word()), out());
            assertEquals(!WITHOUT_TIMEOUT.contains(command), out().contains("--timeout TIME"), out());
            for (String line : out().split("\n", -1)) {
                assertTrue(line.length() <= 80, line);
            }
        }
        assertEquals("", err());
    }

    @Test
    void shouldTellItsVersion() {
        assertEquals(0, run("--version"));
        assertTrue(out().matches("sfd \\d+\\.\\d+\\.\\d+.*\n"), out());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "| sfd: no command; see sfd --help",
                "fly a | sfd: 'fly': unknown command; see sfd --help",
                "help fly | sfd: 'fly': unknown command; see sfd --help",
                "send a --to localhost:80 | sfd: --to: 'localhost:80' is neither tcp:HOST:PORT nor unix:PATH; a file of"
                        + " that name is ./localhost:80",
                "send a --to udp:host:1 | sfd: --to: 'udp:host:1' is neither tcp:HOST:PORT nor unix:PATH; a file of that"
                        + " name is ./udp:host:1",
                "send a --to [::1]:80 | sfd: --to: '[::1]:80' is neither tcp:HOST:PORT nor unix:PATH; a file of that"
                        + " name is ./[::1]:80",
                "send a --to http://host/x | sfd: --to: 'http://host/x' is neither tcp:HOST:PORT nor unix:PATH; a file of"
                        + " that name is ./http://host/x",
                "send a --to unix: | sfd: --to: 'unix:' is not unix:PATH",
                "--json stat a | sfd: '--json': the command comes first; see sfd --help",
                "stat | sfd: no PATH; see sfd stat --help",
                "stat a b | sfd: 'b': more than one PATH; see sfd stat --help",
                "serve | sfd: no DIR; see sfd serve --help",
                "serve a b | sfd: 'b': more than one DIR; see sfd serve --help",
                "stat a --to b | sfd: --to: unknown option; see sfd stat --help",
                "send a | sfd: no destination: --to is missing; see sfd send --help",
                "send a --to | sfd: --to: needs a value; see sfd send --help",
                "read a --offset -1 | sfd: --offset: '-1' is not a number of bytes from 0 to 2^63 - 1, such as 4096, 64K or 1G",
                "read a --offset x | sfd: --offset: 'x' is not a number of bytes from 0 to 2^63 - 1, such as 4096, 64K or 1G",
                "read a --offset 9G9 | sfd: --offset: '9G9' is not a number of bytes from 0 to 2^63 - 1, such as 4096, 64K or 1G",
                "read a --offset 9999999999G | sfd: --offset: '9999999999G' is not a number of bytes from 0 to 2^63 - 1, such as 4096, 64K or 1G",
                "read a --length -1 | sfd: --length: '-1' is not a number of bytes from 0 to 2^63 - 1, such as 4096, 64K or 1G",
                "read a --offset 9223372036854775807 --length 1 | sfd: --offset and --length: their sum is above 2^63 - 1",
                "read a --timeout 0 | sfd: --timeout: '0' is not a time above 0, such as 500ms, 30 or 5m",
                "read a --timeout soon | sfd: --timeout: 'soon' is not a time above 0, such as 500ms, 30 or 5m",
                "read a --deadline NaN | sfd: --deadline: 'NaN' is not a time above 0, such as 500ms, 30 or 5m",
                "send a --to - --idle-timeout 5e6 | sfd: --idle-timeout: '5e6' is not a time above 0, such as 500ms, 30 or 5m",
                "send a --to - --idle-timeout 50d | sfd: --idle-timeout: '50d' is not a time up to 4294967s",
                "read a --timeout 99999999999999999999d | sfd: --timeout: '99999999999999999999d' is not a time up to"
                        + " 1000000000s",
                "read a --rate 0 | sfd: --rate: '0' is not a number of bytes a second from 1 to 2^63 - 1, such as 500K or 10MB/s",
                "read a --technique fast | sfd: --technique: 'fast' is not one of auto, sendfile, splice, mmap,"
                        + " read-write, copy-file-range",
                "stat a --technique mmap | sfd: --technique: unknown option; see sfd stat --help",
                "read a --open | sfd: --open: unknown option; see sfd read --help",
                "techniques a | sfd: 'a': no PATH belongs here; see sfd techniques --help",
            })
    void shouldRefuseWrongUsageInOneLine(String args, String message) {
        assertEquals(ExitCode.USAGE, args == null ? run() : run(args.trim().split(" ", -1)));

        assertEquals(message + "\n", err());
        assertEquals("", out());
    }

    @ParameterizedTest
    @CsvSource({"tcp:1234", "tcp::1234", "tcp:host:", "tcp:host:70000", "tcp:host:x"})
    void shouldRefuseWhatIsNoAddress(String to) throws Exception {
        assertEquals(ExitCode.USAGE, start("send", "a", "--to", to).get());

        assertEquals("sfd: --to: '" + to + "' is not tcp:HOST:PORT\n", err());
    }

    // ---- failures ----

    @Test
    void shouldSayWhereNoDaemonIs() {
        assertEquals(ExitCode.UNREACHABLE, run("stat", "a", "-S", directory.toString(), "-s", "nobody"));

        assertEquals(
                "sfd: no daemon listens at " + directory
                        + "/sendfiled.nobody.socket: no such file or directory (ENOENT)\n",
                err());
    }

    @Test
    void shouldSayWhatIsNotPermitted() throws Exception {
        CompletableFuture<Integer> status = start("read", "/etc/shadow");
        daemon.status(daemon.receive(), refusal(Errno.EACCES));

        assertEquals(ExitCode.PERMISSION, status.get());

        assertEquals(
                "sfd: /etc/shadow: permission denied: the daemon may not use this file, or its allow-users and"
                        + " allow-groups do not name this user (EACCES)\n",
                err());
        assertEquals("", out());
    }

    @Test
    void shouldKeepControlCharactersFromTheTerminal() throws Exception {
        CompletableFuture<Integer> status = start("stat", "a\u001b[31m\nb");
        daemon.status(daemon.receive(), refusal(Errno.ENOENT));

        assertEquals(ExitCode.FAILED, status.get());

        assertEquals("sfd: a?[31m?b: no such file or directory (ENOENT)\n", err());
    }

    @Test
    void shouldEndWithPartialWhenSomeBytesWereMoved() throws Exception {
        CompletableFuture<Integer> status =
                start("send", "a", "--to", directory.resolve("out").toString());
        daemon.status(daemon.receive(), join(fileInfo(100, ID), progress(40), result(Errno.EIO, 40, 1, 0, 4)));

        assertEquals(ExitCode.PARTIAL, status.get());

        assertEquals("sfd: a: input/output error (EIO) after 40 of 100 bytes\n", err());
    }

    @ParameterizedTest
    @CsvSource({"EPIPE, broken pipe", "ENOSPC, no space left on device", "EDQUOT, disk quota exceeded"})
    void shouldNameTheDestinationWhenItFails(String name, String reason) throws Exception {
        Path file = directory.resolve("out");
        CompletableFuture<Integer> status = start("send", "a", "--to", file.toString());
        int errno = Errno.class.getField(name).getInt(null);
        daemon.status(daemon.receive(), join(fileInfo(100, ID), progress(40), result(errno, 40, 1, 0, 4)));

        assertEquals(ExitCode.PARTIAL, status.get());

        assertEquals("sfd: " + file + ": " + reason + " (" + name + ") after 40 of 100 bytes\n", err());
    }

    @Test
    void shouldGiveUpAfterTheTimeout() throws Exception {
        for (String[] command : new String[][] {
            {"stat", "a"},
            {"read", "a"},
            {"send", "a", "--to", directory.resolve("out").toString()}
        }) {
            err.reset();
            String[] args = Arrays.copyOf(command, command.length + 2);
            args[command.length] = "--timeout";
            args[command.length + 1] = "0.05";
            CompletableFuture<Integer> status = start(args);
            Request request = daemon.receive();

            assertEquals(ExitCode.TIMEOUT, status.get());

            assertEquals("sfd: a: not done within --timeout 0.05 (ETIMEDOUT)\n", err());
            daemon.end(request);
        }
        assertFalse(Files.exists(directory.resolve("out")));
    }

    @Test
    void shouldGiveUpInTheMiddleOfTheFile() throws Exception {
        CompletableFuture<Integer> status = start("read", "a", "--timeout", "0.2");
        Request request = daemon.receive();
        daemon.status(request, fileInfo(100, ID));
        daemon.write(request, 1, new byte[40]);

        assertEquals(ExitCode.TIMEOUT, status.get());

        assertEquals("sfd: a: not done within --timeout 0.2 (ETIMEDOUT) after 40 of 100 bytes\n", err());
        assertEquals(40, out.size());
    }

    @Test
    void shouldTellFailuresAsJson() throws Exception {
        CompletableFuture<Integer> status = start("stat", "a", "--json");
        daemon.status(daemon.receive(), refusal(Errno.EACCES));

        assertEquals(ExitCode.PERMISSION, status.get());

        JsonObject object = JsonParser.parseString(out()).getAsJsonObject();
        assertEquals("a", object.get("path").getAsString());
        assertEquals("EACCES", object.get("errnoName").getAsString());
        assertEquals(Errno.EACCES, object.get("errno").getAsInt());
        assertEquals(ExitCode.PERMISSION, object.get("exitCode").getAsInt());
        assertEquals("", err());
    }

    @Test
    void shouldNotTouchTheOutputOfARefusedRequest() throws Exception {
        Path old = Files.writeString(directory.resolve("old"), "precious");
        for (String option : new String[] {"read -o", "send --to"}) {
            String[] words = option.split(" ", -1);
            CompletableFuture<Integer> status = start(words[0], "a", words[1], old.toString());
            daemon.status(daemon.receive(), refusal(Errno.ENOENT));

            assertEquals(ExitCode.FAILED, status.get());

            assertEquals("precious", Files.readString(old));
        }
    }

    @Test
    void shouldSayWhyAnOutputCannotBeMade() throws Exception {
        CompletableFuture<Integer> status =
                start("read", "a", "-o", directory.resolve("no/such").toString());
        daemon.status(daemon.receive(), fileInfo(4, ID));

        assertEquals(ExitCode.FAILED, status.get());

        assertEquals("sfd: " + directory + "/no/such: no such file or directory (ENOENT)\n", err());
    }

    @Test
    void shouldSayWhyAnAddressCannotBeReached() throws Exception {
        String address = "unix:" + directory.resolve("nobody");

        assertEquals(ExitCode.FAILED, start("send", "a", "--to", address).get());

        assertEquals("sfd: " + address + ": no such file or directory (ENOENT)\n", err());
    }

    // ---- what it does ----

    @Test
    void shouldReadARange() throws Exception {
        CompletableFuture<Integer> status = start("read", "--offset", "1K", "a", "--length", "5");
        Request request = daemon.receive();
        assertEquals(1024, request.bytes().getLong(8));
        assertEquals(5, request.bytes().getLong(16));
        daemon.status(request, join(fileInfo(5, ID), result(0, 5, 1, 0, Technique.READ_WRITE.code())));
        daemon.write(request, 1, new byte[] {1, 2, 3, 4, 5});

        assertEquals(0, status.get());

        assertArrayEquals(new byte[] {1, 2, 3, 4, 5}, out.toByteArray());
        assertEquals("", err());
    }

    @Test
    void shouldTellTheResultOfAReadWhereTheDataAreNot() throws Exception {
        CompletableFuture<Integer> status = start("read", "a", "--json");
        Request request = daemon.receive();
        daemon.write(request, 1, new byte[] {1, 2});
        daemon.status(request, join(fileInfo(2, ID), result(0, 2, 1, 0, Technique.READ_WRITE.code())));

        assertEquals(0, status.get());

        assertArrayEquals(new byte[] {1, 2}, out.toByteArray());
        JsonObject object = JsonParser.parseString(err()).getAsJsonObject();
        assertEquals(2, object.get("bytesMoved").getAsLong());
        assertEquals("read-write", object.get("technique").getAsString());
    }

    @Test
    void shouldReadAnEmptyFileIntoAFile() throws Exception {
        Path file = directory.resolve("out");
        CompletableFuture<Integer> status = start("read", "a", "-o", file.toString());
        daemon.status(daemon.receive(), join(fileInfo(0, ID), result(0, 0, 1, 0, 0)));

        assertEquals(0, status.get());

        assertEquals(0, Files.size(file));
    }

    @Test
    void shouldAskForAnEmptyRange() throws Exception {
        CompletableFuture<Integer> status = start("read", "a", "--offset", "7", "--length", "0");
        Request request = daemon.receive();
        assertEquals(2, request.bytes().getShort(2));
        assertEquals(7, request.bytes().getLong(8));
        assertEquals(0, request.bytes().getLong(16));
        daemon.status(request, refusal(Errno.EPROTONOSUPPORT)); // 0 would be "to the end" for a daemon that is so old

        assertEquals(ExitCode.FAILED, status.get());

        assertEquals(0, out.size());
    }

    @Test
    void shouldSayWhyTheDaemonHasEndedARead() throws Exception {
        CompletableFuture<Integer> status = start("read", "a");
        Request request = daemon.receive();
        daemon.write(request, 1, new byte[40]);
        daemon.status(request, join(fileInfo(100, ID), result(Errno.ETIMEDOUT, 40, 1, 0, 1)));
        daemon.close(request, 1);

        assertEquals(ExitCode.TIMEOUT, status.get());

        assertEquals(
                "sfd: a: timed out, because no byte was moved for too long (ETIMEDOUT) after 40 of 100 bytes\n", err());
        assertEquals(40, out.size());
    }

    @Test
    void shouldTellWhatTheDaemonKnowsOfAFile() throws Exception {
        for (String json : new String[] {null, "--json"}) {
            out.reset();
            CompletableFuture<Integer> status = json == null ? start("stat", "a") : start("stat", "a", json);
            Request request = daemon.receive();
            while (request.command() == Wire.CANCEL) { // of the one before
                request = daemon.receive();
            }
            daemon.status(request, join(fileDetails(3, 77, 0xfe02, 0100640, 0, 5, 0), fileInfo(3, ID)));
            assertEquals(0, status.get());
            if (json == null) {
                assertTrue(out().contains("mode      0640\ninode     77\ndevice    254:2\n"), out());
                assertTrue(out().contains("modified  2020-09-13T12:26:41.000000005Z\n"), out());
            } else {
                JsonObject object = JsonParser.parseString(out()).getAsJsonObject();
                assertEquals("0640", object.get("mode").getAsString());
                assertEquals("77", object.get("inode").getAsString());
                assertEquals("254:2", object.get("device").getAsString());
                assertEquals(3, object.get("fileSize").getAsLong());
            }
        }
    }

    @Test
    void shouldSendToAFile() throws Exception {
        Path file = directory.resolve("out");
        CompletableFuture<Integer> status = start("send", "a", "--to", file.toString(), "--json");
        Request send = daemon.receive();
        daemon.write(send, 1, new byte[] {1, 2, 3});
        daemon.status(send, join(fileInfo(3, ID), result(0, 3, 1, 0, Technique.COPY_FILE_RANGE.code())));

        assertEquals(0, status.get());

        assertArrayEquals(new byte[] {1, 2, 3}, Files.readAllBytes(file));
        JsonObject object = JsonParser.parseString(out()).getAsJsonObject();
        assertEquals("send", object.get("command").getAsString());
        assertEquals(3, object.get("bytesMoved").getAsLong());
        assertEquals("2020-09-13T12:26:41Z", object.get("modified").getAsString());
        assertTrue(object.get("elapsedMs").getAsDouble() > 0);
    }

    @Test
    void shouldSendTheOptionsAlong() throws Exception {
        String[] options = {
            "--technique", "mmap", "--rate", "2MB/s", "--idle-timeout", "1.5", "--deadline", "60", "--drop-behind"
        };
        for (String[] command : new String[][] {
            {"read", "a"},
            {"send", "a", "--to", directory.resolve("out").toString()}
        }) {
            String[] args = Arrays.copyOf(command, command.length + options.length);
            System.arraycopy(options, 0, args, command.length, options.length);
            CompletableFuture<Integer> status = start(args);
            Request request = daemon.receive();
            assertEquals(command[0].equals("read") ? Wire.READ_FILE_EXT : Wire.SEND_FILE_EXT, request.command());
            assertEquals(2_000_000, request.bytes().getLong(24));
            assertEquals(1_500, request.bytes().getInt(32));
            assertEquals(60_000, request.bytes().getInt(36));
            assertEquals(Technique.MMAP.code(), request.bytes().get(40));
            assertEquals(Wire.FLAG_DROP_BEHIND, request.bytes().get(41));
            daemon.status(request, refusal(Errno.ENOENT, 0));
            assertEquals(ExitCode.FAILED, status.get());
        }
    }

    @Test
    void shouldSendWhatItOpenedItself() throws Exception {
        Path mine = Files.writeString(directory.resolve("mine"), "12345");
        Path file = directory.resolve("out");
        CompletableFuture<Integer> status =
                start("send", "--open", mine.toString(), "--offset", "1", "--to", file.toString(), "--json");
        Request request = daemon.receive();
        assertEquals(Wire.SEND_DESCRIPTOR, request.command());
        assertEquals(3, request.descriptors());
        assertEquals(1, request.bytes().getLong(8));
        daemon.write(request, 1, new byte[] {2, 3});
        daemon.status(request, join(fileInfo(2, ID), result(0, 2, 1_500_000, 1, Technique.COPY_FILE_RANGE.code())));

        assertEquals(0, status.get());

        assertArrayEquals(new byte[] {2, 3}, Files.readAllBytes(file));
        JsonObject object = JsonParser.parseString(out()).getAsJsonObject();
        assertEquals("copy-file-range", object.get("technique").getAsString());
        assertEquals(1, object.get("coldWindows").getAsInt());
        assertEquals(1.5, object.get("daemonElapsedMs").getAsDouble());
    }

    @Test
    void shouldNotTouchTheOutputWhenItCannotOpenTheFile() throws Exception {
        Path old = Files.writeString(directory.resolve("old"), "precious");
        String missing = directory.resolve("missing").toString();

        assertEquals(
                ExitCode.FAILED,
                start("send", "--open", missing, "--to", old.toString()).get());

        assertEquals("sfd: " + missing + ": no such file or directory (ENOENT)\n", err());
        assertEquals("precious", Files.readString(old));
    }

    @Test
    void shouldTellWhatWouldFit() throws Exception {
        CompletableFuture<Integer> status = start("read", "a", "--technique", "sendfile");
        daemon.status(daemon.receive(), refusal(Errno.EOPNOTSUPP, 1 << 2 | 1 << 4));

        assertEquals(ExitCode.FAILED, status.get());

        assertEquals("sfd: a: sendfile does not fit here; ask for splice, read-write, or auto (EOPNOTSUPP)\n", err());
    }

    @Test
    void shouldDoWithoutDetailsThatTheDaemonDoesNotKnow() throws Exception {
        CompletableFuture<Integer> status = start("read", "a", "--json");
        Request detailed = daemon.receive();
        assertEquals(Wire.READ_FILE_EXT, detailed.command());
        daemon.status(detailed, refusal(Errno.EPROTONOSUPPORT));
        Request plain = daemon.receive();
        assertEquals(Wire.READ_FILE, plain.command());
        daemon.status(plain, join(fileInfo(2, ID), new byte[] {1, 2}));

        assertEquals(0, status.get());

        assertArrayEquals(new byte[] {1, 2}, out.toByteArray());
        assertFalse(JsonParser.parseString(err()).getAsJsonObject().has("technique"));
    }

    @Test
    void shouldSayThatTheDaemonKnowsNoOptions() throws Exception {
        CompletableFuture<Integer> status = start("read", "a", "--rate", "1");
        daemon.status(daemon.receive(), refusal(Errno.EPROTONOSUPPORT));

        assertEquals(ExitCode.FAILED, status.get());

        assertTrue(err().startsWith("sfd: a: this daemon is too old for options"), err());
    }

    @Test
    void shouldShowWhichTechniqueFitsWhat() {
        assertEquals(0, run("techniques"));

        assertEquals("", err());
        assertEquals("""
                                          sendfile  splice  mmap  read-write  copy-file-range
                tcp                       yes       -       yes   yes         -
                tcp, blocking             -         -       yes   yes         -
                unix                      yes       -       yes   yes         -
                unix, blocking            -         -       yes   yes         -
                seqpacket                 -         -       yes   yes         -
                pipe                      yes       yes     yes   yes         -
                pipe, blocking            -         yes     yes   yes         -
                file                      yes       -       yes   yes         yes
                /dev/null, /dev/zero      yes       -       yes   yes         -
                /dev/full                 -         -       yes   yes         -
                terminal                  -         -       yes   yes         -
                """, out());
    }

    @Test
    void shouldTellTechniquesAsJson() {
        assertEquals(0, run("techniques", "--json"));

        JsonObject object = JsonParser.parseString(out()).getAsJsonObject();
        assertEquals(5, object.getAsJsonArray("techniques").size());
        JsonObject tcp = object.getAsJsonArray("destinations").get(1).getAsJsonObject();
        assertEquals("tcp", tcp.get("name").getAsString());
        assertTrue(tcp.get("blocking").getAsBoolean());
        assertEquals("[\"mmap\",\"read-write\"]", tcp.get("fits").toString());
    }

    @Test
    void shouldSummarizeForPeople() {
        FileInfo info = new FileInfo(1 << 20, Instant.EPOCH, Instant.EPOCH, Instant.EPOCH);
        Duration second = Duration.ofSeconds(1);

        assertEquals("1.0 MiB in 1.00 s, 1.0 MiB/s", Report.summary(new TransferResult(info, 1 << 20, second, null)));
        assertEquals(
                "1.0 MiB in 1.00 s, 1.0 MiB/s, by splice, 1 cold window",
                Report.summary(
                        new TransferResult(info, 1 << 20, second, new TransferDetails(Technique.SPLICE, 1, second))));
    }

    @Test
    void shouldShowSizeAndTimes() throws Exception {
        CompletableFuture<Integer> status = start("stat", "a");
        Request open = daemon.receive();
        daemon.status(open, fileInfo(1_610_612_736L, ID));

        assertEquals(0, status.get());

        assertEquals("""
                path      a
                size      1610612736 bytes (1.5 GiB)
                modified  2020-09-13T12:26:41Z
                changed   2020-09-13T12:26:42Z
                accessed  2020-09-13T12:26:40Z
                """, out());
        assertEquals(ID, daemon.receive().transferId()); // given up again
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0 bytes",
        "1023, 1023 bytes",
        "1024, 1.0 KiB",
        "1536, 1.5 KiB",
        "1073741824, 1.0 GiB",
        "9223372036854775807, 8.0 EiB"
    })
    void shouldWriteSizesForPeople(long bytes, String text) {
        assertEquals(text, Report.human(bytes));
    }
}
