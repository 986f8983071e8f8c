package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.SendfiledClient;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.SystemProgram;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * R24: what whoever starts the daemon leaves it with: outputs that nobody reads, signals that are blocked, descriptors that
 * are closed, no room for threads; and what becomes of its socket and of its last words.
 */
@Timeout(120)
final class ParentIT extends ProgramTestCase {
    /** No other process runs as this user, so that a limit of processes counts this daemon's threads alone. */
    private static final String USER = "54397";

    private static final int OPENS = 40;
    private static final int FIFO_SIZE = 65_536;

    /** The command that runs a copy of the program as {@link #USER}, who may enter it, and all that it needs. */
    private List<String> asUser(String... more) throws IOException {
        assumeTrue(Program.ROOT, "only root can become another user");
        SystemProgram.require("setpriv");
        SystemProgram.require("prlimit");
        for (Path directory : List.of(scratch, sockets, root)) {
            Files.setAttribute(directory, "unix:mode", 01777);
        }
        Path dist = scratch.resolve("dist");
        for (String part : List.of("bin", "lib/sendfiled")) {
            Path from = Program.LAUNCHER.resolveSibling("../" + part).normalize();
            Path to = Files.createDirectories(dist.resolve(part));
            try (Stream<Path> files = Files.list(from)) {
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    Files.copy(file, to.resolve(file.getFileName()), StandardCopyOption.COPY_ATTRIBUTES);
                }
            }
        }
        List<String> command =
                new ArrayList<>(List.of("setpriv", "--reuid=" + USER, "--regid=" + USER, "--clear-groups"));
        command.addAll(List.of(more));
        command.add(dist.resolve("bin/sendfiled").toString());
        return command;
    }

    private Program shell(String line, List<String> command, Map<String, String> environment, String... arguments)
            throws IOException {
        List<String> all = new ArrayList<>(List.of("/bin/sh", "-c", line, "sh"));
        all.addAll(command);
        all.addAll(Arrays.asList(arguments));
        return Program.start(scratch, all, environment);
    }

    /* As the daemon's user: root may lack CAP_SYS_RESOURCE, as in a container. */
    private static void limitThreads(long pid, String limit) throws Exception {
        List<String> command = List.of(
                "setpriv",
                "--reuid=" + USER,
                "--regid=" + USER,
                "--clear-groups",
                "prlimit",
                "--pid=" + pid,
                "--nproc=" + limit + ":");
        Process prlimit = new ProcessBuilder(command).inheritIO().start();
        assertTrue(prlimit.waitFor(20, TimeUnit.SECONDS));
        assertEquals(0, prlimit.exitValue());
    }

    private static int threads(long pid) {
        try (Stream<Path> tasks = Files.list(Path.of("/proc/" + pid + "/task"))) {
            return (int) tasks.count();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /*
     * Of a FIFO that it may open the daemon makes one that does not block. One that it may not open blocks whoever writes
     * there, for ever: with the warnings of the JVM that is the thread that starts threads, and no other one.
     */
    @ParameterizedTest
    @ValueSource(strings = {"622", "600"})
    void shouldServeWhileNobodyReadsItsOutputAndNoThreadCanBeStarted(String mode) throws Exception {
        boolean opens = mode.equals("622");
        Map<String, String> warn =
                Map.of("SENDFILED_JAVA_OPTS", "-XX:-DisplayVMOutputToStderr -Xlog:all=warning:stdout");
        List<Status> opened = new ArrayList<>();
        try (RandomAccessFile fifo = fullFifo(mode);
                Program program = shell("exec \"$@\" >fifo 2>fifo", asUser(), warn, arguments())) {
            Await.until("the socket", () -> Files.exists(socket()) || !program.isAlive());
            assertEquals("the content", read());
            limitThreads(program.pid(), "1");
            int before = threads(program.pid()); // until the limit the JVM may start some of its own
            try (RawClient raw = new RawClient(socket())) {
                for (int i = 0; i < OPENS; i++) {
                    opened.add(raw.request(Wire.READ_FILE, "missing-" + i)); // not in memory: needs a thread
                    assertEquals("the content", read());
                }
                assertTrue(threads(program.pid()) <= before, "the limit was not felt");
                if (opens) {
                    limitThreads(program.pid(), "1000");
                    for (Status status : opened) {
                        assertArrayEquals(new byte[] {(byte) Wire.FILE_INFO, Errno.ENOENT}, status.rest());
                    }
                }
                assertEquals("the content", read());
            } finally {
                for (Status status : opened) {
                    status.close();
                }
            }
            assertEquals(FIFO_SIZE, fifo.read(new byte[2 * FIFO_SIZE]), "nobody has read");
        }
    }

    /** Open for reading and for writing, so that a write to it waits, and does not fail. */
    private RandomAccessFile fullFifo(String mode) throws Exception {
        Path path = scratch.resolve("fifo");
        Process mkfifo = new ProcessBuilder("mkfifo", "-m", mode, path.toString())
                .inheritIO()
                .start();
        assertTrue(mkfifo.waitFor(20, TimeUnit.SECONDS));
        RandomAccessFile fifo = new RandomAccessFile(path.toFile(), "rw");
        fifo.write(new byte[FIFO_SIZE]);
        return fifo;
    }

    /* All of them, as a thread that waits for signals by sigwait(3) or signalfd(2) leaves them to its children. */
    @ParameterizedTest
    @ValueSource(strings = {"--block-signal", "--ignore-signal", "--block-signal --ignore-signal"})
    void shouldStartAndEndWhateverSignalsItsParentBlocksAndIgnores(String how) throws Exception {
        try (Program program = Program.shell(
                scratch,
                "exec /usr/bin/env " + how + " -- \"$@\"",
                arguments("--sandbox=auto", "--idle-timeout=2000"))) {
            program.awaitServing(socket());
            assertEquals("the content", read());
            program.signal("TERM");
            assertEquals(0, program.awaitExit(), program.errors());
            assertFalse(Files.exists(socket()));
        }
    }

    @Test
    void shouldNameTheBlockedSignalsWhenNobodyUnblocksThem() throws Exception {
        Path lib = Program.LAUNCHER.resolveSibling("../lib/sendfiled").normalize();
        String line =
                "exec /usr/bin/env --block-signal=RTMIN+2 --block-signal=RTMIN+3 --block-signal=USR1 --block-signal=TERM "
                        + java() + " -Dsendfiled.library.path="
                        + lib + " -jar " + lib.resolve("sendfiled.jar") + " " + String.join(" ", arguments("-p"))
                        + " 3>&1 >/dev/null";
        try (Program program = Program.shell(scratch, line)) {
            assertArrayEquals(nativeInt(Errno.EINVAL), program.report());
            assertEquals(1, program.awaitExit());
            assertTrue(program.errors().contains("blocks the signals 15, 36-37, which"), program.errors());
            assertEquals(1, program.errors().lines().count(), program.errors());
        }
    }

    private static String java() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    private static byte[] nativeInt(int value) {
        return ByteBuffer.allocate(Integer.BYTES)
                .order(ByteOrder.nativeOrder())
                .putInt(value)
                .array();
    }

    @Test
    void shouldNotTakeClosedOutputsForItsFiles() throws Exception {
        try (Program program = Program.shell(scratch, "exec \"$@\" <&- >&- 2>&-", arguments())) {
            Await.until("the socket", () -> Files.exists(socket()) || !program.isAlive());
            assertEquals("the content", read());
            for (int fd = 0; fd < 3; fd++) {
                Path link = Path.of("/proc/" + program.pid() + "/fd/" + fd);
                assertEquals(Path.of("/dev/null"), Files.readSymbolicLink(link));
            }
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"-p", "-dp"})
    void shouldSayInOneLineAndByErrnoThatItsThreadsCannotBeStarted(String option) throws Exception {
        // In the background: enough for the first process, and not for two.
        String limit = "--nproc=" + (option.equals("-p") ? 10 : 40);
        try (Program program =
                shell("exec \"$@\" 3>&1 >/dev/null", asUser("prlimit", limit), Map.of(), arguments(option))) {
            assertArrayEquals(nativeInt(Errno.EAGAIN), program.report(), program.errors());
            assertEquals(1, program.awaitExit());
            assertTrue(
                    program.errors()
                            .matches(
                                    "sendfiled: cannot start: it needs 32 threads, and may have \\d+: Resource temporarily"
                                            + " unavailable \\(see ulimit -u, and pids.max of its control group\\)\n"),
                    program.errors());
            assertFalse(Files.exists(socket()));
        }
    }

    @Test
    void shouldGiveItsSocketTheNameBackThatSomebodyHasRemoved() throws Exception {
        try (Program program = Program.start(scratch, arguments("--sandbox=on"));
                SendfiledClient before = connected(program)) {
            Path spare = sockets.resolve(".sendfiled.a.spare");
            for (Path file : List.of(socket(), spare, socket())) {
                Files.delete(file);
                Await.until("its name", () -> Files.exists(file));
            }
            assertEquals("the content", read());
            assertEquals(
                    11, before.read("file").info().get(20, TimeUnit.SECONDS).size());
            Await.until("a word of it", () -> says(program, socket() + "; it is there again"));
            program.signal("TERM");
            assertEquals(0, program.awaitExit(), program.errors());
            try (Stream<Path> left = Files.list(sockets)) {
                assertEquals(List.of(), left.toList());
            }
        }
    }

    private SendfiledClient connected(Program program) throws IOException {
        program.awaitServing(socket());
        return SendfiledClient.connect(sockets, "a");
    }

    private static boolean says(Program program, String words) {
        try {
            return program.errors().contains(words);
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    void shouldLeaveWhatSomebodyHasPutInTheSocketsPlaceAndSaySo() throws Exception {
        try (Program program = Program.start(scratch, arguments())) {
            program.awaitServing(socket());
            Path other = Files.writeString(sockets.resolve("other"), "precious");
            Files.move(other, socket(), StandardCopyOption.REPLACE_EXISTING);
            Await.until("a word of it", () -> says(program, "somebody replaced " + socket() + " (EEXIST)"));
            assertEquals("precious", Files.readString(socket()));

            Files.delete(socket()); // it looks again now and then
            Await.until("its name", () -> Files.exists(socket()));
            assertEquals("the content", read());
        }
    }

    /* What systemd-tmpfiles tries before it cleans a directory: it leaves one alone that is locked. */
    @Test
    void shouldLockItsDirectoryAgainstCleaners() throws Exception {
        SystemProgram.require("flock");
        try (Program program = Program.start(scratch, arguments())) {
            program.awaitServing(socket());
            assertEquals(1, clean());
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
            assertEquals(0, clean());
        }
    }

    private int clean() throws Exception {
        Process cleaner = new ProcessBuilder("flock", "-xn", sockets.toString(), "true").start();
        assertTrue(cleaner.waitFor(20, TimeUnit.SECONDS));
        return cleaner.exitValue();
    }

    @Test
    void shouldReportACrashOnStandardError() throws Exception {
        try (Program program = Program.start(scratch, arguments())) {
            program.awaitServing(socket());
            program.signal("SEGV");
            assertEquals(134, program.awaitExit());
            assertTrue(program.errors().contains("SIGSEGV"), program.errors());
            assertTrue(program.errors().contains("libjvm.so"), "the whole report");
            assertNoReportIn(scratch, sockets);
        }
    }

    @Test
    void shouldReportACrashInTheBackgroundInItsLog() throws Exception {
        try (Program program = Program.start(scratch, arguments("-d"))) {
            assertEquals(0, program.awaitExit(), program.errors());
            long pid = Long.parseLong(
                    Files.readString(sockets.resolve("sendfiled.a.lock")).strip());
            Path log = scratch.resolve("sendfiled." + Files.getAttribute(scratch, "unix:uid") + ".a.log");
            assertEquals(program.errors(), Files.readString(log), "where it serves");
            Program.signal(pid, "SEGV");
            Await.until("the report", () -> holds(log, "END."));
            assertTrue(holds(log, "SIGSEGV"));
            assertNoReportIn(scratch, sockets);
        }
    }

    private static boolean holds(Path file, String text) {
        try {
            return Files.readString(file).contains(text);
        } catch (IOException e) {
            return false;
        }
    }

    private static void assertNoReportIn(Path... directories) throws IOException {
        for (Path directory : directories) {
            try (Stream<Path> files = Files.list(directory)) {
                assertEquals(
                        List.of(),
                        files.filter(file -> file.toString().contains("hs_err")).toList());
            }
        }
    }
}
