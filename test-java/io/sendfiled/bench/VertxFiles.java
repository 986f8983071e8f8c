package io.sendfiled.bench;

import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.nio.file.Path;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * A program: an HTTP server of files by {@code sendFile} of Vert.x, on the native transport with one event loop. It announces
 * its port, and ends with its standard input.
 */
final class VertxFiles {
    /** It tells of each client that hangs up in an answer, as the load generator does when its time is over. */
    private static final Logger CONNECTIONS = Logger.getLogger("io.vertx.core.net.impl.ConnectionBase");

    private VertxFiles() {}

    /** Arguments: the directory of the files. */
    public static void main(String[] args) throws Exception {
        CONNECTIONS.setLevel(Level.OFF);
        Path root = Path.of(args[0]);
        Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1).setPreferNativeTransport(true));
        int port = vertx.createHttpServer()
                .requestHandler(request -> request.response()
                        .sendFile(root.resolve(request.path().substring(1)).toString())
                        .onFailure(failure -> {
                            if (!request.response().headWritten()) {
                                request.response().setStatusCode(404).end();
                            }
                        }))
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .get()
                .actualPort();
        WebServer.announceUntilInputEnds(port);
    }
}
