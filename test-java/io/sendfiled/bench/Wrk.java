package io.sendfiled.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Runs wrk(1), the load generator of HTTP: one thread, keep-alive, the next request when the response is complete. */
final class Wrk {
    /** As many connections as the goals are stated for. */
    static final int CONNECTIONS = 16;

    /** What wrk reports; latencies in microseconds. */
    record Result(long requests, double seconds, double bytes, double p50Us, double p99Us, long failures) {
        double rate() {
            return requests / seconds;
        }

        double megabytesPerSecond() {
            return bytes / seconds / 1e6;
        }
    }

    private static final long GRACE_MS = 30_000;
    private static final Pattern TOTAL =
            Pattern.compile("(\\d+) requests in ([\\d.]+)(us|ms|s|m|h), ([\\d.]+)([KMGT]?)B read");
    private static final Pattern PERCENTILE =
            Pattern.compile("^\\s+(50|99)%\\s+([\\d.]+)(us|ms|s|m|h) ?$", Pattern.MULTILINE); // "1.00s ", but "10.00us"
    private static final Pattern SOCKET_ERRORS =
            Pattern.compile("Socket errors: connect (\\d+), read (\\d+), write (\\d+), timeout (\\d+)");
    private static final Pattern REFUSALS = Pattern.compile("Non-2xx or 3xx responses: (\\d+)");
    private static final Map<String, Double> MICROSECONDS =
            Map.of("us", 1.0, "ms", 1e3, "s", 1e6, "m", 60e6, "h", 3600e6);
    private static final List<String> MAGNITUDES = List.of("", "K", "M", "G", "T");

    private Wrk() {}

    /** The command line. Its shortest time is a second. */
    static List<String> command(String url, int connections, int seconds) {
        return List.of("wrk", "-t1", "-c" + connections, "-d" + seconds + "s", "--timeout", "30s", "--latency", url);
    }

    /** Runs to the end; blocks. Any failed request is an error: a benchmark of failures says nothing. */
    static Result run(String url, int connections, int seconds) throws IOException, InterruptedException {
        return checked(runWithFailures(url, connections, seconds));
    }

    /** The same of a server that may fail to answer in time. */
    static Result runWithFailures(String url, int connections, int seconds) throws IOException, InterruptedException {
        return parse(Programs.run(command(url, connections, seconds), seconds * 1000L + GRACE_MS));
    }

    static Result checked(Result result) throws IOException {
        if (result.failures() > 0) {
            throw new IOException(result.failures() + " requests failed beside " + result.requests() + " that did not");
        }
        return result;
    }

    /** What wrk has printed with {@code --latency}. */
    static Result parse(String output) throws IOException {
        Matcher total = TOTAL.matcher(output);
        if (!total.find()) {
            throw new IOException("not what wrk should print: " + output);
        }
        List<Double> percentiles = new ArrayList<>();
        for (Matcher m = PERCENTILE.matcher(output); m.find(); ) {
            percentiles.add(microseconds(m.group(2), m.group(3)));
        }
        if (percentiles.size() != 2) {
            throw new IOException("wrk has printed no latencies: " + output);
        }
        long failures = 0;
        for (Pattern pattern : List.of(SOCKET_ERRORS, REFUSALS)) {
            Matcher m = pattern.matcher(output);
            if (m.find()) {
                for (int group = 1; group <= m.groupCount(); group++) {
                    failures += Long.parseLong(m.group(group));
                }
            }
        }
        long requests = Long.parseLong(total.group(1));
        double elapsedUs = microseconds(total.group(2), total.group(3));
        if (requests == 0) {
            percentiles.replaceAll(zero -> elapsedUs); // nobody was answered for so long at least
        }
        return new Result(
                requests,
                elapsedUs / 1e6,
                Double.parseDouble(total.group(4)) * Math.pow(1024, MAGNITUDES.indexOf(total.group(5))),
                percentiles.get(0),
                percentiles.get(1),
                failures);
    }

    private static double microseconds(String number, String unit) {
        return Double.parseDouble(number) * MICROSECONDS.getOrDefault(unit, Double.NaN);
    }
}
