package io.sendfiled.bench;

import io.sendfiled.bench.Report.Metric;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What a run says in four sentences: of warm files, beside a slow disk, of bulk, and what all that costs. */
final class Headlines {
    private static final String WEB = "http";
    private static final String BULK = "throughput";
    private static final String BIG_FILE = "1 GiB to TCP";
    private static final String BIG_FILES = "8 × 256 MiB to TCP";
    private static final String OF_FASTEST = "sendfiled of the fastest bare loop";
    private static final Pattern FASTEST = Pattern.compile(".*\\((.*)\\)");
    private static final String DAEMON = "sendfiled";
    private static final List<Peer> WARM = List.of(Peer.NGINX_THREADS, Peer.NGINX_OPEN_FILES, Peer.REGION);
    private static final List<Peer> BESIDE = List.of(Peer.NGINX_THREADS, Peer.NGINX, Peer.REGION);

    private final Results results;

    private Headlines(Results results) {
        this.results = results;
    }

    /** Those whose figures the run has. */
    static List<String> of(Results results) {
        Headlines headlines = new Headlines(results);
        return Stream.of(headlines.warm(), headlines.besideCold(), headlines.bulk(), headlines.cost())
                .flatMap(Optional::stream)
                .toList();
    }

    private Optional<String> warm() {
        List<String> others = others(WARM, Peers.SMALL, peer -> "sfd serve, requests of those of " + peer.title)
                .map(other -> other.ratio().shown() + " times the requests of " + other.title())
                .toList();
        return others.isEmpty()
                ? Optional.empty()
                : Optional.of("Warm files of 4 KiB over HTTP, one event loop each: sfd serve answers "
                        + String.join("; ", others) + ".");
    }

    private Optional<String> besideCold() {
        String serve = Peer.SERVE.title;
        String others = others(BESIDE, PeersBesideCold.CASE, peer -> peer.title + ", requests of its own alone")
                .map(other -> "; " + other.title() + " " + other.ratio().shown())
                .collect(Collectors.joining());
        return metric(WEB, PeersBesideCold.CASE, serve, WebSide.RATE)
                .flatMap(beside -> metric(WEB, PeersBesideCold.CASE, serve + ", alone", WebSide.RATE)
                        .map(alone -> Units.format(
                                "While 16 clients download cold files from a slow disk, sfd serve keeps %s of its rate%s.",
                                Ratio.ofRounds(beside, alone).shown(), others)));
    }

    private record Other(String title, Ratio ratio) {}

    /** Those that were compared by what is said of each. */
    private Stream<Other> others(List<Peer> peers, String testCase, Function<Peer, String> what) {
        return peers.stream()
                .flatMap(
                        peer -> compared(WEB, testCase, what.apply(peer))
                                .map(comparison -> new Other(peer.title, comparison.ratio()))
                                .stream());
    }

    private Optional<String> bulk() {
        return compared(BULK, BIG_FILE, OF_FASTEST).flatMap(one -> compared(BULK, BIG_FILES, OF_FASTEST)
                .map(eight -> Units.format(
                        "A big warm file goes to TCP at %s of the speed of a bare sendfile loop with no server around it,"
                                + " and eight at once at %s of it.",
                        one.shown(), eight.shown())));
    }

    private Optional<String> cost() {
        Optional<String> cpu = compared(BULK, BIG_FILE, OF_FASTEST).flatMap(this::cpu);
        Optional<String> memory = metric(WEB, Peers.SMALL, Peer.SERVE.title, Cost.MEMORY)
                .flatMap(serve -> metric(WEB, Peers.SMALL, Peer.NGINX_THREADS.title, Cost.MEMORY)
                        .map(nginx -> Units.format(
                                "sfd serve holds %s of memory (PSS) where nginx with aio threads holds %s",
                                shown(serve), shown(nginx))));
        List<String> costs = Stream.of(cpu, memory).flatMap(Optional::stream).toList();
        return costs.isEmpty() ? Optional.empty() : Optional.of("What it costs: " + String.join("; ", costs) + ".");
    }

    /** Beside the loop that was the fastest. */
    private Optional<String> cpu(Report.Comparison fastest) {
        Matcher way = FASTEST.matcher(fastest.what());
        return way.matches()
                ? metric(BULK, BIG_FILE, DAEMON, Cost.CPU)
                        .flatMap(ours -> metric(BULK, BIG_FILE, "bare loop, " + way.group(1), Cost.CPU)
                                .map(loop -> Units.format(
                                        "a GB of a big file takes %s times the CPU of that loop (%s against %s)",
                                        Ratio.ofRounds(ours, loop).shown(), shown(ours), shown(loop))))
                : Optional.empty();
    }

    private static String shown(Metric metric) {
        return Units.value(metric.median(), metric.unit());
    }

    private Optional<Report.Comparison> compared(String scenario, String testCase, String what) {
        return results.comparisons().stream()
                .filter(comparison -> comparison.scenario().equals(scenario)
                        && comparison.testCase().equals(testCase)
                        && comparison.what().replaceAll(" \\(.*\\)", "").equals(what))
                .findFirst();
    }

    private Optional<Metric> metric(String scenario, String testCase, String subject, String name) {
        return results.metrics().stream()
                .filter(metric -> metric.scenario().equals(scenario)
                        && metric.testCase().equals(testCase)
                        && metric.subject().equals(subject)
                        && metric.name().equals(name))
                .findFirst();
    }
}
