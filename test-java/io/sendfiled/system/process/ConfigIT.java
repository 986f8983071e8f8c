package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.Destination;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The configuration of the program: where it comes from, and how it is read again while the daemon serves. */
@Timeout(120)
final class ConfigIT extends ProgramTestCase {
    private Path file; // in a directory of the name that the sandbox leaves readable

    @BeforeEach
    void placeFile() throws IOException {
        file = Files.createDirectory(scratch.resolve("sendfiled")).resolve("a.conf");
    }

    private Program startWithFile(String text, String... more) throws IOException {
        write(text);
        List<String> all = new ArrayList<>(List.of("--config", file.toString()));
        all.addAll(List.of(more));
        return start(all.toArray(new String[0]));
    }

    /** As an editor does it: the name leads to another file then. */
    private void write(String text) throws IOException {
        Path written = Files.writeString(file.resolveSibling("new"), text);
        Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Sends SIGHUP, and gives what the daemon says about that. */
    private static String reload(Program program) throws Exception {
        int before = program.errorsSoFar().length();
        program.signal("HUP");
        Await.until(
                "a word of the reload",
                () -> program.errorsSoFar().substring(before).matches("(?s).*reloaded: .*\n"));
        return program.errorsSoFar().substring(before).replaceAll("(?m)^sendfiled: refused: .*\n", "");
    }

    private List<OpenFile> open(SendfiledClient client, int count) throws Exception {
        List<OpenFile> files = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            files.add(client.open("file").get(20, TimeUnit.SECONDS));
        }
        return files;
    }

    private static void expectRefusal(SendfiledClient client, int errno) {
        ExecutionException e =
                assertThrows(ExecutionException.class, () -> client.open("file").get(20, TimeUnit.SECONDS));
        assertEquals(
                errno, assertInstanceOf(TransferException.class, e.getCause()).errno());
    }

    // ------------------------------------------------------------------ sources

    @Test
    void shouldTakeTheCommandLineBeforeTheEnvironmentBeforeTheFile() throws Exception {
        write("name = f\nroot = \"/nowhere\"\nmax-transfers = 1\nsocket-dir = \"" + sockets + "\"\n");
        Map<String, String> environment = new HashMap<>(Program.ALLOW_ROOT);
        environment.put("SENDFILED_CONFIG", file.toString());
        environment.put("SENDFILED_NAME", "a");
        environment.put("SENDFILED_MAX_TRANSFERS", "2");
        List<String> command = List.of(Program.LAUNCHER.toString(), "--root", root.toString());
        try (Program program = Program.start(scratch, command, environment)) {
            program.awaitServing(socket());
            try (SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
                List<OpenFile> files = open(client, 2);
                expectRefusal(client, Errno.EMFILE);
                files.forEach(OpenFile::close);
            }
        }
    }

    @Test
    void shouldStartWithWhatItPrints() throws Exception {
        write("open-timeout = 90s\ntechniques = [\"pipe=splice\", \"any=read-write\"]");
        String printed = print("--config", file.toString(), "-s", "a\"\u00e4", "--quantum=64k");
        assertTrue(printed.contains("open-timeout = 90s  # " + file + ": 1\n"), printed);
        write(printed);
        assertEquals(
                printed.replaceAll("(?m)  # .*", ""),
                print("--config", file.toString()).replaceAll("(?m)  # .*", ""));
    }

    private String print(String... more) throws Exception {
        List<String> all = new ArrayList<>(List.of(more));
        all.addAll(List.of("-S", sockets.toString(), "-r", root.toString(), "--print-config"));
        try (Program program = Program.start(scratch, all.toArray(new String[0]))) {
            String printed = program.output();
            assertEquals(0, program.awaitExit(), program.errors());
            assertEquals("", program.errors());
            return printed;
        }
    }

    @Test
    void shouldCheckWithoutStarting() throws Exception {
        write("max-transfers = 5\nroot = \"" + root + "\"");
        try (Program program = Program.start(scratch, "--config", file.toString(), "--check-config")) {
            assertEquals("ok\n", program.output());
            assertEquals(0, program.awaitExit());
        }
        write("max-transfers = lots\nroot = \"/nowhere\"\nuser = no-such-user\nloop = 1");
        try (Program program = Program.start(scratch, "--config", file.toString(), "--check-config")) {
            assertEquals(2, program.awaitExit());
            assertEquals("sendfiled: " + file + ": 4: loop: unknown key (did you mean loops?)\n", program.errors());
        }
        write("root = \"/nowhere\"\nuser = no-such-user");
        try (Program program = Program.start(scratch, "--config", file.toString(), "--check-config")) {
            assertEquals(2, program.awaitExit());
            assertEquals(
                    "sendfiled: " + file + ": 2: user: no-such-user: no such user\nsendfiled: " + file
                            + ": 1: root: /nowhere: no such file or directory (ENOENT)\n",
                    program.errors());
        }
    }

    @Test
    void shouldNotStartWithAWrongFile() throws Exception {
        write("max-transfers = lots");
        try (Program program = Program.startReporting(scratch, arguments("-p", "--config", file.toString()))) {
            assertEquals(2, program.awaitExit());
            assertEquals(4, program.report().length, "its parent is told");
            assertEquals(
                    "sendfiled: " + file + ": 1: max-transfers: 'lots' is not a number (1..1000000)\n",
                    program.errors());
        }
    }

    // ------------------------------------------------------------------ reload

    @Test
    void shouldGoOnWithOtherLimits() throws Exception {
        try (Program program = startWithFile("max-transfers = 4");
                SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
            List<OpenFile> files = open(client, 4);
            expectRefusal(client, Errno.EMFILE);
            write("max-transfers = 6\nidle-timeout = 2m");
            assertEquals(
                    "sendfiled: reloaded: max-transfers 4 -> 6, client-transfers 4 -> 6, client-descriptors 76 -> 82,"
                            + " client-disk-tasks 4 -> 6, idle-timeout 5m -> 2m\n",
                    reload(program));
            files.addAll(open(client, 2));
            expectRefusal(client, Errno.EMFILE);

            write("max-transfers = 2");
            reload(program);
            expectRefusal(client, Errno.EMFILE);
            Path out = scratch.resolve("out");
            try (FileChannel channel = FileChannel.open(out, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                files.remove(0).send(Destination.of(channel)).result().get(20, TimeUnit.SECONDS);
            }
            assertEquals("the content", Files.readString(out), "what was accepted goes on");
            files.forEach(OpenFile::close);
            Await.until("room again", () -> {
                try {
                    return "the content".equals(read());
                } catch (Exception e) {
                    return false;
                }
            });
            assertEquals("sendfiled: reloaded: no setting has another value\n", reload(program));
        }
    }

    @Test
    void shouldKeepTheOldSettingsWhenTheFileIsWrong() throws Exception {
        try (Program program = startWithFile("max-transfers = 2");
                SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
            write("max-transfers = 5\nloop = 1\nquantum = x");
            assertEquals(
                    "sendfiled: " + file + ": 2: loop: unknown key (did you mean loops?)\n"
                            + "sendfiled: not reloaded: the old settings hold on\n",
                    reload(program));
            Files.delete(file);
            assertEquals(
                    "sendfiled: " + file + ": no such file or directory (ENOENT)\n"
                            + "sendfiled: not reloaded: the old settings hold on\n",
                    reload(program));
            assertEquals(
                    0, new ProcessBuilder("mkfifo", file.toString()).start().waitFor());
            assertEquals(
                    "sendfiled: " + file + ": is a FIFO, and not a regular file\n"
                            + "sendfiled: not reloaded: the old settings hold on\n",
                    reload(program));
            write("[".repeat(60_000));
            assertTrue(reload(program).endsWith("not reloaded: the old settings hold on\n"));
            List<OpenFile> files = open(client, 2);
            expectRefusal(client, Errno.EMFILE);
            files.forEach(OpenFile::close);
        }
    }

    @Test
    void shouldTellWhatNeedsAnotherStart() throws Exception {
        try (Program program = startWithFile("loops = 1")) {
            write("loops = 2\nbuffer = 1M\nquantum = 1M");
            assertEquals(
                    "sendfiled: " + file + ": 1: loops: changed, which takes effect at the next start\n"
                            + "sendfiled: " + file + ": 2: buffer: changed, which takes effect at the next start\n"
                            + "sendfiled: reloaded: quantum 256KiB -> 1MiB\n",
                    reload(program));
            write("loops = 1");
            assertEquals("sendfiled: reloaded: quantum 1MiB -> 256KiB\n", reload(program));
        }
    }

    @Test
    void shouldObeyAnotherStopTimeoutAndNoHangUpAtTheEnd() throws Exception {
        try (Program program = startWithFile("stop-timeout = 1h");
                SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
            Content.write(root.resolve("big"), 4 << 20);
            var unread = client.read("big").content().get(20, TimeUnit.SECONDS);
            write("stop-timeout = 1s");
            reload(program);
            program.signal("TERM");
            Await.until("the drain", () -> !Files.exists(socket()));
            for (int i = 0; i < 20 && program.isAlive(); i++) {
                program.signal("HUP");
            }
            assertEquals(0, program.awaitExit());
            unread.close();
        }
    }

    /** Once it serves in the background, its working directory is "/"; its names are not ASCII, let alone UTF-8. */
    @Test
    void shouldFindTheSameNamesAgainInTheBackground() throws Exception {
        String line =
                "d=$(printf 'd\\344'); mkdir \"$d\" \"$d/sendfiled\" && cd \"$d\" && echo max-transfers=4 >sendfiled/a &&"
                        + " exec \"$@\"";
        String[] arguments = {"-d", "-S", sockets.toString(), "-s", "a", "-r", "..", "--config", "sendfiled/a"};
        long pid = 0;
        try (Program program = Program.shell(scratch, line, arguments)) {
            assertEquals(0, program.awaitExit(), program.errors());
            pid = Long.parseLong(
                    Files.readString(sockets.resolve("sendfiled.a.lock")).strip());
            Program.signal(pid, "HUP");
            Path log = scratch.resolve("sendfiled." + Files.getAttribute(scratch, "unix:uid") + ".a.log");
            Await.until("a word of the reload", () -> {
                try {
                    return Files.readString(log).contains("reloaded: ");
                } catch (IOException e) {
                    return false;
                }
            });
            String said = Files.readString(log);
            assertTrue(said.endsWith("\nsendfiled: reloaded: no setting has another value\n"), said);
        } finally {
            if (pid > 0) {
                long last = pid;
                Program.signal(pid, "TERM");
                Await.until("its end, and that of its files", () -> ProcessHandle.of(last)
                        .isEmpty());
            }
        }
    }

    /** 64 transfers all the time, and 1,000 signals: none of them fails, and nothing stays open. */
    @Test
    void shouldReloadUnderLoad() throws Exception {
        int size = 300_000;
        Content.write(root.resolve("load"), size);
        try (Program program = startWithFile("max-transfers = 200");
                SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
            reload(program);
            AtomicBoolean once = new AtomicBoolean(true);
            for (int i = 0; i < 64; i++) {
                keepReading(client, size, once, new AtomicInteger()).get(20, TimeUnit.SECONDS);
            }
            int descriptors = openBesideJars(program);
            AtomicBoolean over = new AtomicBoolean();
            AtomicInteger moved = new AtomicInteger();
            List<CompletableFuture<Void>> workers = new ArrayList<>();
            for (int i = 0; i < 64; i++) {
                workers.add(keepReading(client, size, over, moved));
            }
            for (int i = 0; i < 20; i++) {
                write("max-transfers = " + (i % 2 == 0 ? 1000 : 200) + "\nquantum = " + (i % 3 + 1) * 64
                        + "KiB\ntechniques = \"" + (i % 2 == 0 ? "any=read-write" : "pipe=splice") + "\"");
                int before = moved.get();
                new ProcessBuilder("sh", "-c", "for i in $(seq 50); do kill -HUP " + program.pid() + "; done")
                        .inheritIO()
                        .start()
                        .waitFor();
                Await.until(
                        "more transfers",
                        () -> moved.get() > before + 64 || workers.stream().anyMatch(CompletableFuture::isDone));
            }
            over.set(true);
            for (CompletableFuture<Void> worker : workers) {
                worker.get(60, TimeUnit.SECONDS);
            }
            assertFalse(program.errorsSoFar().contains("not reloaded"), program.errorsSoFar());
            assertTrue(program.errorsSoFar().contains("max-transfers 1000 -> 200"), program.errorsSoFar());
            Await.until("the descriptors of before", () -> openBesideJars(program) <= descriptors);
        }
    }

    /** Those of the JVM's jars are opened when the first class is needed that no archive has. */
    private static int openBesideJars(Program program) {
        OpenDescriptors.settledCount(program.pid());
        int count = 0;
        try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/" + program.pid() + "/fd"))) {
            for (Path descriptor : all) {
                count += Files.readSymbolicLink(descriptor).toString().endsWith(".jar") ? 0 : 1;
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return count;
    }

    private static CompletableFuture<Void> keepReading(
            SendfiledClient client, int size, AtomicBoolean over, AtomicInteger moved) {
        return client.readTo("load", Channels.newChannel(new ByteArrayOutputStream(size)))
                .result()
                .thenComposeAsync(result -> {
                    assertEquals(size, result.bytesMoved());
                    moved.incrementAndGet();
                    return over.get()
                            ? CompletableFuture.completedFuture(null)
                            : keepReading(client, size, over, moved);
                });
    }

    // ------------------------------------------------------------------ who may read it

    @Test
    void shouldTellThatTheUserItHasBecomeCannotReadTheFile() throws Exception {
        assumeTrue(Program.ROOT, "only root can become another user");
        Files.setAttribute(sockets, "unix:uid", TestDaemon.OTHER_USER);
        Files.setAttribute(scratch, "unix:mode", 0755);
        write("max-transfers = 4");
        Files.setAttribute(file, "unix:mode", 0600);
        try (Program program = start("--config", file.toString(), "-u", "" + TestDaemon.OTHER_USER)) {
            assertEquals(
                    "sendfiled: " + file + ": permission denied (EACCES): the user that the daemon runs as has to be"
                            + " allowed to read it\nsendfiled: not reloaded: the old settings hold on\n",
                    reload(program));
            write("max-transfers = 5");
            Files.setAttribute(file, "unix:mode", 0644);
            assertTrue(reload(program).startsWith("sendfiled: reloaded: max-transfers 4 -> 5"));
            Files.setAttribute(file, "unix:mode", 0666);
            assertTrue(reload(program).contains("may be written by others"), "as at the start");
        }
    }

    @Test
    void shouldLetTheSandboxedDaemonReadNothingBesideAFileInADirectoryOfOthers() throws Exception {
        Path other = Files.writeString(scratch.resolve("other.conf"), "max-transfers = 4");
        try (Program program = start("--config", other.toString())) {
            assumeTrue(!program.errorsSoFar().contains("no full sandbox"), "this kernel has no Landlock");
            Files.writeString(other, "max-transfers = 5");
            assertTrue(reload(program).startsWith("sendfiled: reloaded: max-transfers 4 -> 5"), "the same file");
            Files.move(
                    Files.writeString(scratch.resolve("x"), "max-transfers = 6"),
                    other,
                    StandardCopyOption.ATOMIC_MOVE);
            String said = reload(program);
            assertTrue(said.startsWith("sendfiled: " + other + ": permission denied (EACCES): the sandbox lets"), said);
            assertTrue(said.endsWith("sendfiled: not reloaded: the old settings hold on\n"), said);
        }
    }
}
