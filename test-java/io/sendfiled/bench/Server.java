package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A running server process: the daemon, or one of the yardsticks. Closing stops it.
 *
 * <p>Owns the process. Not thread-safe.
 */
final class Server implements AutoCloseable {
    /** Who is measured. */
    enum Kind {
        DAEMON("sendfiled"),
        /** The yardsticks have no sandbox either. */
        UNCONFINED("without sandbox"),
        ORIGINAL("original's calls"),
        FEWEST("fewest calls");

        final String title;

        Kind(String title) {
            this.title = title;
        }
    }

    private static final String INSTANCE = "bench";
    /** How the bare loop's threads wait: which is the fastest depends on the machine and on the connections. */
    static final List<String> BARE_WAYS = List.of("blocking", "polling", "loops", "one-loop");

    private static final int MAX_TRANSFERS = 1000;

    /** Owns nothing. */
    private static final int DAEMON_USER = 54321;

    private static final long POLL_MS = 1;

    private final Process process;
    private final Path socket;
    private final Path log;

    private Server(Process process, Path socket, Path log) {
        this.process = process;
        this.socket = socket;
        this.log = log;
    }

    /**
     * Starts a server and waits until its socket is there. Blocks.
     *
     * @param socketDirectory an existing directory; its path must leave room for a socket's name (108 bytes in all)
     */
    static Server start(Programs programs, Kind kind, Path root, Path socketDirectory)
            throws IOException, InterruptedException {
        return switch (kind) {
            case DAEMON -> startDaemon(programs, INSTANCE, root, socketDirectory);
            case UNCONFINED ->
                startDaemon(programs, INSTANCE + "-unconfined", MAX_TRANSFERS, root, socketDirectory, "--sandbox=off");
            case ORIGINAL -> startHelper(programs, "server_original", "server_original", root, socketDirectory);
            case FEWEST -> startHelper(programs, "server_fewest", "server_fewest", root, socketDirectory);
        };
    }

    /** Starts the daemon under a name; otherwise the same. */
    static Server startDaemon(Programs programs, String instance, Path root, Path socketDirectory)
            throws IOException, InterruptedException {
        return startDaemon(programs, instance, MAX_TRANSFERS, root, socketDirectory);
    }

    /**
     * Starts the daemon with these options of its JVM; otherwise the same. What the JVM makes while it is root's is for all to
     * write to: the daemon's user goes on with it. The directory has to be closed to others.
     */
    static Server startDaemon(Programs programs, String instance, Path root, Path socketDirectory, String javaOptions)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("sh", "-c", "umask 0; exec \"$@\"", "sh"));
        command.addAll(daemonCommand(programs, instance, MAX_TRANSFERS, root, socketDirectory));
        return start(
                "sendfiled " + instance,
                socket(instance, socketDirectory),
                command,
                Map.of("SENDFILED_JAVA_OPTS", javaOptions));
    }

    /**
     * Starts the daemon for as many transfers at once; otherwise the same. From root it gets a user of its own, who owns
     * neither the files nor anything else: what a kernel tells only a file's owner, it does not tell most daemons.
     */
    static Server startDaemon(
            Programs programs, String instance, int maxTransfers, Path root, Path socketDirectory, String... options)
            throws IOException, InterruptedException {
        List<String> command = daemonCommand(programs, instance, maxTransfers, root, socketDirectory);
        command.addAll(List.of(options));
        return start("sendfiled " + instance, socket(instance, socketDirectory), command, Map.of());
    }

    private static Path socket(String instance, Path directory) {
        return directory.resolve("sendfiled." + instance + ".socket");
    }

    private static List<String> daemonCommand(
            Programs programs, String instance, int maxTransfers, Path root, Path socketDirectory) throws IOException {
        List<String> command = Programs.command(
                programs.daemon(), "-s", instance, "-r", root, "-S", socketDirectory, "-n", maxTransfers);
        if (Programs.isRoot()) {
            Files.setAttribute(socketDirectory, "unix:uid", DAEMON_USER);
            command.addAll(List.of("-u", Integer.toString(DAEMON_USER)));
        }
        return command;
    }

    /** Starts the bare loop, one of {@link #BARE_WAYS}; otherwise the same. */
    static Server startBare(Programs programs, String way, Path root, Path socketDirectory)
            throws IOException, InterruptedException {
        return startHelper(programs, "server_bare", "bare-" + way, root, socketDirectory, way);
    }

    private static Server startHelper(
            Programs programs, String program, String name, Path root, Path socketDirectory, Object... options)
            throws IOException, InterruptedException {
        Path socket = socketDirectory.resolve(name + ".socket");
        List<String> command = Programs.command(programs.helper(program), socket, root);
        for (Object option : options) {
            command.add(option.toString());
        }
        return start(name, socket, command, Map.of());
    }

    private static Server start(String name, Path socket, List<String> command, Map<String, String> environment)
            throws IOException, InterruptedException {
        Path log = socket.resolveSibling(socket.getFileName() + ".log"); // not into the table that is being printed
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(log.toFile());
        builder.environment().put("SENDFILED_ALLOW_ROOT", "1");
        builder.environment().putAll(environment);
        Files.deleteIfExists(socket); // of one that was killed: this one's is what is waited for
        Process process = Programs.startAttached(builder);
        process.getOutputStream().close();
        Server server = new Server(process, socket, log);
        try {
            server.awaitSocket(name);
        } catch (IOException | InterruptedException | RuntimeException e) {
            server.close();
            throw e;
        }
        return server;
    }

    /** A socket that is bound keeps what it gets until the server reads it, so its file is all there is to wait for. */
    private void awaitSocket(String name) throws IOException, InterruptedException {
        long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Programs.START_TIMEOUT_MS);
        while (!Files.exists(socket)) {
            if (process.waitFor(POLL_MS, TimeUnit.MILLISECONDS)) {
                throw new IOException(name + " ended at once, exit status " + process.exitValue() + ": "
                        + Files.readString(log).strip());
            }
            if (System.nanoTime() > deadlineNs) {
                throw new IOException(name + " made no socket within " + Programs.START_TIMEOUT_MS + " ms");
            }
        }
    }

    Path socket() {
        return socket;
    }

    long pid() {
        return process.pid();
    }

    /** SIGTERM; the exit status. */
    int stop() throws InterruptedException {
        return Programs.stop(process);
    }

    @Override
    public void close() {
        try {
            stop();
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
