package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.support.Await;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.CDriver;
import io.sendfiled.system.CDriver.Outcome;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.DaemonProcess;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A daemon of its own process, through the C client library: {@code test-native/support/client_driver.c}. */
@Timeout(120)
final class CClientIT {
    @TempDir
    private Path directory;

    @Daemon(
            value = {"max-transfers=200", "client-transfers=200"},
            ownsFiles = true)
    private TestDaemon daemon;

    private final Random random = new Random(20261120);

    @BeforeEach
    void useWhatStaysOpen() throws IOException, InterruptedException {
        write("first", 1);
        assertEquals(0, drive("read", "first").exit());
        assertEquals(0, drive("send", "first", "tcp").exit());
        daemon.rememberDescriptors();
    }

    @Test
    void shouldServeAProgramOfTheOriginalFromSpawnToShutdown(@TempDir Path ownSockets)
            throws IOException, InterruptedException {
        write("file", 20_000);
        ProcessBuilder builder = new ProcessBuilder(
                        helper("original_client"), daemon.root().toString(), ownSockets.toString(), "/file")
                .redirectErrorStream(true);
        builder.environment().put("PATH", DaemonProcess.program().getParent() + ":" + System.getenv("PATH"));
        builder.environment().put("SENDFILED_ALLOW_ROOT", "1");
        Process process = builder.start();
        String output = output(process);

        assertEquals(0, process.waitFor(), output);
        assertTrue(output.contains("shutdown: ok"), output);
        assertFalse(output.contains("FAILED"), output);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1_048_577, 20_000_000})
    void shouldDeliverEveryByteToEveryDestination(int size) throws IOException, InterruptedException {
        String hash = sha256(write("file", size));
        List<String[]> commands = List.of(
                new String[] {"read", "file"},
                new String[] {"send", "file", "pipe"},
                new String[] {"send", "file", "unix"},
                new String[] {"send", "file", "seqpacket/blocking"},
                new String[] {"send", "file", "tcp"},
                new String[] {"open-send", "file", "pipe"},
                new String[] {"open-send", "file", "seqpacket"},
                new String[] {"open-send", "file", "unix"},
                new String[] {"open-send", "file", "tcp"});

        for (String[] command : commands) {
            Outcome outcome = drive(command);
            String what = String.join(" ", command) + ": " + outcome.json();

            assertEquals(0, outcome.exit(), what);
            assertEquals(hash, outcome.string("sha256"), what);
            assertEquals(size, outcome.number("size"), what);
            assertTrue(outcome.number("moved") <= size, what);
        }
    }

    @Test
    void shouldWriteToARegularFile() throws IOException, InterruptedException {
        byte[] content = write("file", 3_000_000);
        Path copy = directory.resolve("copy");

        for (String command : List.of("send", "open-send")) {
            Outcome outcome = drive(command, "file", "file:" + copy);

            assertEquals(0, outcome.exit(), outcome.json());
            assertEquals(sha256(content), sha256(Files.readAllBytes(copy)));
        }
    }

    @Test
    void shouldSendARange() throws IOException, InterruptedException {
        byte[] content = write("file", 100_000);
        String hash = sha256(Arrays.copyOfRange(content, 12_345, 12_345 + 67_890));
        String rest = sha256(Arrays.copyOfRange(content, 99_999, 100_000));

        assertEquals(hash, drive("read", "file", "12345", "67890").string("sha256"));
        assertEquals(hash, drive("send", "file", "tcp", "12345", "67890").string("sha256"));
        assertEquals(hash, drive("open-send", "file", "unix", "12345", "67890").string("sha256"));
        assertEquals(rest, drive("read", "/file", "99999").string("sha256"));
        assertEquals(0, drive("read", "file", "100000").number("size"));
    }

    @Test
    void shouldSayWhyARequestIsRefused() throws IOException, InterruptedException {
        write("file", 10);
        Files.createDirectory(daemon.root().resolve("directory"));

        for (String command : List.of("read", "open")) {
            assertRefused(Errno.ENOENT, command, "missing");
            assertRefused(Errno.EINVAL, command, "directory");
            assertRefused(Errno.ERANGE, command, "file", "11");
            assertRefused(Errno.ERANGE, command, "file", "5", "6");
            assertRefused(Errno.ERANGE, command, "file", "-1");
        }
        assertRefused(Errno.ENOENT, "send", "missing", "tcp");
        assertRefused(Errno.ENOENT, "read", "../../../../etc/passwd");
    }

    @Test
    void shouldEndAnOpenedFileThatIsNotSentInTime() throws IOException, InterruptedException {
        write("file", 10);
        try (DaemonProcess impatient = DaemonProcess.start(directory, "impatient", daemon.root(), "-t", "100")) {
            int before = impatient.settledDescriptors();
            Outcome outcome = new CDriver(directory, "impatient").drive("open", "file");

            assertEquals(Errno.ETIMEDOUT, outcome.number("errno"), outcome.json());
            assertFalse(outcome.flag("refused"), outcome.json());
            assertEquals(10, outcome.number("size"), outcome.json());
            Await.until("the file to be closed", () -> impatient.openDescriptors() <= before);
        }
    }

    @Test
    void shouldCancel() throws IOException, InterruptedException {
        write("file", 30_000_000);

        for (String command : List.of("cancel", "cancel-send")) {
            Outcome outcome = drive(command, "file");

            assertEquals(0, outcome.exit(), outcome.json());
            assertEquals(0, outcome.number("errno"), outcome.json());
            assertFalse(outcome.flag("complete"), outcome.json());
        }
    }

    @Test
    void shouldServe2000TransfersOfMixedSizesFromTwoProcesses64AtOnce() throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                helper("client_driver"),
                directory.toString(),
                TestDaemon.NAME,
                "many",
                "1000",
                "32",
                daemon.root().toString()));
        for (int size : new int[] {0, 1, 4095, 4096, 4097, 20_000, 65_536, 65_537, 300_000, 1_048_577}) {
            String name = "mixed" + size;
            write(name, size);
            command.add(name);
        }
        Process one = new ProcessBuilder(command).redirectErrorStream(true).start();
        Process other = new ProcessBuilder(command).redirectErrorStream(true).start();

        for (Process process : List.of(one, other)) {
            String output = output(process);
            assertEquals(0, process.waitFor(), output);
            JsonObject json = JsonParser.parseString(output).getAsJsonObject();
            assertEquals(1000, json.get("done").getAsInt(), output);
            assertEquals(0, json.get("descriptors").getAsInt(), output);
        }
    }

    private void assertRefused(int errno, String... command) throws IOException, InterruptedException {
        Outcome outcome = drive(command);
        String what = String.join(" ", command) + ": " + outcome.json();

        assertEquals(1, outcome.exit(), what);
        assertTrue(outcome.flag("refused"), what);
        assertEquals(errno, outcome.number("errno"), what);
    }

    private byte[] write(String name, int size) throws IOException {
        byte[] content = new byte[size];
        random.nextBytes(content);
        Files.write(daemon.root().resolve(name), content);
        return content;
    }

    private Outcome drive(String... arguments) throws IOException, InterruptedException {
        return new CDriver(directory, TestDaemon.NAME).drive(arguments);
    }

    private static String output(Process process) throws IOException {
        process.getOutputStream().close();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    private static String helper(String name) {
        return HelperProgram.path(name).toString();
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e); // every Java has it
        }
    }
}
