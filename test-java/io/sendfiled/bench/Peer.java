package io.sendfiled.bench;

import io.netty.util.Version;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A server of files that one would use, ours among them, and how it is set up: as its own documentation advises. */
enum Peer {
    SERVE("sfd serve", "one event loop, otherwise as it is installed: it keeps files open for a second"),
    SERVE_NONE_OPEN("sfd serve, uncached", "one event loop, --open-files=0: it opens a file for each request"),
    HANDLER("our Netty handler", "one event loop of Netty's epoll transport, HttpServerCodec, the embedded engine"),
    NGINX("nginx, sendfile on", Nginx.SENDFILE),
    NGINX_THREADS("nginx, aio threads", Nginx.THREADS),
    NGINX_OPEN_FILES("nginx, file cache", Nginx.OPEN_FILES),
    REGION("DefaultFileRegion", "one event loop of Netty's epoll transport, HttpServerCodec"),
    CHUNKED(
            "ChunkedNioFile",
            "one event loop of Netty's epoll transport, HttpServerCodec, ChunkedWriteHandler, pieces of 8 KiB"),
    VERTX("Vert.x sendFile", "one event loop, setPreferNativeTransport(true)"),
    POOL(
            "platform threads",
            "FileChannel.transferTo to a blocking socket, a thread for each connection, of a pool of "
                    + BlockingServer.MOST_THREADS),
    VIRTUAL(
            "virtual threads",
            "FileChannel.transferTo to a blocking socket, a virtual thread for each connection, the JDK's scheduler");

    private static final int FIRST_WITH_VIRTUAL_THREADS = 21;
    private static final String VERTX_VERSION = "META-INF/vertx/vertx-version.txt";

    final String title;

    /** In words, or in the peer's own. */
    final String setup;

    private final @Nullable Nginx nginx; // null: a JVM

    Peer(String title, String setup) {
        this(title, setup, null);
    }

    Peer(String title, Nginx nginx) {
        this(title, "worker_processes 1; access_log off; " + nginx.directives, nginx);
    }

    Peer(String title, String setup, @Nullable Nginx nginx) {
        this.title = title;
        this.setup = setup;
        this.nginx = nginx;
    }

    /** Whether it gets faster while it serves. */
    boolean isJava() {
        return nginx == null;
    }

    /** What this machine lacks for it, and the way out; empty when it has all. */
    String missing() throws IOException {
        if (nginx != null) {
            return Nginx.missing();
        }
        return this == VIRTUAL && Jdk.atLeast(FIRST_WITH_VIRTUAL_THREADS).isEmpty()
                ? "it needs a JDK of " + FIRST_WITH_VIRTUAL_THREADS + " or later, in JAVA_HOME or /usr/lib/jvm"
                : "";
    }

    /** Starts it as a user who does not own the files, where the harness is root. Blocks until it listens. */
    WebServer start(Stage stage, Path files) throws IOException, InterruptedException {
        int user = Programs.isRoot() ? 1 : 0;
        List<String> command = new ArrayList<>(user == 0 ? List.of() : stage.byOtherUser(List.of()));
        if (nginx != null) {
            return WebServer.startNginx(nginx, stage.directory(name(), user), files, command);
        }
        command.addAll(command(stage, files));
        return WebServer.start(title, command);
    }

    private List<String> command(Stage stage, Path files) throws IOException {
        return switch (this) {
            case SERVE -> Programs.command(stage.sfd(), "serve", "--port=0", "--loops=1", files);
            case SERVE_NONE_OPEN ->
                Programs.command(stage.sfd(), "serve", "--port=0", "--loops=1", "--open-files=0", files);
            case HANDLER -> stage.java(NettyServer.class, NettyServer.Way.HANDLER, files);
            case REGION -> stage.java(NettyServer.class, NettyServer.Way.REGION, files);
            case CHUNKED -> stage.java(NettyServer.class, NettyServer.Way.CHUNKED, files);
            case VERTX -> stage.java(VertxFiles.class, files);
            case POOL -> stage.java(BlockingServer.class, BlockingServer.Threads.POOL, files);
            case VIRTUAL -> stage.java(virtualThreads(), BlockingServer.class, BlockingServer.Threads.VIRTUAL, files);
            case NGINX, NGINX_THREADS, NGINX_OPEN_FILES -> throw new IllegalStateException(title);
        };
    }

    private static Jdk virtualThreads() throws IOException {
        Optional<Jdk> jdk = Jdk.atLeast(FIRST_WITH_VIRTUAL_THREADS);
        if (jdk.isEmpty()) {
            throw new IOException(VIRTUAL.missing());
        }
        return jdk.get();
    }

    /** What is measured, such as {@code nginx/1.22.1}. Blocks. */
    String version(Stage stage) throws IOException, InterruptedException {
        return switch (this) {
            case SERVE, SERVE_NONE_OPEN ->
                Programs.run(List.of(stage.sfd().toString(), "--version"), Programs.START_TIMEOUT_MS) + ", JDK "
                        + Jdk.running().version();
            case NGINX, NGINX_THREADS, NGINX_OPEN_FILES -> Nginx.version();
            case HANDLER, REGION, CHUNKED ->
                "Netty "
                        + Objects.requireNonNull(Version.identify().get("netty-transport"))
                                .artifactVersion() + ", JDK " + Jdk.running().version();
            case VERTX -> "Vert.x " + vertxVersion() + ", JDK " + Jdk.running().version();
            case POOL -> "JDK " + Jdk.running().version();
            case VIRTUAL -> "JDK " + virtualThreads().version();
        };
    }

    private static String vertxVersion() throws IOException {
        try (InputStream text = Peer.class.getClassLoader().getResourceAsStream(VERTX_VERSION)) {
            if (text == null) {
                throw new IOException(VERTX_VERSION + " is not in the class path");
            }
            return new String(text.readAllBytes(), StandardCharsets.UTF_8).strip();
        }
    }
}
