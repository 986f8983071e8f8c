package io.sendfiled.examples.netty;

import io.sendfiled.Sendfiled;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.netty.SendfiledHandler;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.impl.HttpServerConnection;
import java.nio.file.Path;

/**
 * A file server of Vert.x 4, whose {@code sendFile} no longer reads on the event loop. Only the line with the connection
 * handler is about that; Vert.x does not know of it.
 *
 * <p>What is left on the event loop is Vert.x's own: it asks whether the file exists, how long it is, and opens it. Serve
 * files of a disk that may not answer by {@link SendfiledFiles#open} instead.
 */
public final class VertxServer {
    private VertxServer() {}

    /** Starts a server on a free port of this machine. */
    public static HttpServer start(Vertx vertx, SendfiledFiles files, Path root) {
        return vertx.createHttpServer()
                .connectionHandler(connection -> ((HttpServerConnection) connection)
                        .channel()
                        .pipeline()
                        .addFirst(new SendfiledHandler().transparent(files)))
                .requestHandler(request -> serve(request, root));
    }

    private static void serve(HttpServerRequest request, Path root) {
        Path file = root.resolve(request.path().substring(1)).normalize();
        if (!file.startsWith(root)) {
            request.response().setStatusCode(403).end();
            return;
        }
        request.response().sendFile(file.toString()).onFailure(failure -> {
            if (!request.response().headWritten()) {
                request.response().setStatusCode(404).end();
            }
        });
    }

    public static void main(String[] args) throws Exception {
        Path root = Path.of(args[0]).toRealPath();
        SendfiledClient client =
                Sendfiled.embedded(SendfiledConfig.builder().root(root).build());
        SendfiledFiles files = SendfiledFiles.of(client, HotRoot.open(root));
        Vertx vertx = Vertx.vertx();
        start(vertx, files, root).listen(0, "localhost").onComplete(started -> {
            if (started.succeeded()) {
                System.out.println("port " + started.result().actualPort());
            } else {
                started.cause().printStackTrace();
                vertx.close();
                client.close();
            }
        });
    }
}
