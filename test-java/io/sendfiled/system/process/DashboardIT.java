package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferOptions;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.PageCache;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.Installed;
import io.sendfiled.system.Program;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The dashboard for Grafana: a daemon's metrics answer each of its queries, and each panel says what to do. */
@Timeout(120)
final class DashboardIT extends ProgramTestCase {
    private static final Path DASHBOARD = Installed.TREE.resolve("share/sendfiled/grafana/sendfiled.json");
    private static final String PROMETHEUS = "/usr/bin/prometheus";
    private static final String PROMTOOL = "/usr/bin/promtool";
    private static final int BIG = 20_000_000; // more than any receiver's buffers hold
    private static final int WIDTH = 24; // of Grafana's grid

    /** A query, and the labels by which its panel calls what comes of it. */
    private record Query(String panel, String expression, Set<String> labels) {}

    private static JsonObject dashboard() throws IOException {
        return JsonParser.parseString(Files.readString(DASHBOARD)).getAsJsonObject();
    }

    /** All of them, rows too. */
    private static List<JsonObject> panels() throws IOException {
        List<JsonObject> panels = new ArrayList<>();
        dashboard().getAsJsonArray("panels").forEach(panel -> panels.add(panel.getAsJsonObject()));
        assertTrue(panels.size() > 20, panels::toString);
        return panels;
    }

    private static String text(JsonObject object, String name) {
        return object.has(name) ? object.get(name).getAsString() : "";
    }

    private static boolean isRow(JsonObject panel) {
        return text(panel, "type").equals("row");
    }

    private static List<MatchResult> all(String pattern, String text) {
        return Pattern.compile(pattern, Pattern.MULTILINE)
                .matcher(text)
                .results()
                .toList();
    }

    private static List<Query> queries() throws IOException {
        List<Query> queries = new ArrayList<>();
        for (JsonObject panel : panels()) {
            if (!isRow(panel)) {
                for (JsonElement each : panel.getAsJsonArray("targets")) {
                    JsonObject target = each.getAsJsonObject();
                    Set<String> labels = new HashSet<>();
                    all("\\{\\{(\\w+)}}", text(target, "legendFormat")).forEach(label -> labels.add(label.group(1)));
                    queries.add(new Query(text(panel, "title"), text(target, "expr"), labels));
                }
            }
        }
        return queries;
    }

    // ---- what it says ----

    @Test
    void shouldSayOfEachPanelWhatToDo() throws Exception {
        String page = Files.readString(Installed.source("doc/operating.md"));
        Set<String> anchors = new HashSet<>();
        for (MatchResult heading : all("^## (.*)$", page)) {
            anchors.add(heading.group(1)
                    .toLowerCase(Locale.ROOT)
                    .replaceAll("[^\\w\\- ]", "")
                    .replace(' ', '-'));
        }
        Set<String> titles = new HashSet<>();
        for (JsonObject panel : panels()) {
            assertTrue(titles.add(text(panel, "title")), "twice: " + panel);
        }
        for (JsonObject panel : panels()) {
            if (isRow(panel)) {
                continue;
            }
            String title = text(panel, "title");
            assertFalse(title.isEmpty(), panel::toString);
            assertTrue(
                    text(panel, "description").matches("(?s)[A-Z].*\\."),
                    () -> title + ": " + text(panel, "description"));
            for (MatchResult other : all(
                    "[Tt]he (?:row|panel) ([A-Z]\\w+(?: [a-z]\\w*)*?)(?= has|[.,]| alone)",
                    text(panel, "description"))) {
                assertTrue(
                        titles.stream().anyMatch(known -> known.startsWith(other.group(1))),
                        title + " names " + other.group(1));
            }
            JsonObject defaults = panel.getAsJsonObject("fieldConfig").getAsJsonObject("defaults");
            assertFalse(text(defaults, "unit").isEmpty(), title);
            JsonObject link = panel.getAsJsonArray("links").get(0).getAsJsonObject();
            String url = text(link, "url");
            assertTrue(url.contains("/doc/operating.md#"), url);
            assertTrue(anchors.contains(url.substring(url.indexOf('#') + 1)), url);
        }
    }

    @Test
    void shouldGiveEachPanelAPlaceOfItsOwn() throws Exception {
        Set<Integer> ids = new HashSet<>();
        Set<Integer> taken = new HashSet<>();
        for (JsonObject panel : panels()) {
            String title = text(panel, "title");
            assertTrue(ids.add(panel.get("id").getAsInt()), title);
            JsonObject place = panel.getAsJsonObject("gridPos");
            int right = place.get("x").getAsInt() + place.get("w").getAsInt();
            int bottom = place.get("y").getAsInt() + place.get("h").getAsInt();
            assertTrue(right <= WIDTH, title);
            for (int y = place.get("y").getAsInt(); y < bottom; y++) {
                for (int x = place.get("x").getAsInt(); x < right; x++) {
                    assertTrue(taken.add(y * WIDTH + x), title);
                }
            }
        }
    }

    // ---- what is asked ----

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static String got(String url) throws IOException {
        try (InputStream in = URI.create(url).toURL().openStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** Files from memory and from a disk, a refusal, a failure, and a transfer that goes on: closing ends that. */
    private TestDestination work(SendfiledClient client) throws Exception {
        for (int i = 0; i < 20; i++) {
            PageCache.evict(root.resolve("file"));
            client.readTo("file", Channels.newChannel(new ByteArrayOutputStream()))
                    .result()
                    .get(20, TimeUnit.SECONDS);
        }
        assertThrows(
                ExecutionException.class, () -> client.warm("missing").result().get(20, TimeUnit.SECONDS));
        try (TestDestination full = TestDestination.open(TestDestination.Type.TCP, scratch)) {
            FileRequest late = FileRequest.of("big").with(TransferOptions.DEFAULT.withDeadline(Duration.ofMillis(50)));
            assertThrows(
                    ExecutionException.class,
                    () -> client.send(late, full.destination()).result().get(20, TimeUnit.SECONDS));
        }
        TestDestination full = TestDestination.open(TestDestination.Type.TCP, scratch);
        var unused =
                client.send(FileRequest.of("big"), full.destination()).info().get(20, TimeUnit.SECONDS);
        return full;
    }

    /** Without Prometheus, what can be told: that there are such metrics, which have such labels. */
    @Test
    void shouldNameWhatTheDaemonTells() throws Exception {
        Content.write(root.resolve("big"), BIG);
        int port = freePort();
        try (Program program = start("--metrics=127.0.0.1:" + port);
                SendfiledClient client = SendfiledClient.connect(sockets, "a");
                TestDestination full = work(client)) {
            assertTrue(program.isAlive() && full != null);
            String told = got("http://127.0.0.1:" + port + "/metrics");
            for (Query query : queries()) {
                for (MatchResult metric : all("(sendfiled_\\w+)\\{([^}]*)}", query.expression())) {
                    List<MatchResult> samples = all("^" + metric.group(1) + "(?:\\{(.*)})? ", told);
                    assertFalse(samples.isEmpty(), query::toString);
                    for (MatchResult label : all("(\\w+)=~?\"", metric.group(2))) {
                        assertTrue(
                                label.group(1).equals("instance")
                                        || samples.get(0).group(1).contains(label.group(1) + "=\""),
                                query::toString);
                    }
                }
            }
            lint(told);
        }
    }

    private void lint(String told) throws Exception {
        if (Files.isExecutable(Path.of(PROMTOOL))) {
            Process promtool = new ProcessBuilder(PROMTOOL, "check", "metrics")
                    .redirectInput(
                            Files.writeString(scratch.resolve("told"), told).toFile())
                    .redirectErrorStream(true)
                    .start();
            assertEquals("", new String(promtool.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
            assertEquals(0, promtool.waitFor());
        }
    }

    @Test
    void shouldAskPrometheusWhatItKnows() throws Exception {
        assumeTrue(Files.isExecutable(Path.of(PROMETHEUS)), "there is no " + PROMETHEUS);
        Content.write(root.resolve("big"), BIG);
        String daemon = "127.0.0.1:" + freePort();
        String prometheus = "127.0.0.1:" + freePort();
        Path config = Files.writeString(scratch.resolve("prometheus.yml"), """
                scrape_configs:
                  - job_name: sendfiled
                    scrape_interval: 250ms
                    scrape_timeout: 250ms
                    static_configs: [{targets: ["%s"]}]
                """.formatted(daemon));
        Process scraping = new ProcessBuilder(
                        PROMETHEUS,
                        "--config.file=" + config,
                        "--storage.tsdb.path=" + scratch.resolve("tsdb"),
                        "--web.listen-address=" + prometheus)
                .redirectErrorStream(true)
                .redirectOutput(scratch.resolve("prometheus").toFile())
                .start();
        try (Program program = start("--metrics=" + daemon);
                SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
            // What it sees from the start on, it sees the rate of.
            await(prometheus, new Query("", "sendfiled_start_time_seconds", Set.of("instance")));
            try (TestDestination full = work(client)) {
                for (Query query : queries()) {
                    await(
                            prometheus,
                            new Query(
                                    query.panel(),
                                    query.expression()
                                            .replace("$__rate_interval", "1m")
                                            .replace("$instance", daemon),
                                    query.labels()));
                }
                assertTrue(full != null);
            }
            for (JsonElement each : dashboard().getAsJsonObject("templating").getAsJsonArray("list")) {
                for (MatchResult values :
                        all("label_values\\((\\w+), (\\w+)\\)", text(each.getAsJsonObject(), "definition"))) {
                    String known = got("http://" + prometheus + "/api/v1/label/" + values.group(2) + "/values?match[]="
                            + values.group(1));
                    assertTrue(known.contains("\"data\":[\"" + daemon + "\"]"), known);
                }
            }
            assertTrue(program.isAlive());
        } finally {
            scraping.destroy();
            scraping.waitFor();
        }
    }

    /** Until it has an answer: series with all labels by which the panel calls them. */
    private static void await(String prometheus, Query query) {
        Await.until(query.toString(), () -> {
            try {
                String answer = got("http://" + prometheus + "/api/v1/query?query="
                        + URLEncoder.encode(query.expression(), StandardCharsets.UTF_8));
                List<JsonElement> series = JsonParser.parseString(answer)
                        .getAsJsonObject()
                        .getAsJsonObject("data")
                        .getAsJsonArray("result")
                        .asList();
                return !series.isEmpty()
                        && series.stream().allMatch(one -> one.getAsJsonObject()
                                .getAsJsonObject("metric")
                                .keySet()
                                .containsAll(query.labels()));
            } catch (ConnectException e) { // it starts
                return false;
            } catch (IOException e) { // 400: it does not understand
                throw new AssertionError(query.toString(), e);
            }
        });
    }
}
