package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.jni.SandboxNative;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.Lengthy;
import io.sendfiled.support.PageCache;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * R22: the daemon where system calls are refused, with ENOSYS as by an older kernel, or with EPERM as by the filter of a
 * container that does not know them. It serves every byte all the same, or it says before it serves which call it lacks.
 */
@Timeout(120)
final class MissingCallsIT extends ProgramTestCase {
    private static final int BIG = 3_000_000;

    private static String message(String error) {
        return Errno.message(error.equals("EPERM") ? Errno.EPERM : Errno.ENOSYS);
    }

    private static String reason(String error) {
        return message(error) + " (" + error + ")";
    }

    /** Files of several sizes to a destination of each type, and by Read File; the largest one cold as well. */
    private void expectEveryByte() throws Exception {
        try (SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
            for (int size : List.of(100, 40_000, BIG)) {
                String name = "file-" + size;
                Path file = root.resolve(name);
                Content content = Content.write(file, size);
                for (TestDestination.Type type : TestDestination.Type.values()) {
                    if (size == BIG) {
                        PageCache.evict(file);
                        assertEquals(content, send(client, name, type), "cold to " + type);
                    }
                    assertEquals(content, send(client, name, type), size + " bytes to " + type);
                }
                if (size == BIG) {
                    PageCache.evict(file);
                    assertEquals(content, read(client, name), "cold, read");
                }
                assertEquals(content, read(client, name), size + " bytes, read");
            }
        }
    }

    private Content send(SendfiledClient client, String name, TestDestination.Type type) throws Exception {
        try (TestDestination destination = TestDestination.open(type, scratch)) {
            CompletableFuture<Content> received = destination.receive();
            client.send(FileRequest.of(name), destination.destination()).await(Await.LONG);
            destination.finishSending();
            return received.get(20, TimeUnit.SECONDS);
        }
    }

    private static Content read(SendfiledClient client, String name) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        client.readTo(name, Channels.newChannel(out)).result().get(20, TimeUnit.SECONDS);
        return Content.of(out.toByteArray());
    }

    private void expectService(String calls, String error) throws Exception {
        try (Program program = startWithout(calls, error)) {
            program.awaitServing(socket());
            expectEveryByte();
            assertTrue(program.isAlive(), program.errors());
            program.signal("TERM");
            assertEquals(0, program.awaitExit(), program.errors());
            assertEquals(1, program.errors().lines().count(), program.errors());
        }
    }

    @Lengthy
    @ParameterizedTest
    @ValueSource(strings = {"EPERM", "ENOSYS"})
    void shouldServeWithoutOneOfTheCallsThatItCanReplace(String error) throws Exception {
        for (String call :
                List.of("cachestat", "preadv2", "pwritev2", "memfd_create", "copy_file_range", "sendfile", "splice")) {
            expectService(call, error);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"EPERM", "ENOSYS"})
    void shouldServeWithoutAllOfThem(String error) throws Exception {
        expectService(
                "cachestat,preadv2,pwritev2,memfd_create,copy_file_range,sendfile,splice,membarrier,close_range,"
                        + "fadvise64,sched_setscheduler",
                error);
    }

    @ParameterizedTest
    @CsvSource({
        "openat2, EPERM",
        "openat2, ENOSYS",
        "statx, EPERM",
        "statx, ENOSYS",
        "recvmmsg, EPERM",
        "recvmmsg, ENOSYS"
    })
    void shouldNameTheCallThatItCannotReplaceAndNotServe(String call, String error) throws Exception {
        try (Program program = startWithout(call, error)) {
            assertEquals(1, program.awaitExit(), program.errors());
            String said = program.errors().toLowerCase(Locale.ROOT); // the launcher has the system's words
            assertTrue(said.startsWith("sendfiled: the system call " + call + " is missing: "), said);
            assertTrue(said.contains("a seccomp filter, as containers have one, refuses it: " + message(error)), said);
            assertEquals(1, said.lines().count(), said);
            assertFalse(Files.exists(socket()));
        }
    }

    @Lengthy
    @ParameterizedTest
    @ValueSource(strings = {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"})
    void shouldGoOnWithoutLandlockAndSaySoUnlessItIsDemanded(String call) throws Exception {
        assumeTrue(SandboxNative.landlock() >= 0, "this kernel has no Landlock");
        for (String error : List.of("EPERM", "ENOSYS")) {
            try (Program program = startWithout(call, error)) {
                program.awaitServing(socket());
                String said = program.errors();
                assertTrue(
                        said.startsWith(
                                "sendfiled: no full sandbox: files are not confined: " + call + " is missing: "),
                        said);
                assertTrue(said.contains(reason(error)), said);
                expectEveryByte();
                program.signal("TERM");
                assertEquals(0, program.awaitExit(), program.errors());
            }
            try (Program program = startWithout(call, error, "--sandbox=on")) {
                assertEquals(1, program.awaitExit(), program.errors());
                String said = program.errors();
                assertTrue(
                        said.startsWith("sendfiled: --sandbox=on: files are not confined: " + call + " is missing: "),
                        said);
                assertFalse(Files.exists(socket()));
            }
        }
    }

    /** A buffer is a memory file, and nothing can stand in for it: the program gets the errno, and does not wait. */
    @ParameterizedTest
    @ValueSource(strings = {"EPERM", "ENOSYS"})
    void shouldTellAProgramThatItCanHaveNoBuffers(String error) throws Exception {
        Content content = Content.write(root.resolve("file"), 300_000);
        try (Program daemon = Program.start(scratch, arguments())) {
            daemon.awaitServing(socket());
            try (Program client = client("memfd_create", error)) {
                assertEquals(1, client.awaitExit());
                int errno = error.equals("EPERM") ? Errno.EPERM : Errno.ENOSYS;
                assertTrue(client.errors().toLowerCase(Locale.ROOT).contains(Errno.message(errno)), client.errors());
            }
            try (Program client = client("statx,cachestat,preadv2,pwritev2,openat2,recvmmsg", error)) {
                assertEquals(content, Content.of(client.report()), client.errors());
                assertEquals(0, client.awaitExit());
            }
        }
    }

    private Program client(String calls, String error) throws IOException {
        return Program.start(
                scratch,
                HelperProgram.command("without", calls, error, HelperProgram.path("read_buffer"), sockets, "a", "file"),
                Map.of());
    }
}
