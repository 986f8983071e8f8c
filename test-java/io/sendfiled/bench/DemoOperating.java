package io.sendfiled.bench;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.SendfiledClient;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;

/** The demo's part about who operates a daemon: what {@code sfd} sees of one, and what Java Flight Recorder has of it. */
final class DemoOperating {
    private static final long TIMEOUT_S = 30;
    private static final String EVENTS = "io.sendfiled.";
    private static final int NEVER = -1;

    /** The parts of what {@code sfd counters} says that are shown: who it is, the requests, and what moved their bytes. */
    private static final int PARTS = 3;

    private final Screen screen;
    private final List<String> sfd;

    /** @param sfd its command line, up to the command */
    DemoOperating(Screen screen, List<String> sfd) {
        this.screen = screen;
        this.sfd = sfd;
    }

    /** The options of a JVM that records a daemon in its sandbox: it can write to the directory of its socket only. */
    static String recordingTo(Path file) {
        return "-XX:StartFlightRecording=filename=" + file + " -XX:FlightRecorderOptions=repository="
                + file.resolveSibling("");
    }

    /** Looks at a daemon from outside, while it waits for a client that does not read. */
    void showFromOutside(SendfiledClient client, String big, Path sockets, String instance)
            throws IOException, InterruptedException, TimeoutException {
        screen.working("looking at the daemon");
        try (FileContent unread = client.read(big).content().get(TIMEOUT_S, TimeUnit.SECONDS)) {
            String top = sfd(sockets, instance, "top", "--once");
            expect(unread.isOpen() && top.contains(big), "sfd top does not show " + big + ":\n" + top);
            String counters = sfd(sockets, instance, "counters");
            expect(counters.contains("Requests"), "sfd counters does not show the requests:\n" + counters);
            screen.step("sfd counters", "reads its mapped file, and asks nobody:");
            String[] parts = counters.split("\n\n");
            for (int i = 0; i < Math.min(PARTS, parts.length); i++) {
                show(parts[i].lines().toList());
            }
            screen.step("sfd top", "with a client that does not read:");
            show(top.lines().skip(1).filter(line -> !line.isEmpty()).toList());
        } catch (ExecutionException e) {
            throw new IOException(big + ": " + e.getCause(), e);
        }
    }

    private String sfd(Path sockets, String instance, String... words) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(sfd);
        command.addAll(List.of(words));
        command.addAll(List.of("-S", sockets.toString(), "-s", instance));
        return Programs.run(command, TimeUnit.SECONDS.toMillis(TIMEOUT_S));
    }

    private void show(List<String> lines) {
        for (String line : lines) {
            screen.line(screen.paint(Screen.Tone.FAINT, line.stripTrailing()));
        }
    }

    /** What a recording has of a daemon that has served, has refused something, and has ended. */
    void showRecording(Path file) throws IOException {
        screen.working("reading the recording");
        List<RecordedEvent> transfers = new ArrayList<>();
        List<RecordedEvent> refusals = new ArrayList<>();
        List<RecordedEvent> stalls = new ArrayList<>();
        try (RecordingFile recording = new RecordingFile(file)) {
            while (recording.hasMoreEvents()) {
                RecordedEvent event = recording.readEvent();
                switch (event.getEventType().getName()) {
                    case EVENTS + "Transfer" -> transfers.add(event);
                    case EVENTS + "Refusal" -> refusals.add(event);
                    case EVENTS + "Stall" -> stalls.add(event);
                    default -> {} // of the JVM
                }
            }
        }
        expect(!transfers.isEmpty() && !refusals.isEmpty(), "the recording lacks transfers or refusals");
        screen.step("transfers recorded", count(transfers) + "; the longest: " + transfer(longest(transfers, "total")));
        RecordedEvent refusal = refusals.get(0);
        screen.step(
                "refusals recorded",
                count(refusals) + ": " + request(refusal) + ", " + refusal.getString("reason") + " ("
                        + refusal.getString("errno") + ")");
        screen.step(
                "stalls recorded",
                stalls.isEmpty()
                        ? "none: no system call has held an event loop"
                        : count(stalls) + "; the longest: " + micros(longest(stalls, "held"), "held"));
    }

    private static RecordedEvent longest(List<RecordedEvent> events, String field) {
        return events.stream()
                .max(Comparator.comparing(event -> event.getDuration(field)))
                .orElseThrow();
    }

    private static String transfer(RecordedEvent event) {
        return request(event) + ", " + Units.size(event.getLong("bytes"))
                + (event.getBoolean("cold") ? ", cold" : ", warm")
                + (event.getLong("firstByte") == NEVER ? "" : ", first byte after " + micros(event, "firstByte"))
                + ", all after " + micros(event, "total") + ": " + event.getString("status");
    }

    private static String request(RecordedEvent event) {
        return event.getString("operation") + " " + event.getString("path");
    }

    private static String micros(RecordedEvent event, String field) {
        Duration duration = event.getDuration(field);
        return Units.micros(duration.toNanos() / 1e3);
    }

    private static String count(List<RecordedEvent> events) {
        return Units.format("%,d", events.size());
    }

    private static void expect(boolean right, String otherwise) throws IOException {
        if (!right) {
            throw new IOException(otherwise);
        }
    }
}
