package io.sendfiled.tools;

import static io.sendfiled.support.ScriptedDaemon.fileInfo;
import static io.sendfiled.support.ScriptedDaemon.join;
import static io.sendfiled.support.ScriptedDaemon.refusal;
import static io.sendfiled.support.ScriptedDaemon.result;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.names.Names;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.ScriptedDaemon;
import io.sendfiled.support.ScriptedDaemon.Request;
import io.sendfiled.sys.Errno;
import java.io.ByteArrayOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of the file that sfd writes to, and of the one that was there. */
@Timeout(60)
final class OutputTest {
    private static final byte[] NEW = {1, 2, 3};

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private Path directory;
    private Path files;
    private Path file;
    private ScriptedDaemon daemon;
    private int descriptorsBefore;

    @BeforeEach
    void startDaemon(@TempDir Path fresh) throws IOException {
        directory = fresh;
        files = Files.createDirectory(directory.resolve("files"));
        file = files.resolve("out");
        daemon = new ScriptedDaemon(directory, "default");
        run(out, "stat", "a", "-S", directory.resolve("nowhere").toString()); // loads what stays open
        err.reset();
        descriptorsBefore = OpenDescriptors.count();
    }

    @AfterEach
    void shouldLeakNoDescriptor() throws IOException {
        OpenDescriptors.awaitCount(descriptorsBefore);
        daemon.close();
    }

    private int run(OutputStream stream, String... args) {
        return new Sfd(stream, new PrintStream(err, true, StandardCharsets.UTF_8)).run(args);
    }

    private CompletableFuture<Integer> start(String... args) {
        List<String> all = new ArrayList<>(Arrays.asList(args));
        all.addAll(List.of("-S", directory.toString()));
        return CompletableFuture.supplyAsync(() -> run(out, all.toArray(new String[0])));
    }

    private String err() {
        return err.toString(StandardCharsets.UTF_8);
    }

    /** Reads a whole file of three bytes. */
    private int read(String... args) throws Exception {
        CompletableFuture<Integer> status = start(args);
        Request request = daemon.receive();
        daemon.write(request, 1, NEW);
        daemon.status(request, join(fileInfo(3, 77), result(0, 3, 1, 0, 4)));
        return status.get();
    }

    /** Sends three of a hundred bytes and waits until they are written somewhere. */
    private Request begin() throws IOException {
        Request request = daemon.receive();
        daemon.status(request, fileInfo(100, 77));
        daemon.write(request, 1, NEW);
        return request;
    }

    private void end(Request request) throws IOException {
        daemon.end(request);
        daemon.close(request, 1);
    }

    private Path part() {
        List<Path> parts = new ArrayList<>();
        Await.until("the first bytes", () -> {
            parts.clear();
            parts.addAll(list(".part"));
            return parts.size() == 1 && parts.get(0).toFile().length() == 3;
        });
        return parts.get(0);
    }

    private List<Path> list(String ending) {
        try (Stream<Path> all = Files.list(files)) {
            return all.filter(p -> p.toString().endsWith(ending)).toList();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void shouldKeepTheOldFileUntilTheNewOneIsComplete() throws Exception {
        Files.writeString(file, "precious");
        for (String partial : new String[] {"", "--partial"}) {
            CompletableFuture<Integer> status = partial.isEmpty()
                    ? start("read", "a", "-o", file.toString())
                    : start("read", "a", "-o", file.toString(), partial);
            Request request = begin();
            Path part = part();
            assertEquals("precious", Files.readString(file));
            end(request);

            assertEquals(ExitCode.PARTIAL, status.get());

            assertEquals("precious", Files.readString(file));
            String what =
                    "sfd: a: the daemon ended the transfer without saying why (ECONNABORTED) after 3 of 100 bytes";
            assertEquals(what + (partial.isEmpty() ? "\n" : "; what arrived is in " + part + "\n"), err());
            assertEquals(partial.isEmpty() ? List.of() : List.of(part), list(".part"));
            err.reset();
        }
        assertArrayEquals(NEW, Files.readAllBytes(list(".part").get(0)));
    }

    @Test
    void shouldTellAsJsonWhereAPartIs() throws Exception {
        CompletableFuture<Integer> status = start("read", "a", "-o", file.toString(), "--partial", "--json");
        Request request = begin();
        Path part = part();
        end(request);

        assertEquals(ExitCode.PARTIAL, status.get());

        JsonObject object =
                JsonParser.parseString(out.toString(StandardCharsets.UTF_8)).getAsJsonObject();
        assertEquals(part.toString(), object.get("partial").getAsString());
        assertEquals("", err());
    }

    @Test
    void shouldLeaveNothingOfARefusedRequest() throws Exception {
        CompletableFuture<Integer> status = start("send", "a", "--to", file.toString(), "--partial");
        daemon.status(daemon.receive(), refusal(Errno.ENOENT));

        assertEquals(ExitCode.FAILED, status.get());

        assertEquals(List.of(), list(""));
    }

    @Test
    void shouldKeepTheModeAndGiveANewFileTheUsualOne() throws Exception {
        Path usual = Files.writeString(files.resolve("usual"), "");
        assertEquals(0, read("read", "a", "-o", file.toString()));
        assertEquals(Files.getPosixFilePermissions(usual), Files.getPosixFilePermissions(file));

        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-xr--"));
        assertEquals(0, read("read", "a", "-o", file.toString()));
        assertEquals("rw-r-xr--", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }

    @Test
    void shouldWriteThroughSymbolicLinks() throws Exception {
        Path deep = Files.createDirectory(files.resolve("deep"));
        Path target = Files.writeString(deep.resolve("target"), "old");
        Files.createSymbolicLink(deep.resolve("middle"), Path.of("target"));
        Path link = Files.createSymbolicLink(files.resolve("link"), Path.of("deep/middle"));
        Path dangling = Files.createSymbolicLink(files.resolve("dangling"), Path.of("deep/../deep/made"));

        assertEquals(0, read("read", "a", "-o", link.toString()));
        assertEquals(0, read("read", "a", "-o", dangling.toString()));

        assertTrue(Files.isSymbolicLink(link) && Files.isSymbolicLink(dangling));
        assertArrayEquals(NEW, Files.readAllBytes(target));
        assertArrayEquals(NEW, Files.readAllBytes(deep.resolve("made")));
    }

    @Test
    void shouldRefuseToWriteAFileToItself() throws Exception {
        Files.writeString(file, "precious");
        Path link = Files.createLink(files.resolve("hard"), file);
        for (String inPlace : new String[] {"--partial", "--inplace"}) {
            assertEquals(
                    ExitCode.FAILED,
                    start("send", "--open", file.toString(), "--to", link.toString(), inPlace)
                            .get());
            assertEquals("sfd: " + link + ": it is the file that is sent, and would be written to itself\n", err());
            assertEquals("precious", Files.readString(file));
            err.reset();
        }
    }

    @Test
    void shouldReplaceNothingWhenThatIsAskedFor() throws Exception {
        Files.writeString(file, "precious");
        assertEquals(ExitCode.FAILED, read("read", "a", "-o", file.toString(), "--no-clobber"));
        daemon.receive(); // Cancel
        assertEquals("sfd: " + file + ": file exists (EEXIST)\n", err());

        err.reset();
        Path late = files.resolve("late");
        CompletableFuture<Integer> status = start("read", "a", "-o", late.toString(), "--no-clobber");
        Request request = daemon.receive();
        daemon.status(request, fileInfo(4, 77));
        daemon.write(request, 1, NEW);
        part();
        Files.writeString(late, "precious");
        daemon.write(request, 1, new byte[] {4});
        daemon.status(request, result(0, 4, 1, 0, 4));
        assertEquals(ExitCode.FAILED, status.get());
        assertEquals("sfd: " + late + ": file exists (EEXIST)\n", err());
        assertEquals("precious", Files.readString(late));
        assertEquals(List.of(), list(".part"));

        assertEquals(0, read("read", "a", "-o", files.resolve("new").toString(), "--no-clobber"));
        assertArrayEquals(NEW, Files.readAllBytes(files.resolve("new")));
        assertEquals(List.of(), list(".part"));
    }

    @Test
    void shouldWriteInPlaceWhenThatIsAskedFor() throws Exception {
        Files.writeString(file, "longer than that");
        Object inode = Files.getAttribute(file, "unix:ino");
        assertEquals(0, read("read", "a", "-o", file.toString(), "--inplace"));
        assertEquals(inode, Files.getAttribute(file, "unix:ino"));
        assertArrayEquals(NEW, Files.readAllBytes(file));

        CompletableFuture<Integer> status = start("read", "a", "-o", file.toString(), "--inplace");
        end(begin());
        assertEquals(ExitCode.PARTIAL, status.get());
        assertTrue(err().endsWith(" after 3 of 100 bytes; what arrived is in " + file + "\n"), err());
    }

    @Test
    void shouldTakeNamesOfAnyBytesAndOfAnyLength() throws Exception {
        for (String name : List.of("a\udcff b", "n".repeat(255))) {
            assertEquals(0, read("read", "a", "-o", files + "/" + name));
            assertArrayEquals(NEW, Files.readAllBytes(Names.path(files + "/" + name)));
        }
        assertEquals(List.of(), list(".part"));
    }

    @Test
    void shouldNameTheOutputThatFails() throws Exception {
        assertEquals(ExitCode.FAILED, read("read", "a", "-o", "/dev/full"));
        assertEquals("sfd: /dev/full: no space left on device (ENOSPC)\n", err());
        Path usual = Files.writeString(files.resolve("usual"), "");
        for (String name : List.of(files.toString(), files + "/new/", usual + "/")) {
            err.reset();
            assertEquals(ExitCode.FAILED, read("read", "a", "-o", name));
            daemon.receive(); // Cancel
            assertEquals("sfd: " + name + ": is a directory (EISDIR)\n", err());
        }
        assertEquals(List.of(usual), list(""));
    }

    @Test
    void shouldGiveUpOnAFifoThatNobodyReads() throws Exception {
        Path fifo = files.resolve("fifo");
        assertEquals(0, new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor());
        CompletableFuture<Integer> status = start("read", "a", "-o", fifo.toString(), "--timeout", "0.2");
        daemon.status(daemon.receive(), fileInfo(100, 77));

        assertEquals(ExitCode.TIMEOUT, status.get());

        assertEquals("sfd: " + fifo + ": timed out (ETIMEDOUT)\n", err());
        Files.newInputStream(fifo).close(); // lets the thread go that waits for a reader
    }

    @Test
    void shouldFailWhenStandardOutputIsFull() throws Exception {
        try (FileOutputStream full = new FileOutputStream("/dev/full")) {
            for (String[] args : new String[][] {
                {"--help"}, {"help", "read"}, {"--version"}, {"techniques"}, {"techniques", "--json"}
            }) {
                assertEquals(ExitCode.FAILED, run(full, args));
            }
            for (String json : new String[] {"-q", "--json"}) {
                CompletableFuture<Integer> status =
                        CompletableFuture.supplyAsync(() -> run(full, "stat", "a", "-S", directory.toString(), json));
                Request request = daemon.receive();
                while (request.command() == Wire.CANCEL) { // of the file before
                    request = daemon.receive();
                }
                daemon.status(request, fileInfo(3, 77));
                assertEquals(ExitCode.FAILED, status.get());
            }
        }
        String message = "sfd: standard output: no space left on device (ENOSPC)\n";
        assertEquals(message.repeat(7), err());
    }
}
