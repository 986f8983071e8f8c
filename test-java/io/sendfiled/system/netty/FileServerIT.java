package io.sendfiled.system.netty;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
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
                HttpResponse<byte[]> none = ask("GET", "file", "Range", "bytes=300000-");
                assertEquals(416, none.statusCode());
                assertEquals(
                        "bytes */300000",
                        none.headers().firstValue("Content-Range").orElseThrow());
                assertEquals(
                        304,
                        ask("GET", "file", "If-None-Match", "\"x\", W/" + etag).statusCode());
                HttpResponse<byte[]> any = ask("GET", "file", "If-None-Match", "*");
                assertEquals(304, any.statusCode());
                assertTrue(any.headers().firstValue("Connection").isEmpty(), "it goes on");
                HttpResponse<byte[]> head = ask("HEAD", "file", "X", "y");
                assertEquals(
                        "300000", head.headers().firstValue("Content-Length").orElseThrow());
                assertEquals(0, head.body().length);
                PageCache.evict(path);
            }
            assertEquals(404, ask("GET", "absent", "X", "y").statusCode());
            assertEquals(404, ask("GET", "", "X", "y").statusCode(), "a directory");
            assertEquals(404, ask("GET", "x".repeat(300), "X", "y").statusCode());
            assertPipelined(((InetSocketAddress) server.localAddress()).getPort());
            assertEquals(501, ask("DELETE", "file", "X", "y").statusCode());
            server.close().sync();
        } finally {
            loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }
    }

    /** One that is none does not hold those behind it, and nobody has more answered than he takes. */
    private void assertPipelined(int port) throws Exception {
        try (Socket socket = new Socket("localhost", port)) {
            socket.getOutputStream()
                    .write("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\nGET /absent HTTP/1.0\r\n\r\n".getBytes(UTF_8));
            String answers = new String(socket.getInputStream().readAllBytes(), UTF_8);
            assertTrue(answers.matches("(?s)HTTP/1.1 400 .*HTTP/1.1 404 .*"), answers);
        }
        byte[] many = "GET /file HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1000).getBytes(UTF_8);
        try (SocketChannel greedy = SocketChannel.open(new InetSocketAddress("localhost", port))) {
            greedy.configureBlocking(false);
            long written = 0;
            for (long since = System.nanoTime(); System.nanoTime() - since < TimeUnit.SECONDS.toNanos(1); ) {
                int step = greedy.write(ByteBuffer.wrap(many));
                written += step;
                since = step > 0 ? System.nanoTime() : since;
                assertTrue(written < 100_000_000, "all is read");
            }
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
