package io.sendfiled.bench;

import com.google.gson.Gson;
import com.google.gson.JsonSyntaxException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Runs the native load client, which reports one line of JSON. */
final class LoadClient {
    /** What the load client reports; times in microseconds. What the server has used is of each request. */
    record Result(
            long requests,
            long failures,
            double seconds,
            double rate,
            double mb_per_s,
            double p50_us,
            double p99_us,
            double max_us,
            double server_cpu_us,
            double server_switches,
            double server_pss_kib,
            int technique,
            long cold_windows,
            String first_failure) {
        /** What small requests are judged by. */
        void sample(Report report, String scenario, String testCase, String subject) {
            report.sample(scenario, testCase, subject, "rate", "requests/s", rate);
            report.sample(scenario, testCase, subject, "p50", "us", p50_us);
            report.sample(scenario, testCase, subject, "p99", "us", p99_us);
            cost().sample(report, scenario, testCase, subject);
        }

        Cost cost() {
            return new Cost(server_cpu_us, server_switches, server_pss_kib / 1024);
        }

        /** Adds what the server has used to a report, by the GB. */
        void sampleVolume(Report report, String scenario, String testCase, String subject) {
            cost().sampleVolume(report, scenario, testCase, subject, mb_per_s * seconds / 1000 / requests);
        }
    }

    /** What the helper idle reports of each process, in the order that they were given. */
    record Idle(double seconds, List<Use> processes) {
        record Use(double cpu_us_per_s, double wakeups_per_s) {}
    }

    private record Slices(List<Long> slices) {}

    /** A load that goes on while something else is measured. */
    record Running(Process process, BufferedReader output) implements AutoCloseable {
        boolean isRunning() {
            return process.isAlive();
        }

        /** Lets it finish what is under way, and no more; the result. Blocks. */
        Result end() throws IOException {
            process.toHandle().destroy(); // Process.destroy() would close its output as well
            return result();
        }

        /** The same of one whose requests may be refused. */
        Result endWithFailures() throws IOException {
            process.toHandle().destroy();
            return resultWithFailures();
        }

        /** The result of one whose requests may be refused, or not be answered in its time. Blocks. */
        Result resultWithFailures() throws IOException {
            try (BufferedReader rest = output) {
                String json = rest.readLine();
                return parse(json == null ? "" : json, Result.class);
            } finally {
                process.destroyForcibly();
            }
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }

        /** How many requests ended in each slice of the time, of a load with {@code --slice}. Blocks. */
        List<Long> slices() throws IOException {
            try (BufferedReader rest = output) {
                String json = rest.readLine();
                checked(json);
                return parse(json == null ? "" : json, Slices.class).slices();
            } finally {
                process.destroyForcibly();
            }
        }

        /** The result of requests on a schedule of this rate. Blocks until they have ended. */
        PacedLoad pacedResult(double rate) throws IOException {
            try (BufferedReader rest = output) {
                String json = rest.readLine();
                return PacedLoad.parse(rate, json == null ? "" : json);
            } finally {
                process.destroyForcibly();
            }
        }

        Result result() throws IOException {
            try (BufferedReader rest = output) {
                return checked(rest.readLine());
            } finally {
                process.destroyForcibly();
            }
        }
    }

    /** Requests that the server refused, or did not serve as it should. */
    static final class FailedRequestsException extends IOException {
        private static final long serialVersionUID = 1;

        FailedRequestsException(String message) {
            super(message);
        }
    }

    private static final long TIMEOUT_MS = 90_000;
    private static final Gson GSON = new Gson();

    private final Programs programs;

    LoadClient(Programs programs) {
        this.programs = programs;
    }

    /** Runs to the end; blocks. Any failed request is an error: a benchmark of failures says nothing. */
    Result run(Server server, Object... options) throws IOException, InterruptedException {
        return checked(Programs.run(command(server, options), TIMEOUT_MS));
    }

    /** The same over a session. */
    Result session(Server server, Object... options) throws IOException, InterruptedException {
        List<String> command = Programs.command(
                programs.helper("session_load"),
                "--dir",
                Objects.requireNonNull(server.socket().getParent()),
                "--name",
                nameOf(server),
                "--server-pid",
                server.pid());
        for (Object option : options) {
            command.add(option.toString());
        }
        return checked(Programs.run(command, TIMEOUT_MS));
    }

    /** A JVM that asks for the same over a session, by the Java client, as often as it is measured. */
    JavaLoad javaSession(Server server, String operation, String path, Path reference, int depth) throws IOException {
        return JavaLoad.start(Programs.java(
                Jdk.running(),
                programs.dist().resolve("lib/sendfiled").toAbsolutePath(),
                System.getProperty("java.class.path"),
                SessionLoad.class,
                Objects.requireNonNull(server.socket().getParent()),
                nameOf(server),
                server.pid(),
                operation,
                path,
                reference,
                depth));
    }

    /** Returns once so many sessions are open, each with a destination, which ask for nothing. Blocks. */
    Running idleSessions(Server server, int count) throws IOException {
        return start(
                Programs.command(
                        programs.helper("session_idle"),
                        Objects.requireNonNull(server.socket().getParent()),
                        nameOf(server),
                        count),
                "holding " + count);
    }

    /** Of sendfiled.NAME.socket. */
    private static String nameOf(Server server) {
        String file = Objects.requireNonNull(server.socket().getFileName()).toString();
        return file.substring(file.indexOf('.') + 1, file.lastIndexOf('.'));
    }

    /** MB/s of {@link #transfers}. Blocks. */
    double throughput(Server server, String channel, String path, int connections)
            throws IOException, InterruptedException {
        return transfers(server, channel, path, connections).mb_per_s();
    }

    /**
     * A file that so many connections take at once, each with a receiver of its own. Blocks.
     *
     * @param channel "pipe" is a Read File, anything else a Send File
     */
    Result transfers(Server server, String channel, String path, int connections)
            throws IOException, InterruptedException {
        return run(
                server,
                "--op",
                channel.equals("pipe") ? "read" : "send",
                "--to",
                channel,
                "--path",
                path,
                "--threads",
                connections,
                "--count",
                connections);
    }

    /**
     * Requests of a file on a schedule, over as many connections as {@link Wrk#CONNECTIONS}. Returns when they begin.
     *
     * @param size of the file, in bytes
     * @param rate requests a second
     */
    Running startPaced(WebServer server, String file, long size, long rate, long ms) throws IOException {
        return start(
                Programs.command(programs.helper("http_paced"), server.port(), file, size, Wrk.CONNECTIONS, rate, ms),
                "started");
    }

    /** Returns once its requests begin. */
    Running start(Server server, Object... options) throws IOException {
        List<String> command = command(server, options);
        command.add("--announce");
        return start(command, "started");
    }

    /** As many cat(1) processes as files, once; makes them cold before. Blocks. */
    Result cats(List<Path> files) throws IOException, InterruptedException {
        return checked(Programs.run(Programs.command(programs.helper("cats"), files.toArray()), TIMEOUT_MS));
    }

    /** The same again and again, until it is ended. */
    Running startCats(List<Path> files) throws IOException {
        List<String> command = Programs.command(programs.helper("cats"), "--loop");
        files.forEach(file -> command.add(file.toString()));
        return start(command, "started");
    }

    /** Returns once so many transfers of a file are stuck, because nobody receives them. Blocks. */
    Running stuck(Server server, String operation, String path, int count) throws IOException {
        return start(
                Programs.command(
                        programs.helper("stuck"),
                        "--socket",
                        server.socket(),
                        "--op",
                        operation,
                        "--path",
                        path,
                        "--count",
                        count),
                "holding " + count);
    }

    /** What servers use while nothing is asked of them. Blocks for as long. */
    Idle idle(double seconds, List<Server> servers) throws IOException, InterruptedException {
        List<String> command = Programs.command(programs.helper("idle"), "--seconds", seconds);
        servers.forEach(server -> command.add(Long.toString(server.pid())));
        return parse(Programs.run(command, TIMEOUT_MS), Idle.class);
    }

    private static Running start(List<String> command, String announcement) throws IOException {
        Process process =
                Programs.startAttached(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT));
        BufferedReader output =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        if (!announcement.equals(output.readLine())) {
            process.destroyForcibly();
            throw new IOException("did not start (see its message above): " + command.get(0));
        }
        return new Running(process, output);
    }

    private List<String> command(Server server, Object... options) throws IOException {
        List<String> command = new ArrayList<>(
                Programs.command(programs.helper("load"), "--socket", server.socket(), "--server-pid", server.pid()));
        for (Object option : options) {
            command.add(option.toString());
        }
        return command;
    }

    private static Result checked(@org.jspecify.annotations.Nullable String json) throws IOException {
        Result result = parse(json == null ? "" : json, Result.class);
        if (result.failures() > 0) {
            throw new FailedRequestsException(result.failures() + " of " + result.requests()
                    + " requests failed, the first: " + result.first_failure());
        }
        return result;
    }

    /** What a helper has printed, one line of JSON. */
    static <T> T parse(String json, Class<T> type) throws IOException {
        try {
            T value = GSON.fromJson(json, type);
            if (value != null) {
                return value;
            }
        } catch (JsonSyntaxException e) {
            throw new IOException("not what a helper should print: " + json, e);
        }
        throw new IOException("a helper printed nothing (see its message above)");
    }
}
