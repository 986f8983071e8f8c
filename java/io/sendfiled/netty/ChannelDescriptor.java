package io.sendfiled.netty;

import io.netty.channel.Channel;
import io.netty.channel.epoll.AbstractEpollStreamChannel;
import io.netty.channel.nio.AbstractNioByteChannel;
import io.netty.channel.nio.AbstractNioChannel;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.UnsupportedDescriptorException;

/** The descriptors of Netty's channels: of those whose sockets take a file from outside of the channel. */
final class ChannelDescriptor {
    /** No such channel. */
    static final int NONE = -1;

    private ChannelDescriptor() {}

    /**
     * The number of a stream socket in non-blocking mode, borrowed: for the channel's event loop, which alone closes it.
     * {@link #NONE} for all other channels: io_uring's, whose sockets are blocking and which take no {@code FileRegion};
     * streams of HTTP/2, local and embedded channels, which have no socket.
     *
     * @throws UnsupportedDescriptorException if this JDK shows no descriptor of its sockets
     */
    static int of(Channel channel) throws UnsupportedDescriptorException {
        if (channel instanceof AbstractNioByteChannel) {
            return Descriptors.numberOf(((AbstractNioChannel.NioUnsafe) channel.unsafe()).ch());
        }
        // The name first: Netty's classes for epoll may be missing.
        if (channel.getClass().getName().startsWith("io.netty.channel.epoll.")) {
            return Epoll.of(channel);
        }
        return NONE;
    }

    /** Loaded only where there is a channel of epoll. */
    private static final class Epoll {
        static int of(Channel channel) {
            return channel instanceof AbstractEpollStreamChannel stream
                    ? stream.fd().intValue()
                    : NONE;
        }
    }
}
