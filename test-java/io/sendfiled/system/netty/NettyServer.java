package io.sendfiled.system.netty;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.sendfiled.support.Await;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.SocketChannel;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** A Netty server with one event loop, on a port of its own. Owns the loop and the channels; closing waits for them. */
final class NettyServer implements AutoCloseable {
    private final EventLoopGroup loop;
    private final Channel listening;
    private final ChannelGroup open;
    private final BlockingQueue<Channel> accepted = new LinkedBlockingQueue<>();

    private NettyServer(
            Transport transport, Map<ChannelOption<Boolean>, Boolean> options, Consumer<ChannelPipeline> pipeline)
            throws IOException {
        loop = transport.loop();
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(loop)
                .channel(transport.channel())
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        pipeline.accept(channel.pipeline());
                        open.add(channel);
                        accepted.add(channel);
                    }
                });
        open = new DefaultChannelGroup(loop.next());
        options.forEach(bootstrap::childOption);
        listening = bootstrap
                .bind(InetAddress.getLoopbackAddress(), 0)
                .syncUninterruptibly()
                .channel();
    }

    /** Listens; each connection's pipeline is made by the test. */
    static NettyServer start(Transport transport, Consumer<ChannelPipeline> pipeline) throws IOException {
        return start(transport, Map.of(), pipeline);
    }

    static NettyServer start(
            Transport transport, Map<ChannelOption<Boolean>, Boolean> options, Consumer<ChannelPipeline> pipeline)
            throws IOException {
        return new NettyServer(transport, options, pipeline);
    }

    /** Where it listens. */
    InetSocketAddress address() {
        return (InetSocketAddress) listening.localAddress();
    }

    /** A new connection to it, blocking. */
    SocketChannel connect() throws IOException {
        return SocketChannel.open(address());
    }

    /** The next connection that was accepted, in their order. */
    Channel accepted() throws InterruptedException {
        Channel channel = accepted.poll(Await.LONG.toSeconds(), TimeUnit.SECONDS);
        if (channel == null) {
            throw new AssertionError("no connection was accepted");
        }
        return channel;
    }

    /** How many connections were accepted and not asked for. */
    int acceptedSoFar() {
        return accepted.size();
    }

    /** Its one loop. */
    EventLoop loop() {
        return loop.next();
    }

    /** Runs in the event loop, and waits for it. */
    void inLoop(Runnable action) throws InterruptedException, ExecutionException {
        loop.next().submit(action).get();
    }

    /**
     * Closes the channels as a loop that ends does. Netty 4.2.18 does not always: its loop may see that it is shut down only
     * behind the place where it closes them, and without a quiet period there is no next round.
     */
    private void closeChannels() {
        listening.unsafe().close(listening.voidPromise());
        open.forEach(channel -> channel.unsafe().close(channel.voidPromise()));
    }

    @Override
    public void close() {
        loop.next().submit(this::closeChannels).syncUninterruptibly();
        loop.shutdownGracefully(0, Await.LONG.toSeconds(), TimeUnit.SECONDS).syncUninterruptibly();
    }
}
