package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Source;
import io.sendfiled.client.TransferException;
import io.sendfiled.jni.SandboxNative;
import io.sendfiled.support.Await;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The daemon's sandbox as a process has it. What the sandbox refuses, native/sandbox_test.cc tries from inside; that all
 * transfers work in it, every system test shows whose daemon is a process.
 */
@Timeout(120)
final class SandboxIT extends ProgramTestCase {
    /** One from before the socket is made, one from after. */
    private static final int FILTERS = 2;

    private static final String LANDLOCK = "landlock_create_ruleset";

    private static void assumeSandbox() {
        assumeTrue(SandboxNative.landlock() >= 0, "this kernel has no Landlock");
        assumeTrue(SandboxNative.seccomp() >= 0, "this kernel has no seccomp filters");
    }

    private static int status(Path of, String key) throws IOException {
        for (String line : Files.readAllLines(of.resolve("status"), StandardCharsets.ISO_8859_1)) {
            if (line.startsWith(key + ":")) {
                return Integer.parseInt(line.substring(key.length() + 1).trim());
            }
        }
        return 0;
    }

    /** Until it has so many filters more than this process; how many these are together. */
    private static int awaitFilters(long pid, int own) throws IOException {
        int filters = status(Path.of("/proc/self"), "Seccomp_filters") + own;
        Await.until("the last filter", () -> {
            try {
                return status(Path.of("/proc/" + pid), "Seccomp_filters") == filters;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        return filters;
    }

    private static void assertConfined(long pid) throws IOException {
        int filters = awaitFilters(pid, FILTERS);
        Path process = Path.of("/proc/" + pid);
        try (var tasks = Files.list(process.resolve("task"))) {
            for (Path task : tasks.toList()) {
                assertEquals(1, status(task, "NoNewPrivs"), task.toString());
                assertEquals(2, status(task, "Seccomp"), task.toString());
                assertEquals(filters, status(task, "Seccomp_filters"), task.toString());
            }
        }
    }

    @Test
    void shouldConfineEveryThreadAndServe() throws Exception {
        assumeSandbox();
        try (Program program = start("--sandbox=on")) {
            assertConfined(program.pid());
            assertEquals("the content", read());
            assertConfined(program.pid());
            assertFalse(program.errors().contains("sandbox"), program.errors());
            program.signal("TERM");
            assertEquals(0, program.awaitExit(), "it removes its socket and its lock");
            try (var left = Files.list(sockets)) {
                assertEquals(List.of(), left.toList());
            }
        }
    }

    @Test
    void shouldConfineItselfWhenNothingIsSaid() throws Exception {
        assumeSandbox();
        try (Program program = start()) {
            assertConfined(program.pid());
        }
    }

    @Test
    void shouldConfineTheBackgroundProcess() throws Exception {
        assumeSandbox();
        try (Program parent = Program.startReporting(scratch, arguments("-d", "-p", "--sandbox=on"))) {
            assertArrayEquals(nativeInt(0), parent.report(), parent.errors());
            assertEquals(0, parent.awaitExit());
            Path lock = sockets.resolve("sendfiled.a.lock");
            long pid = Long.parseLong(Files.readString(lock).trim());
            try {
                assertConfined(pid);
                assertEquals("the content", read());
            } finally {
                Program.signal(pid, "TERM");
            }
            Await.until("the lock's removal", () -> !Files.exists(lock));
        }
    }

    @Test
    void shouldConfineTheUserThatItBecame() throws Exception {
        assumeSandbox();
        assumeTrue(Program.ROOT, "only root can become another user");
        Files.setAttribute(scratch, "unix:mode", 0711);
        Files.setAttribute(root, "unix:mode", 0755);
        Files.setAttribute(sockets, "unix:mode", 01777);
        String own = sockets + "/own";
        try (Program program = Program.start(scratch, arguments("-u", "54321", "--socket-dir", own, "--sandbox=on"))) {
            program.awaitServing(Path.of(own, "sendfiled.a.socket"));
            assertConfined(program.pid());
            assertEquals(54321, Files.getAttribute(Path.of("/proc/" + program.pid() + "/task"), "unix:uid"));
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
        }
    }

    @Test
    void shouldLeaveTheProcessAloneWhenTold() throws Exception {
        try (Program program = start("--sandbox=off")) {
            Path self = Path.of("/proc/self");
            Path process = Path.of("/proc/" + program.pid());
            assertEquals(status(self, "Seccomp_filters"), status(process, "Seccomp_filters"));
            assertEquals(status(self, "NoNewPrivs"), status(process, "NoNewPrivs"));
            assertEquals("the content", read());
        }
    }

    /*
     * The one case in which a client can make the daemon open a file that it names: a source opened with O_DIRECT is opened
     * anew. In the sandbox that works inside the root alone.
     */
    @Test
    void shouldOpenNothingOutsideItsRootForAClient() throws Exception {
        assumeSandbox();
        Path inside = root.resolve("direct");
        Path outside = scratch.resolve("direct");
        Files.write(inside, new byte[8192]);
        Files.write(outside, new byte[8192]);
        try (Program program = start("--sandbox=on")) {
            assertEquals(8192, sendDirect(inside));
            assertEquals(-Errno.EINVAL, sendDirect(outside));
            assertTrue(program.isAlive());
        }
        try (Program program = start("--sandbox=off")) {
            assertEquals(8192, sendDirect(outside));
            assertTrue(program.isAlive());
        }
    }

    /** The bytes moved, or a negated errno. */
    private long sendDirect(Path file) throws Exception {
        try (SendfiledClient client = SendfiledClient.connect(sockets, "a");
                TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, scratch);
                FileChannel channel = openDirect(file)) {
            return client.send(FileRequest.of(Source.of(channel)), destination.destination())
                    .result()
                    .get(20, TimeUnit.SECONDS)
                    .bytesMoved();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof TransferException failure) {
                return -failure.errno();
            }
            throw e;
        }
    }

    /* The option's class is not one that javac lets pass without a warning. */
    private static FileChannel openDirect(Path file) throws IOException, ReflectiveOperationException {
        for (Object option :
                Class.forName("com.sun.nio.file.ExtendedOpenOption").getEnumConstants()) {
            if (option.toString().equals("DIRECT")) {
                return FileChannel.open(file, StandardOpenOption.READ, (OpenOption) option);
            }
        }
        throw new AssertionError("this JDK has no option DIRECT");
    }

    @Test
    void shouldRefuseToStartWhereItShallBeConfinedAndCannot() throws Exception {
        assumeSandbox();
        try (Program program = startWithout(LANDLOCK, "ENOSYS", "--sandbox=on")) {
            assertEquals(1, program.awaitExit());
            assertEquals(
                    "sendfiled: --sandbox=on: files are not confined: landlock_create_ruleset is missing: the kernel has no"
                            + " Landlock, or was started without (lsm=...,landlock), or a seccomp filter, as containers"
                            + " have one, refuses it: function not implemented (ENOSYS)\n",
                    program.errors());
            assertFalse(Files.exists(sockets.resolve("sendfiled.a.socket")));
        }
        try (Program program = startWithout(LANDLOCK + ",seccomp", "ENOSYS", "--sandbox=on")) {
            assertEquals(1, program.awaitExit());
            assertEquals(
                    "sendfiled: --sandbox=on: the kernel has neither Landlock nor seccomp filters: function not"
                            + " implemented (ENOSYS)\n",
                    program.errors());
        }
    }

    @Test
    void shouldTakeWhatTheKernelHasAndSaySoOnce() throws Exception {
        assumeSandbox();
        try (Program program = startWithout(LANDLOCK, "ENOSYS")) {
            program.awaitServing(sockets.resolve("sendfiled.a.socket"));
            assertEquals("the content", read());
            String errors = program.errors();
            assertTrue(errors.startsWith("sendfiled: no full sandbox: files are not confined: "), errors);
            assertEquals(2, errors.lines().count(), errors);
            awaitFilters(program.pid(), 1 + FILTERS); // that of the test, and those of the daemon
        }
    }

    @Test
    void shouldSayNothingToAParentThatWaits() throws Exception {
        Path without = HelperProgram.path("without");
        String line = "exec " + without + " " + LANDLOCK + " ENOSYS \"$@\" 3>&1 >/dev/null";
        try (Program program = Program.shell(scratch, line, arguments("-p"))) {
            assertArrayEquals(nativeInt(0), program.report(), program.errors());
            assertEquals("", program.errors());
        }
        try (Program program = Program.shell(scratch, line, arguments("-p", "--sandbox=on"))) {
            assertArrayEquals(nativeInt(Errno.ENOSYS), program.report(), program.errors());
            assertEquals(1, program.awaitExit());
        }
    }

    @Test
    void shouldRefuseARootWhosePlaceOthersCanTake() throws Exception {
        assumeTrue(Program.ROOT, "not asked of a daemon that is not started as root");
        Path shared = Files.createDirectory(scratch.resolve("shared"));
        Path served = Files.createDirectory(shared.resolve("served"));
        Files.setAttribute(shared, "unix:mode", 0777);
        try (Program program = Program.start(scratch, "-S", sockets.toString(), "-r", served.toString())) {
            assertEquals(1, program.awaitExit());
            assertEquals(
                    "sendfiled: --root: " + served + ": " + shared
                            + " may be written by others (owner uid 0, mode 0777),"
                            + " who could put another directory in its place: chmod go-w " + shared
                            + ", or start as the user that shall serve\n",
                    program.errors());
        }
        Files.setAttribute(shared, "unix:mode", 0755);
        try (Program program = Program.start(scratch, "-S", sockets.toString(), "-s", "a", "-r", served.toString())) {
            program.awaitServing(sockets.resolve("sendfiled.a.socket"));
        }
    }

    private static byte[] nativeInt(int value) {
        return ByteBuffer.allocate(Integer.BYTES)
                .order(ByteOrder.nativeOrder())
                .putInt(value)
                .array();
    }
}
