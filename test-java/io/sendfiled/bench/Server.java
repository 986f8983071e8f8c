package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
        ORIGINAL("original's calls"),
        FEWEST("fewest calls");

        final String title;

        Kind(String title) {
            this.title = title;
        }
    }

    private static final String INSTANCE = "bench";
    private static final int MAX_TRANSFERS = 1000;
    private static final long POLL_MS = 5;

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
        return start(programs, kind, INSTANCE, root, socketDirectory);
    }

    /** Starts the daemon under a name; otherwise the same. */
    static Server startDaemon(Programs programs, String instance, Path root, Path socketDirectory)
            throws IOException, InterruptedException {
        return start(programs, Kind.DAEMON, instance, root, socketDirectory);
    }

    private static Server start(Programs programs, Kind kind, String instance, Path root, Path socketDirectory)
            throws IOException, InterruptedException {
        Path socket;
        List<String> command;
        switch (kind) {
            case DAEMON -> {
                socket = socketDirectory.resolve("sendfiled." + instance + ".socket");
                command = Programs.command(
                        programs.daemon(), "-s", instance, "-r", root, "-S", socketDirectory, "-n", MAX_TRANSFERS);
            }
            case ORIGINAL, FEWEST -> {
                String name = kind == Kind.ORIGINAL ? "server_original" : "server_fewest";
                socket = socketDirectory.resolve(name + ".socket");
                command = Programs.command(programs.helper(name), socket, root);
            }
            default -> throw new AssertionError(kind);
        }
        Path log = socketDirectory.resolve(kind + ".log"); // not into the table that is being printed
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(log.toFile());
        builder.environment().put("SENDFILED_ALLOW_ROOT", "1");
        Process process = Programs.startAttached(builder);
        process.getOutputStream().close();
        Server server = new Server(process, socket, log);
        try {
            server.awaitSocket(kind);
        } catch (IOException | InterruptedException | RuntimeException e) {
            server.close();
            throw e;
        }
        return server;
    }

    /** A socket that is bound keeps what it gets until the server reads it, so its file is all there is to wait for. */
    private void awaitSocket(Kind kind) throws IOException, InterruptedException {
        long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Programs.START_TIMEOUT_MS);
        while (!Files.exists(socket)) {
            if (process.waitFor(POLL_MS, TimeUnit.MILLISECONDS)) {
                throw new IOException(kind.title + " ended at once, exit status " + process.exitValue() + ": "
                        + Files.readString(log).strip());
            }
            if (System.nanoTime() > deadlineNs) {
                throw new IOException(kind.title + " made no socket within " + Programs.START_TIMEOUT_MS + " ms");
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
