package io.sendfiled.netty;

import io.netty.channel.Channel;
import io.netty.channel.nio.AbstractNioByteChannel;
import io.netty.channel.nio.AbstractNioChannel;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.UnixChannel;
import io.sendfiled.client.Destination;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.nio.channels.AsynchronousCloseException;

/**
 * The socket of a Netty channel as a destination of {@link io.sendfiled.client.SendfiledClient}, behind the channel's back: for
 * protocols without a pipeline of messages. {@link SendfiledHandler} does what is around it: order, promises, writability, TLS.
 */
public final class NettyDestination {
    private NettyDestination() {}

    /**
     * A stream socket of NIO, epoll or io_uring. The bytes pass by the pipeline, unencrypted: all that was written before must
     * have been flushed, and its promise complete, and nothing may be written until the transfer's result is there. Cancel
     * the transfer before the channel is closed: its peer sees no end before.
     *
     * @throws IllegalArgumentException if it is no stream socket: embedded, local and datagram channels, streams of HTTP/2
     */
    public static Destination of(Channel channel) {
        if (channel instanceof AbstractNioByteChannel) {
            return Destination.of(((AbstractNioChannel.NioUnsafe) channel.unsafe()).ch());
        }
        // The name first: Netty's classes for native transports may be missing.
        String name = channel.getClass().getName();
        if (channel instanceof DuplexChannel
                && (name.startsWith("io.netty.channel.epoll.") || name.startsWith("io.netty.channel.uring."))) {
            return Native.of(channel);
        }
        throw new IllegalArgumentException(channel + " has no stream socket of its own");
    }

    /** Loaded only where there is such a channel. */
    private static final class Native {
        static Destination of(Channel channel) {
            FileDescriptor socket = ((UnixChannel) channel).fd();
            return () -> duplicate(socket);
        }

        /** Its number may be another file's if it was closed meanwhile; then the duplicate is dropped. */
        private static OwnedFd duplicate(FileDescriptor socket) throws IOException {
            OwnedFd duplicate = Descriptors.duplicate(socket.intValue());
            if (socket.isOpen()) {
                return duplicate;
            }
            duplicate.close();
            throw new AsynchronousCloseException();
        }
    }
}
