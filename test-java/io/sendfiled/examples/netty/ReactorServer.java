package io.sendfiled.examples.netty;

import io.sendfiled.Sendfiled;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.netty.SendfiledHandler;
import java.nio.file.Files;
import java.nio.file.Path;
import org.reactivestreams.Publisher;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;

/**
 * A file server of Reactor Netty, whose {@code sendFile} no longer reads on the event loop. Only the line with the channel's
 * initialization is about that; Reactor Netty does not know of it.
 *
 * <p>What is left on the event loop is Reactor Netty's and this program's own: whether the file is there, and its open. Serve
 * files of a disk that may not answer by {@link SendfiledFiles#open} instead.
 */
public final class ReactorServer {
    private ReactorServer() {}

    /** A server on a free port of this machine, to be bound. */
    public static HttpServer create(SendfiledFiles files, Path root) {
        return HttpServer.create()
                .host("localhost")
                .port(0)
                .doOnChannelInit((observer, channel, address) ->
                        channel.pipeline().addFirst(new SendfiledHandler().transparent(files)))
                .handle((request, response) -> serve(request, response, root));
    }

    private static Publisher<Void> serve(HttpServerRequest request, HttpServerResponse response, Path root) {
        Path file = root.resolve(request.path()).normalize(); // without a leading slash
        if (!file.startsWith(root)) {
            return response.status(403).send();
        }
        return Files.isRegularFile(file) ? response.sendFile(file) : response.sendNotFound();
    }

    public static void main(String[] args) throws Exception {
        Path root = Path.of(args[0]).toRealPath();
        try (SendfiledClient client =
                        Sendfiled.embedded(SendfiledConfig.builder().root(root).build());
                HotRoot hot = HotRoot.open(root)) {
            var server = create(SendfiledFiles.of(client, hot), root).bindNow();
            System.out.println("port " + server.port());
            server.onDispose().block();
        }
    }
}
