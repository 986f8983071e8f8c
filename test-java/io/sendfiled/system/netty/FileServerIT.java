package io.sendfiled.system.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.sendfiled.Sendfiled;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.examples.netty.FileServer;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.PageCache;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The server with ranges and entity tags that is there to be copied. */
@SuppressWarnings("FutureReturnValueIgnored") // of what is waited for
@Timeout(60)
final class FileServerIT {
    @TempDir
    private Path root;

    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private String address = "";

    @Test
    void shouldServeFilesAndRangesAndTellWhatHasNotChanged() throws Exception {
        Path path = root.resolve("file");
        Content content = Content.write(path, 300_000);
        EventLoopGroup loops = new NioEventLoopGroup(1);
        try (SendfiledClient client = Sendfiled.embedded().root(root).hot(false).start();
                HotRoot hot = HotRoot.open(root)) {
            Channel server = FileServer.start(loops, SendfiledFiles.of(client, hot), 0)
                    .sync()
                    .channel();
            address = "http://localhost:" + ((InetSocketAddress) server.localAddress()).getPort() + "/";
            for (int round = 0; round < 2; round++) {
                HttpResponse<byte[]> whole = ask("GET", "file", "X", "y");
                assertEquals(200, whole.statusCode());
                assertEquals(content, Content.of(whole.body()));
                String etag = whole.headers().firstValue("ETag").orElseThrow();
                assertEquals(304, ask("GET", "file", "If-None-Match", etag).statusCode());
                HttpResponse<byte[]> part = ask("GET", "file", "Range", "bytes=100-50099", "If-Range", etag);
                assertEquals(206, part.statusCode());
                assertEquals(
                        "bytes 100-50099/300000",
                        part.headers().firstValue("Content-Range").orElseThrow());
                assertEquals(Content.of(path, 100, 50_000), Content.of(part.body()));
                assertEquals(
                        200,
                        ask("GET", "file", "Range", "bytes=1-2", "If-Range", "\"x\"")
                                .statusCode());
                assertEquals(416, ask("GET", "file", "Range", "bytes=300000-").statusCode());
                HttpResponse<byte[]> head = ask("HEAD", "file", "X", "y");
                assertEquals(
                        "300000", head.headers().firstValue("Content-Length").orElseThrow());
                assertEquals(0, head.body().length);
                PageCache.evict(path);
            }
            assertEquals(404, ask("GET", "absent", "X", "y").statusCode());
            assertEquals(501, ask("DELETE", "file", "X", "y").statusCode());
            server.close().sync();
        } finally {
            loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }
    }

    private HttpResponse<byte[]> ask(String method, String path, String... headers) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(address + path))
                .method(method, HttpRequest.BodyPublishers.noBody())
                .headers(headers)
                .build();
        return http.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray())
                .get(Await.LONG.toSeconds(), TimeUnit.SECONDS);
    }
}
