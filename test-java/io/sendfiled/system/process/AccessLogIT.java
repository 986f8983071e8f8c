package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.protocol.RequestEncoder;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.ControlPeer;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.SystemProgram;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Pipe;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The access log: a line for each request that is over, also while it is renamed, and while the disk takes none. */
@Timeout(120)
final class AccessLogIT extends ProgramTestCase {
    /** As sendfiled(8) has it: time, id, pid, user, operation, path, bytes, status, and what it took. */
    private static final Pattern LINE =
            Pattern.compile("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z (\\d+-\\d+|-) (\\d+) (\\d+)"
                    + " (\\S+) (-|(?:\\.\\.\\.)?\"(?:[^\"\\\\]|\\\\x[0-9A-F]{2})*\") (\\d+/(?:\\d+|-) [a-zA-Z]+) (?:warm|cold)"
                    + " (?:\\d+|-) (?:\\d+|-) ([-a-z]+)");

    private static final Pattern MISSING = Pattern.compile("written again: (\\d+) lines? (?:is|are) missing");

    private static final int REQUESTS = 4_000;

    private Path directory;
    private Path log;

    @BeforeEach
    void makeLogDirectory() throws IOException {
        directory = Files.createDirectory(scratch.resolve("log"));
        log = directory.resolve("access.log");
    }

    private Program startLogging(String... more) throws IOException {
        List<String> arguments = new ArrayList<>(List.of(more));
        arguments.add("--access-log=" + log);
        return start(arguments.toArray(String[]::new));
    }

    private static List<String> lines(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8)
                .lines()
                .toList();
    }

    private void awaitLines(int count) {
        Await.until(count + " lines", () -> {
            try {
                return lines(log).size() >= count;
            } catch (IOException e) {
                return false;
            }
        });
    }

    private static Matcher matched(String line) {
        Matcher matcher = LINE.matcher(line);
        assertTrue(matcher.matches(), line);
        return matcher;
    }

    /** What the line says of the request: operation, path, bytes and status. */
    private static String summary(String line) {
        Matcher matcher = matched(line);
        return matcher.group(4) + " " + matcher.group(5) + " " + matcher.group(6);
    }

    private static Status read(RawClient client, byte[] path) throws IOException {
        ByteBuffer request = ByteBuffer.allocate(8192).order(ByteOrder.nativeOrder());
        RequestEncoder.putFileRequest(request, Wire.READ_FILE, path, 0, 0);
        byte[] bytes = new byte[request.position()];
        request.flip().get(bytes);
        Status status = new Status();
        Pipe.SinkChannel sink = status.sink();
        client.send(bytes, Descriptors.numberOf(sink), -1);
        sink.close();
        status.rest();
        status.close();
        return status;
    }

    @Test
    void shouldHaveALineForEachRequest() throws Exception {
        byte[] hostile = "a\"\n<3>2026 ok \\x22\u001b[2J".getBytes(StandardCharsets.UTF_8);
        byte[] foreign = {'b', (byte) 0xff, (byte) 0xc3, (byte) 0xbc};
        try (Program program = startLogging("--loops=1");
                RawClient client = new RawClient(socket())) {
            read(client, "file".getBytes(StandardCharsets.UTF_8));
            read(client, "missing".getBytes(StandardCharsets.UTF_8));
            read(client, hostile);
            read(client, foreign);
            read(client, ("d/".repeat(200) + "end").getBytes(StandardCharsets.UTF_8));
            client.send(new byte[] {77}, -1, -1);
            awaitLines(6);
            assertEquals(
                    List.of(
                            "read \"file\" 11/11 ok",
                            "read \"missing\" 0/- ENOENT",
                            "read \"a\\x22\\x0A<3>2026 ok \\x5Cx22\\x1B[2J\" 0/- ENOENT",
                            "read \"b\\xFFü\" 0/- ENOENT",
                            "read ...\"/" + "d/".repeat(86) + "end\" 0/- ENOENT",
                            "request - 0/- EBADMSG"),
                    lines(log).stream().map(AccessLogIT::summary).toList());
            Matcher first = matched(lines(log).get(0));
            assertEquals(Long.toString(ProcessHandle.current().pid()), first.group(2));
            assertEquals("read-write", first.group(7));
            assertEquals("rw-r-----", PosixFilePermissions.toString(Files.getPosixFilePermissions(log)));
            assertEquals(
                    5,
                    program.errors()
                            .lines()
                            .filter(line -> line.startsWith("sendfiled: refused: uid "))
                            .count(),
                    program::errorsSoFar);
            assertTrue(
                    program.errors()
                            .contains("pid " + ProcessHandle.current().pid()
                                    + ": read \"missing\": no such file or directory (ENOENT)\n"),
                    program::errorsSoFar);
        }
    }

    @Test
    void shouldWriteObjectsOfJson() throws Exception {
        try (Program program = startLogging("--loops=1", "--log-format=json");
                RawClient client = new RawClient(socket())) {
            read(client, "file".getBytes(StandardCharsets.UTF_8)); // cold: the disk is not known yet
            read(client, "file".getBytes(StandardCharsets.UTF_8));
            read(client, new byte[] {'b', '"', (byte) 0xff});
            awaitLines(3);
            JsonObject done = JsonParser.parseString(lines(log).get(1)).getAsJsonObject();
            assertEquals("file", done.get("path").getAsString());
            assertEquals("ok", done.get("status").getAsString());
            assertEquals(11, done.get("bytes").getAsLong());
            assertTrue(done.get("total_us").getAsLong()
                    >= done.get("first_byte_us").getAsLong());
            assertFalse(done.get("cold").getAsBoolean());
            JsonObject refused = JsonParser.parseString(lines(log).get(2)).getAsJsonObject();
            assertEquals("b\"\udcff", refused.get("path").getAsString());
            assertEquals("ENOENT", refused.get("status").getAsString());
            List<JsonObject> errors = program.errors()
                    .lines()
                    .map(line -> JsonParser.parseString(line).getAsJsonObject())
                    .toList();
            assertTrue(errors.get(0).get("message").getAsString().startsWith("serving "), program::errorsSoFar);
            assertEquals("info", errors.get(0).get("level").getAsString());
            JsonObject told = errors.get(errors.size() - 1);
            assertEquals("refused", told.get("event").getAsString());
            assertEquals("b\"\udcff", told.get("path").getAsString());
            assertEquals("warning", told.get("level").getAsString());
        }
    }

    @Test
    void shouldLoseNoLineWhenItIsRenamed() throws Exception {
        try (Program program = startLogging();
                RawClient client = new RawClient(socket())) {
            for (int i = 0; i < REQUESTS; i++) {
                if (i % 200 == 0 && i > 0) {
                    Await.until("the file", () -> Files.exists(log));
                }
                if (i % 400 == 200) {
                    Files.move(log, directory.resolve("access.log." + i));
                    program.signal("USR1");
                } else if (i % 400 == 0 && i > 0) {
                    Files.move(log, directory.resolve("access.log." + i));
                    assertEquals(List.of("ok"), ControlPeer.ask(sockets.resolve("sendfiled.a.control"), "reopen"));
                }
                read(client, "file".getBytes(StandardCharsets.UTF_8));
            }
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
        }
        int all = 0;
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.toList()) {
                for (String line : lines(file)) {
                    assertEquals("read \"file\" 11/11 ok", summary(line));
                    all++;
                }
            }
        }
        assertEquals(REQUESTS, all);
    }

    @Test
    void shouldTakeAStormOfSignals() throws Exception {
        try (Program program = startLogging();
                RawClient client = new RawClient(socket())) {
            Process storm = new ProcessBuilder(
                            "/bin/sh",
                            "-c",
                            "i=0; while [ $i -lt 5000 ]; do kill -USR1 " + program.pid() + "; i=$((i + 1)); done")
                    .start();
            for (int i = 0; i < REQUESTS; i++) {
                read(client, "file".getBytes(StandardCharsets.UTF_8));
            }
            assertEquals(0, storm.waitFor());
            awaitLines(REQUESTS);
            lines(log).forEach(AccessLogIT::matched);
            assertEquals(REQUESTS, lines(log).size());
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
        }
    }

    @Test
    void shouldCountWhatAFullDiskDoesNotTake() throws Exception {
        SystemProgram.require("prlimit");
        try (Program program = startLogging();
                RawClient client = new RawClient(socket())) {
            limitFiles(program, "5000");
            for (int i = 0; i < 500; i++) {
                read(client, "file".getBytes(StandardCharsets.UTF_8));
            }
            Await.until("a word about it", () -> program.errorsSoFar().contains("lines of the access log are lost"));
            limitFiles(program, "unlimited");
            int sent = 500;
            while (!program.errorsSoFar().contains("written again")) {
                read(client, "file".getBytes(StandardCharsets.UTF_8));
                sent++;
            }
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
            Matcher missing = MISSING.matcher(program.errors());
            assertTrue(missing.find(), program::errorsSoFar);
            long whole = lines(log).stream()
                    .filter(line -> LINE.matcher(line).matches())
                    .count();
            assertTrue(lines(log).size() - whole <= 1, "more than one line is cut");
            assertEquals(sent, whole + Long.parseLong(missing.group(1)), program::errorsSoFar);
            assertEquals(
                    1,
                    program.errors()
                            .lines()
                            .filter(line -> line.contains("are lost"))
                            .count(),
                    program::errorsSoFar);
        }
    }

    /** One thread waits for it. Requests are served, the log of refusals goes on, and a mebibyte of lines is kept. */
    @Test
    void shouldHoldNobodyWhileItsDiskIsDead() throws Exception {
        Assumptions.assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Files.createFile(log);
        Path slow = scratch.resolve("slow");
        int sent = 0;
        try (HeldDisk disk = HeldDisk.mount(slow, directory, "access", "--writable", "--hold-calls", "write")) {
            try (Program program = start("--access-log=" + slow.resolve("access.log"));
                    RawClient client = new RawClient(socket())) {
                while (!program.errorsSoFar().contains("are lost")) {
                    read(client, "file".getBytes(StandardCharsets.UTF_8));
                    sent++;
                }
                disk.release();
                Await.until("a word about the end", () -> program.errorsSoFar().contains("written again"));
                program.signal("TERM");
                assertEquals(0, program.awaitExit());
                assertFalse(program.errors().contains("no log tells"), program::errorsSoFar);
                Matcher missing = MISSING.matcher(program.errors());
                assertTrue(missing.find(), program::errorsSoFar);
                lines(log).forEach(AccessLogIT::matched);
                assertEquals(sent, lines(log).size() + Long.parseLong(missing.group(1)), program::errorsSoFar);
                assertTrue(lines(log).size() > 5_000, "it has kept few");
            }
        }
    }

    @Test
    void shouldGiveMessagesThePrioritiesThatTheJournalKnows() throws Exception {
        Path errors = scratch.resolve("errors");
        String line = "exec 2>" + errors + "; export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); exec \"$@\"";
        try (Program program = Program.shell(scratch, line, arguments());
                RawClient client = connected()) {
            read(client, "missing".getBytes(StandardCharsets.UTF_8));
            Await.until("two lines", () -> {
                try {
                    return lines(errors).size() >= 2;
                } catch (IOException e) {
                    return false;
                }
            });
            assertTrue(lines(errors).get(0).startsWith("<6>sendfiled: serving "), lines(errors)::toString);
            assertTrue(lines(errors).get(1).startsWith("<4>sendfiled: refused: uid "), lines(errors)::toString);
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
        }
    }

    private static void limitFiles(Program program, String bytes) throws Exception {
        Process prlimit =
                new ProcessBuilder("prlimit", "--pid", Long.toString(program.pid()), "--fsize=" + bytes + ":").start();
        assertEquals(0, prlimit.waitFor());
    }

    @Test
    void shouldServeWhileNobodyReadsItsMessages() throws Exception {
        Path fifo = scratch.resolve("errors");
        assertEquals(0, new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor());
        List<String> arguments = new ArrayList<>(List.of(arguments("--loops=1", "--access-log=" + log)));
        try (Program program =
                        Program.shell(scratch, "exec 2<>" + fifo + "; exec \"$@\"", arguments.toArray(String[]::new));
                RawClient client = connected()) {
            for (int i = 0; i < 200; i++) { // a line each, until there are a hundred in these ten seconds
                read(client, (i % 100 + "x".repeat(3000)).getBytes(StandardCharsets.UTF_8));
            }
            read(client, "file".getBytes(StandardCharsets.UTF_8));
            awaitLines(201);
            assertEquals("read \"file\" 11/11 ok", summary(lines(log).get(200)));
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
        }
    }

    private RawClient connected() throws IOException {
        Await.until("the socket", () -> Files.exists(socket()));
        return new RawClient(socket());
    }

    /** How many requests of that errno the log tells of, in lines of their own and in sums. */
    private static long told(Program program, String errno) {
        String said = program.errorsSoFar();
        long count =
                Pattern.compile("\\(" + errno + "\\)").matcher(said).results().count();
        Matcher sum = Pattern.compile(" more in the last 10 s: .*?" + errno + " ([\\d,]+)")
                .matcher(said);
        while (sum.find()) {
            count += Long.parseLong(sum.group(1).replaceAll("\\D", ""));
        }
        return count;
    }

    @Test
    void shouldTellHowManyItHasLeftOut() throws Exception {
        try (Program program = start();
                RawClient client = new RawClient(socket())) {
            for (int i = 0; i < 1200; i++) {
                read(client, ("missing" + i).getBytes(StandardCharsets.UTF_8));
            }
            for (int i = 0; i < 30; i++) {
                client.send(new byte[] {77}, -1, -1);
            }
            Await.until("a sum", () -> told(program, "ENOENT") == 1200 && told(program, "EBADMSG") == 30);
            List<String> lines = program.errors().lines().toList();
            long sums = lines.stream()
                    .filter(line -> line.contains(" more in the last 10 s: "))
                    .count();
            assertTrue(sums >= 1, program::errorsSoFar);
            long single = lines.stream()
                    .filter(line -> line.contains(" refused: uid "))
                    .count();
            assertTrue(
                    single <= 20 * (sums + 1),
                    program::errorsSoFar); // ten of an errno in each ten seconds: one, as a rule
        }
    }

    @Test
    void shouldRefuseWhatIsNoFileOfItsUser() throws Exception {
        Files.createSymbolicLink(log, directory.resolve("elsewhere"));
        try (Program program = Program.start(scratch, arguments("--access-log=" + log))) {
            assertEquals(1, program.awaitExit());
            assertTrue(program.errors().contains("--access-log: " + log + ": "), program::errorsSoFar);
            assertTrue(program.errors().contains("(ELOOP)"), program::errorsSoFar);
        }
    }
}
