package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.SystemProgram;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.Program;
import io.sendfiled.technique.Technique;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.DoublePredicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** {@code --metrics}: what Prometheus gets of a daemon, that its own parser reads it, and that no peer keeps it from others. */
@Timeout(120)
final class MetricsIT extends ProgramTestCase {
    /** By what peers connect. */
    enum By {
        PATH,
        IPV4,
        IPV6
    }

    private static final int BIG = 20_000_000; // more than any receiver's buffers hold
    private static final int CONNECTIONS = 2_000;
    private static final int KNOWN_MAX = 8;
    private static final String PYTHON = "/usr/bin/python3"; // the distribution's, whose packages ./dev installs
    private static final String ALONE = "--sandbox=on";

    /** Reads the text on its input, and prints each sample as an object of JSON; fails where the format is broken. */
    private static final String PARSER = """
            import json, sys
            from prometheus_client.parser import text_string_to_metric_families
            seen = set()
            for family in text_string_to_metric_families(sys.stdin.read()):
                assert family.name not in seen, family.name
                seen.add(family.name)
                assert family.documentation, family.name
                assert family.type in ("counter", "gauge", "histogram"), family.name
                assert family.name.startswith("sendfiled_"), family.name
                for sample in family.samples:
                    print(json.dumps([sample.name, sorted(sample.labels.items()), str(sample.value)]))
            """;

    private int port;

    private String address(By by) throws IOException {
        return switch (by) {
            case PATH -> "unix:" + metrics();
            case IPV4 -> "127.0.0.1:" + freePort("127.0.0.1");
            case IPV6 -> "[::1]:" + freePort("::1");
        };
    }

    private int freePort(String host) throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, host(host))) {
            port = socket.getLocalPort();
        } catch (IOException e) {
            assumeTrue(false, host + ": " + e.getMessage());
        }
        return port;
    }

    private Path metrics() {
        return sockets.resolve("metrics.sock");
    }

    private static InetAddress host(String number) throws IOException {
        return InetAddress.getAllByName(number)[0];
    }

    private SocketAddress remote(By by) throws IOException {
        return switch (by) {
            case PATH -> UnixDomainSocketAddress.of(metrics());
            case IPV4 -> new InetSocketAddress(host("127.0.0.1"), port);
            case IPV6 -> new InetSocketAddress(host("::1"), port);
        };
    }

    private Program startWith(By by, String... more) throws IOException {
        return start(Stream.concat(Stream.of("--metrics=" + address(by)), Stream.of(more))
                .toArray(String[]::new));
    }

    private SocketChannel connect(By by) throws IOException {
        return SocketChannel.open(remote(by));
    }

    private static void send(SocketChannel peer, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.ISO_8859_1));
        while (bytes.hasRemaining()) {
            peer.write(bytes);
        }
    }

    private static String rest(SocketChannel peer) throws IOException {
        return new String(Channels.newInputStream(peer).readAllBytes(), StandardCharsets.UTF_8);
    }

    private String asked(By by, String request) throws IOException {
        try (SocketChannel peer = connect(by)) {
            send(peer, request);
            return rest(peer);
        }
    }

    private String text(By by) throws IOException {
        String answer = asked(by, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        int end = answer.indexOf("\r\n\r\n");
        assertTrue(answer.startsWith("HTTP/1.1 200 OK\r\n"), answer);
        String head = answer.substring(0, end + 2);
        String body = answer.substring(end + 4);
        assertTrue(head.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), head);
        assertTrue(head.contains("\r\nConnection: close\r\n"), head);
        int length = body.getBytes(StandardCharsets.UTF_8).length;
        assertTrue(head.contains("\r\nContent-Length: " + length + "\r\n"), head);
        return body;
    }

    /** The value of one sample, by its name and labels as they stand in the text. */
    private static double value(String text, String sample) {
        for (String line : text.split("\n", -1)) {
            if (line.startsWith(sample + " ")) {
                return Double.parseDouble(line.substring(sample.length() + 1));
            }
        }
        return fail("no " + sample + " in\n" + text);
    }

    private void await(By by, String sample, DoublePredicate expected) {
        Await.until(sample, () -> {
            try {
                return expected.test(value(text(by), sample));
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        });
    }

    private SendfiledClient client() throws IOException {
        return SendfiledClient.connect(sockets, "a");
    }

    // ---- what it tells ----

    @ParameterizedTest
    @EnumSource
    void shouldTellWhatWasDone(By by) throws Exception {
        Content.write(root.resolve("small"), 1000);
        Content.write(root.resolve("big"), BIG);
        try (Program program = startWith(by, ALONE, "--loops=2");
                SendfiledClient client = client();
                TestDestination full = TestDestination.open(TestDestination.Type.TCP, scratch)) {
            for (int i = 0; i < 10; i++) {
                try (TestDestination to = TestDestination.open(TestDestination.Type.PIPE, scratch)) {
                    client.send("small", to.destination()).result().get(20, TimeUnit.SECONDS);
                }
            }
            for (int i = 0; i < 3; i++) {
                assertThrows(ExecutionException.class, () -> client.readTo(
                                "missing", Channels.newChannel(new ByteArrayOutputStream()))
                        .result()
                        .get(20, TimeUnit.SECONDS));
            }
            Transfer waits = client.send(FileRequest.of("big"), full.destination());
            await(by, "sendfiled_transfers_waiting{waits_for=\"receiver\"}", value -> value == 1);
            await(by, "sendfiled_requests_ended_total{operation=\"send\",outcome=\"completed\"}", value -> value == 10);

            String text = text(by);
            assertEquals(11, value(text, "sendfiled_requests_total{operation=\"send\"}"));
            assertEquals(3, value(text, "sendfiled_requests_total{operation=\"read\"}"));
            assertEquals(3, value(text, "sendfiled_requests_ended_total{operation=\"read\",outcome=\"refused\"}"));
            assertEquals(0, value(text, "sendfiled_requests_ended_total{operation=\"send\",outcome=\"failed\"}"));
            assertEquals(3, value(text, "sendfiled_refusals_total{operation=\"read\",reason=\"ENOENT\"}"));
            assertFalse(text.contains("sendfiled_failures_total{"), text);
            assertEquals(1, value(text, "sendfiled_transfers_under_way"));
            assertTrue(value(text, "sendfiled_descriptors") > 0);
            double small = 0;
            for (Technique technique : Technique.values()) {
                String name = technique == Technique.AUTO ? "none" : technique.label();
                small += value(text, "sendfiled_transfers_total{operation=\"send\",technique=\"" + name + "\"}");
            }
            assertEquals(10, small);
            double warm = value(text, "sendfiled_first_byte_seconds_count{cache=\"warm\"}");
            double cold = value(text, "sendfiled_first_byte_seconds_count{cache=\"cold\"}");
            assertEquals(11, warm + cold);
            assertEquals(warm, value(text, "sendfiled_first_byte_seconds_bucket{cache=\"warm\",le=\"+Inf\"}"));
            assertEquals(10, value(text, "sendfiled_transfer_seconds_count"));
            assertEquals(10, value(text, "sendfiled_transfer_seconds_bucket{le=\"300.0\"}"));
            double sum = value(text, "sendfiled_transfer_seconds_sum");
            assertTrue(sum > 10e-6 && sum < 60, "in seconds: " + sum);
            assertTrue(value(text, "sendfiled_loop_turn_seconds_count") > 10);
            for (int i = 0; i < 2; i++) {
                double age = value(text, "sendfiled_loop_last_turn_age_seconds{loop=\"" + i + "\"}");
                assertTrue(age >= 0 && age < 120, "in seconds: " + age);
            }
            double start = value(text, "sendfiled_start_time_seconds");
            double now = System.currentTimeMillis() / 1e3;
            assertTrue(start <= now && start > now - 120, "since the epoch, in seconds: " + start);
            assertTrue(text.contains("sendfiled_build_info{name=\"a\",version=\""), text);

            waits.cancel();
            await(by, "sendfiled_requests_ended_total{operation=\"send\",outcome=\"cancelled\"}", value -> value == 1);
            await(by, "sendfiled_transfers_under_way", value -> value == 0);
            program.signal("TERM");
            assertEquals(0, program.awaitExit());
            assertFalse(Files.exists(metrics()));
        }
    }

    @Test
    void shouldBeReadByPrometheusParser() throws Exception {
        requireParser();
        try (Program program = startWith(By.PATH);
                SendfiledClient client = client()) {
            assertEquals("the content", read());
            assertThrows(ExecutionException.class, () -> client.readTo(
                            "missing", Channels.newChannel(new ByteArrayOutputStream()))
                    .result()
                    .get(20, TimeUnit.SECONDS));
            await(By.PATH, "sendfiled_requests_ended_total{operation=\"read\",outcome=\"completed\"}", v -> v == 1);
            assertTrue(program.isAlive());
            String text = text(By.PATH);
            List<String> samples = parsed(text);
            assertEquals(
                    text.lines().filter(line -> !line.startsWith("#")).count(), samples.size(), "samples of\n" + text);
            assertTrue(
                    samples.contains("[\"sendfiled_requests_ended_total\", [[\"operation\", \"read\"], [\"outcome\","
                            + " \"completed\"]], \"1.0\"]"),
                    samples::toString);
            assertTrue(
                    samples.contains("[\"sendfiled_refusals_total\", [[\"operation\", \"read\"], [\"reason\","
                            + " \"ENOENT\"]], \"1.0\"]"),
                    samples::toString);
        }
    }

    private static void requireParser() throws Exception {
        assumeTrue(Files.isExecutable(Path.of(PYTHON)), "there is no " + PYTHON);
        boolean isThere = new ProcessBuilder(PYTHON, "-c", "import prometheus_client.parser")
                        .redirectErrorStream(true)
                        .start()
                        .waitFor()
                == 0;
        if (!isThere && Files.exists(Path.of("/etc/debian_version"))) {
            fail("python3-prometheus-client is not installed");
        }
        assumeTrue(isThere, "python3 has no prometheus_client");
    }

    private List<String> parsed(String text) throws Exception {
        Path file = scratch.resolve("text");
        Files.writeString(file, text);
        Process parser = new ProcessBuilder(PYTHON, "-c", PARSER)
                .redirectInput(file.toFile())
                .redirectError(scratch.resolve("error").toFile())
                .start();
        List<String> samples = new String(parser.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                .lines()
                .toList();
        assertEquals(0, parser.waitFor(), () -> {
            try {
                return Files.readString(scratch.resolve("error")) + text;
            } catch (IOException e) {
                return e.toString();
            }
        });
        return samples;
    }

    // ---- HTTP ----

    @ParameterizedTest
    @EnumSource(names = {"PATH", "IPV4"})
    void shouldAnswerNothingElse(By by) throws Exception {
        try (Program program = startWith(by, ALONE)) {
            for (Map.Entry<String, String> each : Map.of(
                            "GET / HTTP/1.1\r\n\r\n",
                            "404 Not Found",
                            "GET /metrics/../x HTTP/1.1\r\n\r\n",
                            "404 Not Found",
                            "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
                            "405 Method Not Allowed",
                            "GET /metrics\r\n\r\n",
                            "400 Bad Request",
                            "\r\n\r\n",
                            "400 Bad Request",
                            "\u0000\u00ff\n\n",
                            "400 Bad Request",
                            "GET /metrics HTTP/2.0\r\n\r\n",
                            "505 HTTP Version Not Supported",
                            "GET /metrics HTTP/1.0\n\n",
                            "200 OK",
                            "GET /metrics?a=b HTTP/1.1\r\n\r\n",
                            "200 OK",
                            "GET /" + "x".repeat(100_000),
                            "431 Request Header Fields Too Large")
                    .entrySet()) {
                String answer = asked(by, each.getKey());
                assertTrue(answer.startsWith("HTTP/1.1 " + each.getValue() + "\r\n"), each.getKey() + "\n" + answer);
            }
            String head = asked(by, "HEAD /metrics HTTP/1.1\r\n\r\n");
            assertTrue(head.startsWith("HTTP/1.1 200 OK\r\n") && head.endsWith("\r\n\r\n"), head);
            assertTrue(Integer.parseInt(head.replaceAll("(?s).*\r\nContent-Length: (\\d+)\r\n.*", "$1")) > 1000, head);
            assertTrue(program.isAlive());
            assertFalse(program.errorsSoFar().contains("metrics"), program::errorsSoFar);
        }
    }

    @Test
    void shouldAnswerCurl() throws Exception {
        SystemProgram.require("curl");
        try (Program program = startWith(By.PATH)) {
            Process curl = new ProcessBuilder(
                            "curl", "-fsS", "--unix-socket", metrics().toString(), "http://localhost/metrics")
                    .redirectErrorStream(true)
                    .start();
            String said = new String(curl.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(0, curl.waitFor(), said);
            assertEquals(0, value(said, "sendfiled_transfers_under_way"));
            assertTrue(program.isAlive());
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"PATH", "IPV4"})
    void shouldAnswerBesideRudePeers(By by) throws Exception {
        List<SocketChannel> rude = new ArrayList<>();
        try (Program program = startWith(by, ALONE)) {
            text(by); // with all classes and descriptors that it takes
            int descriptors = OpenDescriptors.settledCount(program.pid());
            for (int i = 0; i < CONNECTIONS; i++) {
                SocketChannel peer = connect(by);
                rude.add(peer);
                if (i % 3 == 0) {
                    send(peer, "GET /metr"); // and no more
                } else if (i % 3 == 1) {
                    send(peer, "GET /metrics HTTP/1.1\r\n\r\n"); // and reads nothing
                }
                if (i % 200 == 0) {
                    text(by);
                }
                if (rude.size() > 100) {
                    rude.remove(0).close();
                }
            }
            text(by);
            Await.until(
                    "few descriptors of peers",
                    () -> OpenDescriptors.count(program.pid()) <= descriptors + KNOWN_MAX + 1);
            assertEquals("the content", read());
            for (SocketChannel peer : rude) {
                peer.close();
            }
            Await.until("the descriptors", () -> OpenDescriptors.count(program.pid()) <= descriptors);
        }
    }

    @Test
    void shouldEndAPeerAfterFiveSecondsWhateverItDoes() throws Exception {
        try (Program program = startWith(By.PATH);
                SocketChannel silent = connect(By.PATH);
                SocketChannel answered = connect(By.PATH)) {
            send(answered, "GET /metrics HTTP/1.1\r\n\r\n");
            long begin = System.nanoTime();
            assertEquals("", rest(silent));
            long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - begin);
            assertTrue(seconds >= 4 && seconds <= 10, seconds + " s");
            assertThrows(
                    IOException.class,
                    () -> { // EPIPE: it is closed, and not only shut down
                        while (true) {
                            send(answered, "x");
                        }
                    });
            text(By.PATH);
            assertTrue(program.isAlive());
        }
    }

    // ---- the socket ----

    @Test
    void shouldLetInItsUserAndGroup() throws Exception {
        for (String umask : List.of("000", "277")) {
            try (Program program = Program.shell(
                    scratch, "umask " + umask + "; exec \"$@\"", arguments("--metrics=" + address(By.PATH)))) {
                program.awaitServing(socket());
                assertEquals("rw-rw----", PosixFilePermissions.toString(Files.getPosixFilePermissions(metrics())));
            }
        }
    }

    @Test
    void shouldReplaceTheSocketOfAKilledInstance() throws Exception {
        try (Program first = startWith(By.PATH)) {
            first.signal("KILL");
            first.awaitExit();
        }
        assertTrue(Files.exists(metrics()));
        try (Program second = startWith(By.PATH)) {
            text(By.PATH);
            assertTrue(second.isAlive());
        }
    }

    @Test
    void shouldNotStartWhereSomebodyElseServes() throws Exception {
        for (By by : List.of(By.PATH, By.IPV4)) {
            String address = address(by);
            try (ServerSocketChannel other = by == By.PATH
                    ? ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                    : ServerSocketChannel.open()) {
                other.bind(remote(by));
                refused("EADDRINUSE", address);
                try (SocketChannel peer = connect(by)) { // which has stayed its own
                    assertTrue(peer.isConnected());
                }
            }
        }
    }

    @Test
    void shouldNotStartWhereItCannotServe() throws Exception {
        Files.writeString(metrics(), "a file");
        refused("is no socket", address(By.PATH));
        assertEquals("a file", Files.readString(metrics()));
        refused("has 108 bytes", "unix:/" + "x".repeat(107));
        refused("unix:/missing/x", "unix:/missing/x");
    }

    private void refused(String reason, String address) throws Exception {
        try (Program program = Program.start(scratch, arguments("--metrics=" + address))) {
            assertEquals(1, program.awaitExit());
            assertTrue(program.errors().contains("--metrics: "), program::errorsSoFar);
            assertTrue(program.errors().contains(reason), program::errorsSoFar);
        }
    }

    @Test
    void shouldLeaveNoSocketOfAStartThatFails() throws Exception {
        try (Program serves = start();
                Program second = Program.start(scratch, arguments("--metrics=" + address(By.PATH)))) {
            assertEquals(1, second.awaitExit());
            assertTrue(second.errors().contains("already running (pid " + serves.pid()), second::errorsSoFar);
            assertFalse(Files.exists(metrics()));
        }
    }

    // ---- its place in the program ----

    @Test
    void shouldNeedTheLibraryOnlyWhereThereAreMetrics() throws Exception {
        Path tree = Program.LAUNCHER.resolveSibling("..");
        Path copy = scratch.resolve("tree");
        for (String directory : List.of("bin", "lib/sendfiled")) {
            Files.createDirectories(copy.resolve(directory));
            try (Stream<Path> files = Files.list(tree.resolve(directory))) {
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    if (!file.getFileName().toString().startsWith("prometheus")) {
                        Files.copy(
                                file,
                                copy.resolve(directory).resolve(file.getFileName()),
                                StandardCopyOption.COPY_ATTRIBUTES);
                    }
                }
            }
        }
        List<String> command =
                new ArrayList<>(List.of(copy.resolve("bin/sendfiled").toString()));
        command.addAll(List.of(arguments()));
        try (Program program = Program.start(scratch, command, Program.ALLOW_ROOT)) {
            program.awaitServing(socket());
            assertEquals("the content", read());
        }
        command.add("--metrics=" + address(By.PATH));
        try (Program program = Program.start(scratch, command, Program.ALLOW_ROOT)) {
            assertEquals(1, program.awaitExit());
            assertTrue(program.errors().contains("--metrics: needs prometheus-metrics-*.jar"), program::errorsSoFar);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"PATH", "IPV4"})
    void shouldBeTheNextOnesAfterATakeOver(By by) throws Exception {
        Content.write(root.resolve("big"), BIG);
        String address = address(by);
        try (Program first = start("--metrics=" + address, "--stop-timeout=60s", ALONE);
                SendfiledClient client = client();
                TestDestination full = TestDestination.open(TestDestination.Type.TCP, scratch)) {
            Transfer waits = client.send(FileRequest.of("big"), full.destination());
            await(by, "sendfiled_transfers_waiting{waits_for=\"receiver\"}", value -> value == 1);
            try (Program second = start("--take-over", "--metrics=" + address, "--stop-timeout=60s", ALONE)) {
                // It has none of the first one's transfers, which goes on with it.
                await(by, "sendfiled_transfers_under_way", value -> value == 0);
                for (int i = 0; i < 20; i++) {
                    assertEquals(0, value(text(by), "sendfiled_transfers_under_way"));
                }
                assertTrue(first.isAlive());
                waits.cancel();
                first.awaitExit();
                text(by);
                assertEquals("the content", read());
                second.signal("TERM");
                assertEquals(0, second.awaitExit());
                assertFalse(Files.exists(metrics()));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"PATH", "IPV4"})
    void shouldStayWhereATakeOverFails(By by) throws Exception {
        String address = address(by);
        try (Program first = start("--metrics=" + address, ALONE)) {
            try (Program bad = Program.start(
                    scratch, arguments("--take-over", "--metrics=" + address, "-r", scratch + "/missing"))) {
                assertEquals(1, bad.awaitExit());
            }
            text(by);
            assertTrue(first.isAlive());
            try (Stream<Path> names = Files.list(sockets)) {
                assertEquals(
                        by == By.PATH ? 1 : 0,
                        names.filter(name -> name.toString().contains("metrics"))
                                .count());
            }
        }
    }
}
