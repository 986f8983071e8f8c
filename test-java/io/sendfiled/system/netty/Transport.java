package io.sendfiled.system.netty;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;

/** What a Netty server's event loops wait with. */
enum Transport {
    NIO(NioServerSocketChannel.class) {
        @Override
        EventLoopGroup loop() {
            return new NioEventLoopGroup(1);
        }
    },
    EPOLL(EpollServerSocketChannel.class) {
        @Override
        EventLoopGroup loop() {
            return new EpollEventLoopGroup(1);
        }
    };

    private final Class<? extends ServerChannel> channel;

    Transport(Class<? extends ServerChannel> channel) {
        this.channel = channel;
    }

    /** One new event loop, which the caller ends. */
    abstract EventLoopGroup loop();

    Class<? extends ServerChannel> channel() {
        return channel;
    }
}
