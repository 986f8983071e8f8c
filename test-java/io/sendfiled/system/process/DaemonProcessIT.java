package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.SendfiledClient;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The program's life as a process: how it starts, whom it tells, who it becomes, and how it ends. */
@Timeout(120)
final class DaemonProcessIT extends ProgramTestCase {
    private Path socket(String name) {
        return sockets.resolve("sendfiled." + name + ".socket");
    }

    private Path lock(String name) {
        return sockets.resolve("sendfiled." + name + ".lock");
    }

    private static byte[] nativeInt(int value) {
        return ByteBuffer.allocate(Integer.BYTES)
                .order(ByteOrder.nativeOrder())
                .putInt(value)
                .array();
    }

    private static boolean exists(Path path) {
        return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
    }

    private static String statusLine(long pid, String key) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"), StandardCharsets.ISO_8859_1)) {
            if (line.startsWith(key + ":")) {
                return line.substring(key.length() + 1).trim().replaceAll("\\s+", " ");
            }
        }
        throw new AssertionError("no " + key + " in /proc/" + pid + "/status");
    }

    private String read(String path) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
            client.readTo(path, Channels.newChannel(out)).result().get(20, TimeUnit.SECONDS);
        }
        return out.toString(StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @ValueSource(strings = {"TERM", "INT"})
    void shouldEndCleanlyAndRemoveItsSocketWhenAsked(String signal) throws Exception {
        try (Program program = start()) {
            assertEquals("the content", read("file"));

            program.signal(signal);

            assertEquals(0, program.awaitExit());
            assertFalse(exists(socket("a")));
            assertFalse(exists(lock("a")));
        }
    }

    @Test
    void shouldEndWithStatus0HoweverOftenItIsAsked() throws Exception {
        try (Program program = start()) {
            program.signal("TERM");
            program.signal("INT");
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
        }
    }

    /* R15: both may be noted before the program looks. */
    @Test
    void shouldNotWaitForTransfersWhenItIsAskedTwice() throws Exception {
        try (Program program = start("--stop-timeout=3600000");
                RawClient raw = new RawClient(socket("a"));
                Status opened = raw.request(Wire.OPEN_FILE, "file")) {
            assertEquals("the content".length(), opened.info().size());
            program.signal("TERM");
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
            assertArrayEquals(new byte[] {(byte) Wire.TRANSFER_STATUS, Errno.ESHUTDOWN}, opened.rest());
            assertFalse(exists(lock("a")));
        }
    }

    /* R15 */
    @Test
    void shouldRefuseASocketDirectoryThatOthersCanWriteTo() throws Exception {
        Files.setPosixFilePermissions(sockets, PosixFilePermissions.fromString("rwxr-xrwx"));
        assertRefused(
                "--socket-dir: " + sockets + ": operation not permitted (EPERM): it must belong to this user or to"
                        + " root, and nobody else may write to it unless it is sticky (chmod go-w)",
                arguments());
        assertFalse(exists(lock("a")));
    }

    @Test
    void shouldOutliveSignalsOfOperators() throws Exception {
        try (Program program = start()) {
            program.signal("HUP");
            program.signal("USR1");
            assertEquals("the content", read("file"));
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
        }
    }

    @Test
    void shouldTellAWaitingParentOnceRequestsAreTaken() throws Exception {
        try (Program program = Program.startReporting(scratch, arguments("-p"))) {
            assertArrayEquals(nativeInt(0), program.report(), program.errors());
            assertTrue(program.isAlive());
            assertEquals("the content", read("file"), "the socket takes requests before the report");
            assertEquals("", program.errors(), "a parent that is told needs no words");
        }
    }

    @Test
    void shouldStartWithExactlyWhatTheOriginalsSpawnGives() throws Exception {
        String[] given = {"-S", sockets.toString(), "-s", "a", "-r", root.toString(), "-n", "50", "-t", "1000", "-p"};
        try (Program program = Program.shell(scratch, "exec \"$@\" 3>&1 </dev/null >/dev/null 2>/dev/null", given)) {
            assertArrayEquals(nativeInt(0), program.report());
            assertEquals("the content", read("file"));
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
        }
    }

    @Test
    void shouldTellAWaitingParentWhyItCouldNotStart() throws Exception {
        try (Program running = start()) {
            try (Program second = Program.startReporting(scratch, arguments("-p"))) {
                assertArrayEquals(nativeInt(Errno.EADDRINUSE), second.report());
                assertEquals(1, second.awaitExit());
            }
            assertTrue(running.isAlive());
        }
        try (Program program =
                Program.startReporting(scratch, "-S", sockets.toString(), "-r", scratch + "/missing", "-p")) {
            assertArrayEquals(nativeInt(Errno.ENOENT), program.report());
            assertEquals(1, program.awaitExit());
            assertFalse(exists(socket("default")));
            assertFalse(exists(lock("default")));
        }
        try (Program program = Program.startReporting(scratch, arguments("-p", "-n", "none"))) {
            assertArrayEquals(nativeInt(Errno.EINVAL), program.report());
            assertEquals(2, program.awaitExit());
        }
    }

    @Test
    void shouldNotWriteToADescriptor3ThatIsItsOwn() throws Exception {
        try (Program program = Program.start(scratch, arguments("-p"))) {
            assertEquals(1, program.awaitExit());
            assertTrue(program.errors().startsWith("sendfiled: --sync: descriptor 3 is not one"), program.errors());
        }
    }

    @Test
    void shouldEndWhenTheParentThatWaitsIsGone() throws Exception {
        Path fifo = scratch.resolve("fifo");
        String open = "mkfifo " + fifo + "; exec 4<>" + fifo + " 3>" + fifo + " 4<&-; exec \"$@\"";
        try (Program program = Program.shell(scratch, open, arguments("-p"))) {
            assertEquals(1, program.awaitExit());
            assertTrue(program.errors().contains("the parent at descriptor 3 is gone"), program.errors());
            assertFalse(exists(socket("a")));
        }
    }

    @Test
    void shouldRefuseToStartTwiceAndNameTheOneThatRuns() throws Exception {
        try (Program first = start();
                Program second = Program.start(scratch, arguments())) {
            assertEquals(1, second.awaitExit());
            assertEquals(
                    "sendfiled: an instance named 'a' is already running (pid " + first.pid() + ") at " + socket("a")
                            + "\n",
                    second.errors());
            assertEquals("the content", read("file"), "the first serves on");
        }
    }

    @Test
    void shouldReplaceTheSocketThatAKilledInstanceLeft() throws Exception {
        try (Program killed = start()) {
            killed.signal("KILL");
            killed.awaitExit();
        }
        assertTrue(exists(socket("a")), "a killed daemon cannot clean up");

        try (Program next = start()) {
            Await.until("the new instance's lock", () -> holds(lock("a"), next.pid()));
            assertEquals("the content", read("file"));
        }
    }

    private static boolean holds(Path lock, long pid) {
        try {
            return Files.readString(lock).equals(pid + "\n");
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    void shouldRunInTheBackgroundAndReturnOnceRequestsAreTaken() throws Exception {
        try (Program parent = Program.start(scratch, arguments("-d"))) {
            assertEquals(0, parent.awaitExit(), parent.errors());
            assertEquals("", parent.output(), "standard output is held open by nobody");
            long pid = Long.parseLong(Files.readString(lock("a")).trim());
            Path log = scratch.resolve("sendfiled." + Files.getAttribute(scratch, "unix:uid") + ".a.log");
            String serving = "sendfiled: serving " + root + " as 'a' at " + socket("a") + " (pid " + pid
                    + ", messages in " + log + ")\n";
            assertEquals(serving, parent.errors());
            try {
                assertEquals(serving, Files.readString(log));
                assertNotEquals(parent.pid(), pid);
                assertEquals("the content", read("file"));
                assertEquals(pid, session(pid), "a session of its own");
                assertEquals(Path.of("/"), Files.readSymbolicLink(Path.of("/proc/" + pid + "/cwd")));
                for (int fd = 0; fd < 3; fd++) {
                    assertEquals(
                            fd < 2 ? Path.of("/dev/null") : log,
                            Files.readSymbolicLink(Path.of("/proc/" + pid + "/fd/" + fd)));
                }
            } finally {
                Program.signal(pid, "TERM");
            }
            Await.until("the end of the background process", () -> !exists(Path.of("/proc/" + pid)) || isZombie(pid));
            assertFalse(exists(socket("a")));
        }
    }

    private static long session(long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
        return Long.parseLong(stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[3]);
    }

    /* Where nobody reaps orphans, as in a container whose first process does not. */
    private static boolean isZombie(long pid) {
        try {
            return statusLine(pid, "State").startsWith("Z");
        } catch (IOException e) {
            return true;
        }
    }

    @Test
    void shouldSayWhyItCouldNotStartInTheBackground() throws Exception {
        try (Program running = start();
                Program second = Program.startReporting(scratch, arguments("-dp"))) {
            assertArrayEquals(nativeInt(Errno.EADDRINUSE), second.report());
            assertEquals(1, second.awaitExit());
            assertEquals(
                    "sendfiled: an instance named 'a' is already running (pid " + running.pid() + ") at " + socket("a")
                            + "\n",
                    second.errors(),
                    "one line, from one of the two processes");
        }
    }

    @Test
    void shouldTellAWaitingParentAboutTheBackgroundProcess() throws Exception {
        try (Program parent = Program.startReporting(scratch, arguments("-d", "-p"))) {
            assertArrayEquals(nativeInt(0), parent.report(), parent.errors());
            assertEquals(0, parent.awaitExit());
            long pid = Long.parseLong(Files.readString(lock("a")).trim());
            assertEquals("the content", read("file"));
            Program.signal(pid, "TERM");
            Await.until("the socket's removal", () -> !exists(socket("a")));
        }
    }

    @Test
    void shouldStartInAnAlmostEmptyEnvironment() throws Exception {
        List<String> command =
                List.of(Program.LAUNCHER.toString(), "-S", sockets.toString(), "-s", "a", "-r", root.toString());
        Map<String, String> environment = Program.ALLOW_ROOT;
        try (Program program = Program.start(scratch, command, environment)) {
            program.awaitServing(socket("a"));
            assertEquals("the content", read("file"));
        }
    }

    /* The name's bytes come from the shell: the JVM of the tests may run in a locale that has no such name. */
    @Test
    void shouldServeADirectoryWhoseNameIsNotAsciiWithoutALocale() throws Exception {
        String line = "cd root && d=$(printf 'gr\\303\\266\\303\\237e') && mkdir \"$d\" && echo other >\"$d/file\""
                + " && exec \"$@\" -r \"$d\"";
        try (Program program = Program.shell(scratch, line, "-S", sockets.toString(), "-s", "a")) {
            program.awaitServing(socket("a"));
            assertEquals("other\n", read("file"));
        }
    }

    @Test
    void shouldFindASocketDirectoryByItself() throws Exception {
        Files.setPosixFilePermissions(sockets, PosixFilePermissions.fromString("rwx------"));
        List<String> command = List.of(Program.LAUNCHER.toString());
        // root has another place than the session's, FoundIT
        String variable = Program.ROOT ? "SENDFILED_SOCKET_DIR" : "XDG_RUNTIME_DIR";
        Map<String, String> environment = Map.of(variable, sockets.toString(), "SENDFILED_ALLOW_ROOT", "1");
        try (Program program = Program.start(scratch, command, environment)) {
            program.awaitServing(socket("default"));
            assertTrue(program.errors().contains("serving " + scratch + " as 'default'"), program.errors());
        }
    }

    @Test
    void shouldRefuseRootWithTheReasonAndTheRemedy() throws Exception {
        assumeTrue(Program.ROOT, "the tests do not run as root");
        List<String> command = List.of(Program.LAUNCHER.toString(), "-S", sockets.toString());
        for (List<String> given : List.of(command, List.of(Program.LAUNCHER.toString(), "-u", "root"))) {
            try (Program program = Program.start(scratch, given, Map.of())) {
                assertEquals(1, program.awaitExit());
                assertTrue(program.errors().startsWith("sendfiled: refusing to run as root: "), program.errors());
                assertTrue(program.errors().contains("--user"), program.errors());
                assertTrue(program.errors().contains("--allow-root"), program.errors());
                assertFalse(exists(socket("default")));
            }
        }
    }

    /** D23 */
    @Test
    void shouldBecomeTheUserWithoutTheGroupsOfRootD23() throws Exception {
        assumeTrue(Program.ROOT, "only root can become another user");
        openToAll(scratch, sockets, root);
        try (Program program = Program.shell(
                scratch, "exec \"$@\"", arguments("-u", "54321", "-g", "54322", "--socket-dir", sockets + "/own"))) {
            Path socket = sockets.resolve("own/sendfiled.a.socket");
            program.awaitServing(socket);

            assertEquals("54321 54321 54321 54321", statusLine(program.pid(), "Uid"));
            assertEquals("54322 54322 54322 54322", statusLine(program.pid(), "Gid"));
            assertEquals("54322", statusLine(program.pid(), "Groups"));
            assertEquals("0000000000000000", statusLine(program.pid(), "CapEff"));
            assertEquals("0000000000000000", statusLine(program.pid(), "CapPrm"));
            assertEquals(54321, Files.getAttribute(socket, "unix:uid"));
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)));
            assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket.getParent())));
            for (Path task : tasks(program.pid())) {
                assertTrue(
                        Files.readString(task.resolve("status")).contains("Uid:\t54321\t54321\t54321\t54321\n"),
                        "a thread kept its user");
            }
        }
    }

    @Test
    void shouldServeTheUserThatItBecame() throws Exception {
        assumeTrue(Program.ROOT, "only root can become another user");
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/setpriv")), "setpriv (util-linux) is not here");
        openToAll(scratch, sockets, root);
        // The build may stand in a directory that the other user cannot enter.
        Path build = Path.of(System.getProperty("sendfiled.test.bin", "target/cmake/bin"));
        Path driver = Files.copy(build.resolve("client_driver"), scratch.resolve("client_driver"));
        Files.copy(build.resolveSibling("lib/libsendfiled.so.1"), scratch.resolve("libsendfiled.so.1"));
        Files.setPosixFilePermissions(driver, PosixFilePermissions.fromString("rwxr-xr-x"));
        String[] become = {"/usr/bin/setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"};
        List<String> client = new ArrayList<>(List.of(become));
        client.addAll(List.of(driver.toString(), sockets.toString(), "a", "send", "file", "unix"));
        try (Program program = start("-u", "54321")) {
            try (Program reading = Program.start(scratch, client, Map.of("LD_LIBRARY_PATH", scratch.toString()))) {
                String outcome = reading.output();
                assertEquals(0, reading.awaitExit(), reading.errors());
                assertTrue(outcome.contains("\"received\":11,\"complete\":true"), outcome);
            }
            program.signal("TERM");
            assertEquals(0, program.awaitExit(), "it removes its socket as the other user");
            assertFalse(exists(socket("a")));
        }
    }

    /** As /tmp is: everybody may write, but replace only what is his own. */
    private static void openToAll(Path... directories) throws IOException {
        for (Path directory : directories) {
            Files.setAttribute(directory, "unix:mode", 01777);
        }
    }

    private static List<Path> tasks(long pid) throws IOException {
        try (var tasks = Files.list(Path.of("/proc/" + pid + "/task"))) {
            return tasks.toList();
        }
    }

    @Test
    void shouldRefuseUsersAndGroupsThatDoNotExist() throws Exception {
        try (Program program = Program.start(scratch, arguments("-u", "no-such-user-here"))) {
            assertEquals(1, program.awaitExit());
            assertEquals("sendfiled: --user: no-such-user-here: no such user\n", program.errors());
        }
        try (Program program = Program.start(scratch, arguments("-g", "no-such-group-here"))) {
            assertEquals(1, program.awaitExit());
            assertEquals("sendfiled: --group: no-such-group-here: no such group\n", program.errors());
        }
    }

    @Test
    void shouldRefuseMoreTransfersThanDescriptorsAllow() throws Exception {
        try (Program program = Program.shell(scratch, "ulimit -n 1000; exec \"$@\"", arguments("-n", "500"))) {
            assertEquals(1, program.awaitExit());
            assertEquals(
                    "sendfiled: --max-transfers: 500 transfers need 1564 descriptors, but only 1000 may be open"
                            + " (ulimit -Hn): at most 312 fit\n",
                    program.errors());
        }
        try (Program program = Program.shell(scratch, "ulimit -n 1000; exec \"$@\"", arguments())) {
            program.awaitServing(socket("a"));
        }
    }

    @Test
    void shouldRaiseTheSoftLimitOfOpenFiles() throws Exception {
        try (Program program =
                Program.shell(scratch, "ulimit -Sn 500; ulimit -Hn 4000; exec \"$@\"", arguments("-n", "1000"))) {
            program.awaitServing(socket("a"));
            String limits = Files.readString(Path.of("/proc/" + program.pid() + "/limits"));
            assertTrue(limits.matches("(?s).*Max open files\\s+4000\\s+4000.*"), limits);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"--frob", "--loops=99", "operand"})
    void shouldRefuseWrongUsageInOneLine(String argument) throws Exception {
        try (Program program = Program.start(scratch, arguments(argument))) {
            assertEquals(2, program.awaitExit());
            assertEquals("", program.output());
            assertTrue(program.errors().matches("sendfiled: .*\n"), program.errors());
            assertFalse(exists(socket("a")));
        }
    }

    @Test
    void shouldTellHelpAndVersionOnStandardOutput() throws Exception {
        try (Program program = Program.start(scratch, "--help")) {
            String help = program.output();
            assertEquals(0, program.awaitExit());
            assertTrue(help.startsWith("Usage: sendfiled "), help);
            assertTrue(help.contains("--max-transfers N"), help);
            assertEquals("", program.errors());
        }
        try (Program program = Program.start(scratch, "--version")) {
            String version = program.output();
            assertEquals(0, program.awaitExit());
            assertTrue(version.matches("sendfiled \\d+\\.\\d+\\.\\d+\\S*\n"), version);
        }
    }

    @Test
    void shouldNameTheOptionWhoseDirectoryIsNone() throws Exception {
        Path file = root.resolve("file");
        assertRefused("--root: " + file + ": not a directory (ENOTDIR)", "-S", sockets.toString(), "-r", "root/file");
        assertRefused(
                "--root: " + scratch + "/missing: no such file or directory (ENOENT)",
                "-S",
                sockets.toString(),
                "-r",
                "missing");
        assertRefused("--socket-dir: " + file + ": not a directory (ENOTDIR)", "-S", file.toString());
        assertRefused("--socket-dir: " + scratch + "/a/b: no such file or directory (ENOENT)", "-S", scratch + "/a/b");
    }

    @Test
    void shouldNotRemoveWhatIsNotItsOwn() throws Exception {
        Files.writeString(socket("a"), "precious");
        assertRefused(socket("a") + " or its lock is there and not ours: file exists (EEXIST)", arguments());
        assertEquals("precious", Files.readString(socket("a")));
    }

    private void assertRefused(String message, String... arguments) throws Exception {
        try (Program program = Program.start(scratch, arguments)) {
            assertEquals(1, program.awaitExit());
            assertEquals("sendfiled: " + message + "\n", program.errors());
        }
    }
}
