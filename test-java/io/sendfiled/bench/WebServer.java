package io.sendfiled.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A running HTTP server of one event loop, on a port of the loopback address. Closing stops it.
 *
 * <p>Owns the process; not the daemon beside it, if there is one. Not thread-safe.
 */
final class WebServer implements AutoCloseable {
    private static final Pattern ANNOUNCEMENT = Pattern.compile("(?:listening on |at http://)127\\.0\\.0\\.1:(\\d+)");
    private static final long POLL_MS = 5;

    private final String name;
    private final Process process;
    private final @Nullable BufferedReader output; // not of nginx, which says nothing
    private final int port;
    private final List<Long> pids = new ArrayList<>();

    private WebServer(String name, Process process, @Nullable BufferedReader output, int port) {
        this.name = name;
        this.process = process;
        this.output = output;
        this.port = port;
    }

    /** What a server of ours does in its main thread: it announces its port, and ends the process with its input. Blocks. */
    static void announceUntilInputEnds(int port) throws IOException {
        System.out.println("listening on 127.0.0.1:" + port);
        while (System.in.read() >= 0) {
            // Nothing is asked of it.
        }
        System.exit(0);
    }

    /** Starts one that announces its port on standard output. Blocks until it has. */
    static WebServer start(String name, List<String> command) throws IOException {
        Process process =
                Programs.startAttached(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT));
        BufferedReader output =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        String line = output.readLine();
        Matcher announced = ANNOUNCEMENT.matcher(line == null ? "" : line);
        if (!announced.find()) {
            process.destroyForcibly();
            throw new IOException(name + " did not start (see its message above): " + line);
        }
        WebServer server = new WebServer(name, process, output, Integer.parseInt(announced.group(1)));
        server.pids.add(process.pid());
        return server;
    }

    /** Starts nginx with one worker. Blocks until it listens. */
    static WebServer startNginx(Nginx nginx, Path directory, Path root, List<String> commandPrefix)
            throws IOException, InterruptedException {
        int port = freePort();
        Path configuration = directory.resolve("nginx.conf");
        Files.writeString(configuration, nginx.configuration(directory, root, port));
        List<String> command = new ArrayList<>(commandPrefix);
        command.addAll(List.of(
                Nginx.program(),
                "-e",
                directory.resolve("error.log").toString(),
                "-c",
                configuration.toString(),
                "-p",
                directory.toString()));
        Process process = Programs.startAttached(new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(directory.resolve("start.log").toFile()));
        WebServer server = new WebServer("nginx", process, null, port);
        server.awaitListening(directory.resolve("start.log"));
        server.pids.add(process.pid());
        server.pids.add(server.awaitWorker());
        return server;
    }

    private static int freePort() throws IOException {
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return probe.getLocalPort();
        }
    }

    private void awaitListening(Path log) throws IOException, InterruptedException {
        long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Programs.START_TIMEOUT_MS);
        while (true) {
            try {
                new Socket(InetAddress.getLoopbackAddress(), port).close();
                return;
            } catch (IOException e) {
                if (process.waitFor(POLL_MS, TimeUnit.MILLISECONDS) || System.nanoTime() > deadlineNs) {
                    close();
                    throw new IOException(
                            name + " does not listen: " + Files.readString(log).strip(), e);
                }
            }
        }
    }

    /** The only worker of nginx, which begins to listen before it has one. Returns its process id. Blocks. */
    private long awaitWorker() throws IOException, InterruptedException {
        long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Programs.START_TIMEOUT_MS);
        while (true) {
            Optional<ProcessHandle> worker = process.descendants().findAny();
            if (worker.isPresent()) {
                return worker.get().pid();
            }
            if (process.waitFor(POLL_MS, TimeUnit.MILLISECONDS) || System.nanoTime() > deadlineNs) {
                close();
                throw new IOException(name + " has no worker");
            }
        }
    }

    String name() {
        return name;
    }

    int port() {
        return port;
    }

    String url(String file) {
        return "http://127.0.0.1:" + port + "/" + file;
    }

    /** The server's processes, and those that were added. */
    List<Long> pids() {
        return pids;
    }

    /** Counts a process that works for the server as a part of it. */
    void add(long pid) {
        pids.add(pid);
    }

    /** What the server has used until now. Blocks for a moment. */
    Cost costSoFar() throws IOException {
        return Cost.soFar(pids);
    }

    /** Fetches a file and compares: the rate of a server that sends something else says nothing. Blocks. */
    void check(String file, Path expected) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url(file)))
                .timeout(Duration.ofMillis(Programs.START_TIMEOUT_MS))
                .build();
        HttpResponse<byte[]> response =
                HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofByteArray());
        if (response.statusCode() != 200 || !Arrays.equals(response.body(), Files.readAllBytes(expected))) {
            throw new IOException(name + " answers " + response.statusCode() + " and " + response.body().length
                    + " bytes, which are not those of " + file);
        }
    }

    /** Asks a Java server for what it holds: bytes of its heap after a collection, and beside the heap. Blocks. */
    NettyServer.Memory memory() throws IOException {
        OutputStream input = process.getOutputStream();
        input.write("memory\n".getBytes(StandardCharsets.UTF_8));
        input.flush();
        return NettyServer.Memory.parse(String.valueOf(output == null ? null : output.readLine()));
    }

    @Override
    public void close() {
        try {
            Programs.stop(process);
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
