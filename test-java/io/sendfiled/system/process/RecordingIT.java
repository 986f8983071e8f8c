package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.Sendfiled;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.counters.Counter;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.ControlPeer;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.system.Program;
import java.io.ByteArrayOutputStream;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Events of recordings by Java Flight Recorder, and the dump: what a daemon tells of itself from inside its sandbox. */
@Timeout(120)
final class RecordingIT extends ProgramTestCase {
    private static final String TRANSFER = "io.sendfiled.Transfer";
    private static final String REFUSAL = "io.sendfiled.Refusal";

    private static List<RecordedEvent> events(Path file, String name) throws Exception {
        return RecordingFile.readAllEvents(file).stream()
                .filter(event -> event.getEventType().getName().equals(name))
                .toList();
    }

    private static void demandReadOf(RecordedEvent event, long pid) {
        assertEquals("read", event.getString("operation"));
        assertEquals("file", event.getString("path"));
        assertEquals("ok", event.getString("status"));
        assertEquals("the content".length(), event.getLong("bytes"));
        assertEquals("the content".length(), event.getLong("size"));
        assertEquals(pid, event.getInt("pid"));
        Duration total = event.getDuration("total");
        assertTrue(total.compareTo(event.getDuration("firstByte")) >= 0, event::toString);
        assertTrue(total.compareTo(Duration.ZERO) > 0 && total.compareTo(Duration.ofMinutes(1)) < 0, event::toString);
    }

    /** As sendfiled(8), SANDBOX, tells how: the recorder's files are in the socket directory. */
    @Test
    void shouldRecordADaemonInItsSandbox() throws Exception {
        Path file = sockets.resolve("daemon.jfr");
        Map<String, String> environment = new HashMap<>(Program.ALLOW_ROOT);
        environment.put(
                "SENDFILED_JAVA_OPTS",
                "-XX:StartFlightRecording=filename=" + file + " -XX:FlightRecorderOptions=repository=" + sockets);
        List<String> command = new ArrayList<>(List.of(Program.LAUNCHER.toString()));
        command.addAll(List.of(arguments()));
        try (Program program = Program.start(scratch, command, environment)) {
            program.awaitServing(socket());
            for (int i = 0; i < 20; i++) {
                assertEquals("the content", read());
            }
            try (RawClient client = new RawClient(socket());
                    Status missing = client.request(Wire.READ_FILE, "missing")) {
                missing.rest();
            }
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
            assertTrue(Files.exists(file), program::errorsSoFar);
        }
        List<RecordedEvent> transfers = events(file, TRANSFER);
        assertEquals(20, transfers.size());
        for (RecordedEvent event : transfers) {
            demandReadOf(event, ProcessHandle.current().pid());
        }
        List<RecordedEvent> refusals = events(file, REFUSAL);
        assertEquals(1, refusals.size());
        assertEquals("missing", refusals.get(0).getString("path"));
        assertEquals("ENOENT", refusals.get(0).getString("errno"));
    }

    @Test
    void shouldRecordAnEmbeddedEngine() throws Exception {
        Path file = scratch.resolve("embedded.jfr");
        SendfiledConfig config = SendfiledConfig.builder()
                .root(root)
                .socketDirectory(sockets)
                .name("e")
                .build();
        try (Sendfiled engine = Sendfiled.launch(config);
                SendfiledClient client = SendfiledClient.connect(sockets, "e");
                Recording recording = new Recording()) {
            readFile(client); // nobody wants an event of it
            recording.start();
            while (count(recording, file) == 0) { // until the engine has noticed
                readFile(client);
            }
            recording.stop();
            assertTrue(engine.counters().get(Counter.COMPLETED) > 0);
        }
        for (RecordedEvent event : events(file, TRANSFER)) {
            demandReadOf(event, ProcessHandle.current().pid());
        }
    }

    private static int count(Recording recording, Path file) throws Exception {
        recording.dump(file);
        return events(file, TRANSFER).size();
    }

    private static void readFile(SendfiledClient client) throws Exception {
        client.readTo("file", Channels.newChannel(new ByteArrayOutputStream()))
                .result()
                .get(20, TimeUnit.SECONDS);
    }

    /** What it prints for the instance; it must end well. */
    private String sfd(String command) throws Exception {
        List<String> words = List.of(
                Program.LAUNCHER.resolveSibling("sfd").toString(), command, "-S", sockets.toString(), "-s", "a");
        Process process = new ProcessBuilder(words)
                .redirectError(scratch.resolve("sfd.txt").toFile())
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), () -> output);
        return output;
    }

    @Test
    void shouldDumpWhatItDoes() throws Exception {
        try (Program program = start()) {
            assertEquals("the content", read());
            List<String> lines = ControlPeer.ask(sockets.resolve("sendfiled.a.control"), "dump");
            String all = String.join("\n", lines);
            assertTrue(lines.get(0).equals("instance a, pid " + program.pid() + ", root " + root), all);
            assertTrue(lines.contains("  completed 1"), all);
            assertTrue(lines.stream().anyMatch(line -> line.matches("\"sendfiled-loop-0\" RUNNABLE")), all);
            assertTrue(all.contains("    at io.sendfiled.jni.EngineNative.poll(Native Method)"), all);
            assertTrue(lines.stream().anyMatch(line -> line.matches("  " + program.pid() + " \\S+ [A-Z] \\S+")), all);
            assertTrue(lines.get(lines.size() - 1).matches("ok \\d+ threads"), all);
            String shown = sfd("dump");
            assertTrue(shown.startsWith(lines.get(0) + "\n"), shown);
            assertTrue(shown.contains("    at io.sendfiled.jni.EngineNative.poll(Native Method)\n"), shown);
            program.signal("QUIT");
            Await.until("the threads", () -> program.errorsSoFar().contains("\"sendfiled-loop-0\""));
            assertEquals("the content", read());
        }
    }
}
