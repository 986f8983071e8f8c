package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.counters.CountersFile;
import io.sendfiled.counters.CountersReading;
import io.sendfiled.counters.Outcome;
import io.sendfiled.counters.RequestKind;
import io.sendfiled.counters.RunningTransfer;
import io.sendfiled.counters.WaitsFor;
import io.sendfiled.names.Names;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.Lengthy;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import io.sendfiled.technique.Technique;
import io.sendfiled.tools.Sfd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** {@code sfd counters} and {@code sfd top}: what a daemon's file says of it, whatever has become of the daemon. */
@Timeout(120)
final class InspectionIT extends ProgramTestCase {
    private static final int BIG = 20_000_000; // more than any receiver's buffers hold
    private static final int MANY = 64;
    private static final int WIDTH = 80;

    private String said(int status, String... arguments) {
        List<String> all = new ArrayList<>(List.of(arguments));
        all.addAll(List.of("-S", sockets.toString(), "-s", "a"));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        assertEquals(
                status,
                new Sfd(out, new PrintStream(err, true, StandardCharsets.UTF_8)).run(all.toArray(new String[0])),
                err.toString(StandardCharsets.UTF_8));
        String text = out.toString(StandardCharsets.UTF_8);
        for (String line : text.startsWith("{") ? new String[0] : text.split("\n", -1)) {
            assertTrue(line.length() <= WIDTH, line);
        }
        return text + err.toString(StandardCharsets.UTF_8);
    }

    private CountersReading reading() {
        try (CountersFile file = onlyFile()) {
            return file.read();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private CountersFile onlyFile() throws IOException {
        List<CountersFile> files = CountersFile.open(sockets, "a");
        assertEquals(1, files.size());
        return files.get(0);
    }

    private SendfiledClient connect() throws IOException {
        return SendfiledClient.connect(sockets, "a");
    }

    private static void readMissing(SendfiledClient client) {
        ExecutionException failure = assertThrows(ExecutionException.class, () -> client.readTo(
                        "missing", Channels.newChannel(new ByteArrayOutputStream()))
                .result()
                .get(20, TimeUnit.SECONDS));
        assertEquals(
                Errno.ENOENT,
                assertInstanceOf(TransferException.class, failure.getCause()).errno());
    }

    @Test
    void shouldCountEachRequestOnce() throws Exception {
        Content.write(root.resolve("small"), 1000);
        try (Program program = start();
                SendfiledClient client = connect()) {
            for (int i = 0; i < 10; i++) {
                try (TestDestination to = TestDestination.open(TestDestination.Type.PIPE, scratch)) {
                    client.send("small", to.destination()).result().get(20, TimeUnit.SECONDS);
                }
            }
            for (int i = 0; i < 3; i++) {
                readMissing(client);
            }
            Await.until("the counts", () -> reading().outcomes(RequestKind.SEND, Outcome.COMPLETED) == 10);
            CountersReading reading = reading();
            assertEquals(10, reading.requests(RequestKind.SEND));
            assertEquals(3, reading.outcomes(RequestKind.READ, Outcome.REFUSED));
            assertEquals(3, reading.refusals(RequestKind.READ, Errno.ENOENT));
            assertEquals(0, reading.outcomes(RequestKind.SEND, Outcome.FAILED));
            long bytes = 0;
            long transfers = 0;
            for (Technique technique : Technique.values()) {
                bytes += reading.bytes(RequestKind.SEND, technique);
                transfers += reading.transfers(RequestKind.SEND, technique);
            }
            assertEquals(10_000, bytes);
            assertEquals(10, transfers);
            assertEquals(program.pid(), reading.pid());
            String table = said(0, "counters");
            assertTrue(table.contains("ENOENT 3"), table);
            JsonObject json = JsonParser.parseString(said(0, "counters", "--json"))
                    .getAsJsonObject()
                    .getAsJsonArray("instances")
                    .get(0)
                    .getAsJsonObject();
            assertEquals("running", json.get("state").getAsString());
            assertEquals(
                    10,
                    json.getAsJsonObject("requests")
                            .getAsJsonObject("send")
                            .get("completed")
                            .getAsLong());
        }
    }

    @Test
    void shouldShowWhatEachTransferWaitsFor() throws Exception {
        byte[] name = "b\u00e4ume".getBytes(StandardCharsets.ISO_8859_1); // no UTF-8
        Path file = Names.resolve(root, Names.text(name));
        Content.write(file, BIG);
        try (Program program = start();
                SendfiledClient client = connect()) {
            List<TestDestination> destinations = new ArrayList<>();
            List<Transfer> transfers = new ArrayList<>();
            for (int i = 0; i < MANY; i++) {
                TestDestination to = TestDestination.open(TestDestination.Type.TCP, scratch);
                destinations.add(to);
                transfers.add(client.send(FileRequest.of(Names.text(name)), to.destination()));
            }
            Await.until(
                    "all of them wait",
                    () -> reading().transfers().stream()
                                    .filter(each -> each.waitsFor() == WaitsFor.RECEIVER)
                                    .count()
                            == MANY);
            for (RunningTransfer each : reading().transfers()) {
                assertEquals(BIG, each.size());
                assertEquals(Names.text(name), each.path());
                assertEquals(RequestKind.SEND, each.kind());
                assertEquals(ProcessHandle.current().pid(), each.pid());
                assertTrue(each.moved() > 0 && each.moved() < BIG, each.toString());
                assertTrue(each.ageNs() > 0 && each.ageNs() < 120e9, each.toString());
            }
            String top = said(0, "top", "--sort", "id");
            assertEquals(MANY + 5, top.split("\n", -1).length, top);
            assertTrue(top.contains("receiver") && top.contains("b\\xE4ume"), top);
            String json = said(0, "top", "--json");
            assertTrue(json.contains("b\\udce4ume"), json);
            program.signal("STOP");
            assertTrue(said(0, "top").contains("stopped (SIGSTOP"), "of a stopped one");
            program.signal("CONT");
            for (Transfer transfer : transfers) {
                transfer.cancel();
            }
            Await.until("none is left", () -> reading().transfers().isEmpty());
            for (TestDestination to : destinations) {
                to.close();
            }
        }
    }

    @Test
    void shouldReadADaemonThatIsStoppedOrDead() throws Exception {
        try (Program program = start();
                SendfiledClient client = connect()) {
            readMissing(client);
            program.signal("STOP");
            String stopped = said(0, "counters");
            assertTrue(stopped.contains("stopped (SIGSTOP") && stopped.contains("ENOENT 1"), stopped);
            program.signal("KILL");
            program.awaitExit();
            String gone = said(0, "counters");
            assertTrue(gone.contains("killed or crashed after") && gone.contains("ENOENT 1"), gone);
        }
        try (Program next = start()) {
            String fresh = said(0, "counters");
            assertTrue(fresh.contains("pid " + next.pid() + ": serving since"), fresh);
            assertFalse(fresh.contains("ENOENT"), fresh);
            next.signal("TERM");
            assertEquals(0, next.awaitExit());
        }
        assertTrue(said(3, "counters").contains("no counters of an instance a"));
    }

    @Lengthy
    @Test
    void shouldBelieveNothingOfADamagedFile() throws Exception {
        try (Program program = start()) {
            assertTrue(program.pid() > 0);
            Path file;
            try (CountersFile open = onlyFile()) {
                file = open.path();
            }
            byte[] sound = Files.readAllBytes(file);
            Random random = new Random(5);
            int refused = 0;
            for (int round = 0; round < 2000; round++) {
                ByteBuffer bytes = ByteBuffer.wrap(sound.clone()).order(ByteOrder.nativeOrder());
                int at = random.nextInt(104) * Integer.BYTES;
                int[] values = {-1, 0, 1, 4096, Integer.MAX_VALUE, Integer.MIN_VALUE, random.nextInt()};
                bytes.putInt(at, values[random.nextInt(values.length)]);
                int length = round % 5 == 0 ? random.nextInt(sound.length) : sound.length;
                try {
                    CountersReading.of((from, into) -> {
                        int count = (int) Math.max(0, Math.min(into.remaining(), length - from));
                        into.put(bytes.array(), (int) from, count);
                    });
                } catch (IOException e) {
                    refused++;
                }
            }
            assertTrue(refused > 500, "refused " + refused);
        }
    }

    @Test
    void shouldNotFollowWhatSomebodyElseHasPutThere() throws Exception {
        Path file = sockets.resolve("sendfiled.a.counters");
        Files.createDirectories(sockets);
        Files.writeString(file, "/etc/passwd\n");
        assertTrue(said(1, "counters").contains("/dev/shm"));
        Files.writeString(file, "x".repeat(10_000));
        assertTrue(said(1, "counters").contains("is no file of counters"));
        Files.delete(file);
        Files.createSymbolicLink(file, Path.of("/etc/passwd"));
        assertTrue(said(1, "counters").contains("is no file of counters"));
        Files.delete(file);
        int before = OpenDescriptors.count();
        Files.writeString(file, "");
        said(1, "top");
        assertEquals(before, OpenDescriptors.count());
    }
}
