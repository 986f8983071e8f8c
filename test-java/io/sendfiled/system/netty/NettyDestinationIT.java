package io.sendfiled.system.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioDatagramChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.sendfiled.client.Destination;
import io.sendfiled.client.FileRequest;
import io.sendfiled.netty.NettyDestination;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that go to a channel's socket behind its pipeline. */
@Timeout(60)
final class NettyDestinationIT {
    @SuppressWarnings("UnusedVariable") // the daemon's
    @TempDir
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldSendToTheSocketOfAChannel(boolean epoll) throws Exception {
        Content content = Content.write(daemon.root().resolve("file"), 3_000_000);
        EventLoopGroup loop = epoll ? new EpollEventLoopGroup(1) : new NioEventLoopGroup(1);
        BlockingQueue<Destination> accepted = new LinkedBlockingQueue<>();
        try {
            Channel server = new ServerBootstrap()
                    .group(loop)
                    .channel(epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class)
                    .childHandler(new ChannelInitializer<Channel>() {
                        @Override
                        protected void initChannel(Channel channel) {
                            channel.pipeline().addLast(new Sender(accepted));
                        }
                    })
                    .bind(InetAddress.getLoopbackAddress(), 0)
                    .sync()
                    .channel();
            try (SocketChannel peer = SocketChannel.open(server.localAddress())) {
                assertEquals(content, Content.drain(peer));
            }
            Destination closed = accepted.poll(Await.LONG.toSeconds(), TimeUnit.SECONDS);
            assertThrows(IOException.class, () -> Objects.requireNonNull(closed).duplicate());
        } finally {
            loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }
    }

    private static final class Sender extends ChannelInboundHandlerAdapter {
        private final BlockingQueue<Destination> accepted;

        Sender(BlockingQueue<Destination> accepted) {
            this.accepted = accepted;
        }

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            Destination destination = NettyDestination.of(ctx.channel());
            var unused = daemon.client()
                    .send(FileRequest.of("file"), destination)
                    .result()
                    .whenCompleteAsync(
                            (result, failure) -> ctx.close().addListener(closed -> accepted.add(destination)),
                            ctx.executor());
        }
    }

    @Test
    void shouldRefuseAChannelWithoutAStreamSocket() {
        for (Channel channel : new Channel[] {new EmbeddedChannel(), new NioDatagramChannel()}) {
            assertThrows(IllegalArgumentException.class, () -> NettyDestination.of(channel));
            channel.unsafe().closeForcibly();
        }
    }
}
