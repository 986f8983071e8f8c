package io.sendfiled.system.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.sendfiled.Sendfiled;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.examples.netty.NettyFileServer;
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
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The server of Netty's that the guide leads to. */
@SuppressWarnings("FutureReturnValueIgnored") // of what is waited for
@Timeout(60)
final class NettyFileServerIT {
    private static final long[] SIZES = {0, 1, 4_096, 100_000, 3_000_000};

    @TempDir
    private Path root;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldServeFilesThatAreInMemoryAndThatAreNot(boolean epoll) throws Exception {
        List<Content> contents = new ArrayList<>();
        for (long size : SIZES) {
            contents.add(Content.write(root.resolve("f" + size), size));
        }
        EventLoopGroup loops = epoll ? new EpollEventLoopGroup(1) : new NioEventLoopGroup(1);
        Class<? extends ServerChannel> kind = epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
        try (SendfiledClient client = Sendfiled.embedded().root(root).start();
                HotRoot hot = HotRoot.open(root)) {
            Channel server = NettyFileServer.start(loops, kind, SendfiledFiles.of(client, hot))
                    .sync()
                    .channel();
            String address = "http://localhost:" + ((InetSocketAddress) server.localAddress()).getPort() + "/";
            HttpClient http =
                    HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
            for (int round = 0; round < 2; round++) {
                for (int i = 0; i < SIZES.length; i++) {
                    String name = "f" + SIZES[i];
                    if (round == 1) {
                        PageCache.evict(root.resolve(name));
                    }
                    HttpResponse<byte[]> response = get(http, address + name);
                    assertEquals(200, response.statusCode());
                    assertEquals(contents.get(i), Content.of(response.body()), name);
                }
                assertEquals(404, get(http, address + "absent").statusCode());
            }
            server.close().sync();
        } finally {
            loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }
    }

    private static HttpResponse<byte[]> get(HttpClient http, String address) throws Exception {
        CompletableFuture<HttpResponse<byte[]>> response = http.sendAsync(
                HttpRequest.newBuilder(URI.create(address)).build(), HttpResponse.BodyHandlers.ofByteArray());
        return response.get(Await.LONG.toSeconds(), TimeUnit.SECONDS);
    }
}
